"""Restores a photo that is damaged already, or a folder of them."""

import argparse
import contextlib
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import environment, record
from .countdown import Countdown
from .folder import Photo, photos_in, result_name
from .own_server import own_server
from .restoration_prompt import Settings, restoration_prompt
from .restore_photo import PICTURES, RestorePhoto, is_done, write_whole
from .share_work import Source, share
from .sources import OwnServer, RunningServer
from .summary import summary
from .terminal import Problem, say, seconds, status

TABLE = "summary.csv"


def restore(chosen: argparse.Namespace, out: Path) -> int:
    """Restores chosen.restore, or the photos of chosen.folder, into `out`. Returns the exit status: 1 where one failed.

    What is there already, made of the same photo by the same settings, is left as it is.
    """
    started = time.monotonic()
    photos, settings = photos_of(chosen, out), settings_of(chosen)
    to_do, errors = remaining(photos, settings)
    there = len(photos) - len(to_do) - len(errors)
    if there:
        say(f"{there} of {len(photos)} {'is' if there == 1 else 'are'} done already, by the same settings.")
    make_folder(out)
    with contextlib.ExitStack() as opened:
        sources, do = servers(chosen, to_do, settings, opened)
        try:
            run(to_do, sources, do, errors)
        except KeyboardInterrupt:
            say("\nStopped; the same command goes on from here.")
            return 130
        finally:
            measured = measure(photos, errors, do.python)
            if chosen.folder:
                write_table(photos, out, measured, errors)
    if chosen.folder:
        done = len(photos) - there - len(errors)
        say(f"{done} restored, {len(errors)} failed, {seconds(time.monotonic() - started)}. Table: {out / TABLE}")
    elif not errors:
        show(photos[0], measured)
    return int(bool(errors))


def photos_of(chosen: argparse.Namespace, out: Path) -> list[Photo]:
    if chosen.folder:
        return photos_in(chosen.folder, out, chosen.mask, chosen.reference)
    name = Path(chosen.restore.name)
    return [Photo(chosen.restore, name.name, out / result_name(name), chosen.mask, chosen.reference)]


def settings_of(chosen: argparse.Namespace) -> Settings:
    enlarge = chosen.enlarge or (chosen.factor or 4 if chosen.degradation == "sr" else 1)
    degradation = chosen.degradation if chosen.degradation in ("deblur", "denoise") else None
    renoise = chosen.renoise[0] if chosen.renoise else 0.0
    return Settings(degradation, enlarge, chosen.noise_std, renoise, chosen.steps or 0, chosen.seed or 0)


def remaining(photos: Sequence[Photo], settings: Settings) -> tuple[list[Photo], dict[str, str]]:
    """The photos that are not done, and of others, by name, why they cannot be."""
    to_do: list[Photo] = []
    errors: dict[str, str] = {}
    for number, photo in enumerate(photos, 1):
        status(f"  looking at {number}/{len(photos)}  {photo.name}")
        try:
            if not is_done(photo, settings):
                to_do.append(photo)
        except Problem as problem:
            fail(photo, str(problem), errors)
    return to_do, errors


def servers(
    chosen: argparse.Namespace, to_do: Sequence[Photo], settings: Settings, opened: contextlib.ExitStack
) -> tuple[Sequence[Source], RestorePhoto]:
    """The servers to use, of which one of our own ends with `opened`, and what does a photo there."""
    if chosen.server:
        mask = "mask" if any(photo.mask for photo in to_do) else None
        nodes = {node["class_type"] for node in restoration_prompt("photo", mask, settings).values()}
        do = RestorePhoto(settings, environment.python_with_pillow())
        return [RunningServer(url, nodes) for url in dict.fromkeys(chosen.server)], do
    if not to_do:
        return [], RestorePhoto(settings, environment.prepare().python)
    server, setup = own_server(chosen.port)
    own = OwnServer(server)
    opened.callback(own.stop)
    say(f"Starting ComfyUI from {setup.comfyui} ...")
    return [own], RestorePhoto(settings, setup.python, own.shown)


def make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"The folder {out} cannot be made: {error.strerror}") from None


def run(to_do: Sequence[Photo], sources: Sequence[Source], do: RestorePhoto, errors: dict[str, str]) -> None:
    """Restores the photos at the servers; adds what fails to `errors`. Problem: photos are left and no server is."""
    countdown = Countdown(len(to_do))
    for event in share(to_do, sources, do):
        if event.photo is None:
            say(f"{event.server} is not used: {event.detail}")
        elif event.kind == "at work":
            countdown.at_work(event.server, f"{event.photo.name}  {event.detail}")
        elif event.kind == "moved":
            say(f"{event.photo.name} is done again, since {event.server} was lost: {event.detail}")
        elif event.kind == "failed":
            fail(event.photo, event.detail, errors)
            countdown.step(event.server, event.photo.name)
        else:
            countdown.step(event.server, event.photo.name)
    if left := countdown.total - countdown.done:
        raise Problem(f"No server is left, and {left} to do; the same command goes on from here.")


def fail(photo: Photo, sentence: str, errors: dict[str, str]) -> None:
    errors[photo.name] = sentence
    say(f"{photo.name} failed: {sentence}")


def measure(photos: Sequence[Photo], errors: dict[str, str], python: Path) -> dict[str, float]:
    """PSNR in dB by name, of the results that have a reference. Where one does not fit, that is added to `errors`."""
    pairs = [photo for photo in photos if photo.reference and photo.name not in errors and photo.result.exists()]
    if not pairs:
        return {}
    files = [[str(photo.result), str(photo.reference)] for photo in pairs]
    done = subprocess.run([python, PICTURES, "psnr"], input=json.dumps(files), capture_output=True, text=True)
    measured = dict(zip((photo.name for photo in pairs), json.loads(done.stdout), strict=True))
    for photo in pairs:
        if isinstance(measured[photo.name], str):
            fail(photo, f"it is restored, but not compared: {measured.pop(photo.name)}", errors)
    return measured


def write_table(photos: list[Photo], out: Path, measured: dict[str, float], errors: dict[str, str]) -> None:
    table = summary(photos, out, measured, errors)
    write_whole(out / TABLE, table.encode(errors="surrogateescape"))  # a name may hold bytes that are no text


def show(photo: Photo, measured: dict[str, float]) -> None:
    """Prints what a single photo's restoration has to say."""
    if made := record.read(photo.result):
        say(f"\n{made.report}")
    if photo.name in measured:
        say(f"PSNR {measured[photo.name]:.2f} dB")
    say(f"\n  {photo.result}")
