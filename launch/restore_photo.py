"""One photo: through a server, and into its result."""

import contextlib
import hashlib
import os
import subprocess
import time
import urllib.error
import uuid
from dataclasses import dataclass
from pathlib import Path

from . import record
from .client import TROUBLE, Client, PromptError
from .environment import LAUNCH
from .folder import Photo
from .record import Record
from .restoration_prompt import MASK, PHOTO, RESULT, Settings, restoration_prompt
from .results import texts
from .server import ServerDied
from .share_work import CannotGoOn, ServerLost, Tell
from .terminal import Problem

PICTURES = LAUNCH / "pictures.py"
UPLOADS = "map-rps"  # the folder in a server's input folder that photos are put into


def prompt_of(photo: Photo, settings: Settings) -> dict:
    """What restores a photo, with digests of the files in the place of their names. Problem: one cannot be read."""
    mask = _digest(_read(photo.mask)) if photo.mask else None
    return restoration_prompt(_digest(_read(photo.file)), mask, settings)


def is_done(photo: Photo, settings: Settings) -> bool:
    """Whether the photo's result is there, made of what it is now by these settings. Problem: another file is there."""
    if not photo.result.exists():
        return False
    try:
        made = record.read(photo.result)
    except OSError as error:
        raise Problem(f"{photo.result} cannot be read: {error.strerror}") from None
    if made is None or photo.result.samefile(photo.file):
        raise Problem(f"{photo.result} is there already and is not its result: move it away or choose another --out")
    return made.key == record.key_of(prompt_of(photo, settings))


@dataclass
class RestorePhoto:
    """Called as share_work.share wants it. python: one that has Pillow; shown: the folder that the server keeps what it
    has shown in, where it is one of our own, to be emptied."""

    settings: Settings
    python: Path
    shown: Path | None = None

    def __post_init__(self) -> None:
        self._run = uuid.uuid4().hex
        self._made: dict[str, tuple[Path, str]] = {}  # key of a prompt -> result and report, of this run

    def __call__(self, client: Client, photo: Photo, tell: Tell) -> None:
        """Restores a photo and writes its result. Problem: it fails.

        CannotGoOn: the result cannot be written; ServerLost: the server is gone.
        """
        started = time.monotonic()
        tell("reading")
        prompt = prompt_of(photo, self.settings)
        key = record.key_of(prompt)
        picture = self._upright(photo.file)
        if key in self._made:  # the same photo under another name
            twin, report = self._made[key]
            result = _read(twin)
        else:
            mask = self._upright(photo.mask) if photo.mask else None
            try:
                result, report = self._at_server(client, prompt, picture, mask, tell)
            except ServerDied:
                raise ServerLost("it ended by itself") from None
            except TROUBLE as error:
                raise _problem(error) from None
        seconds = time.monotonic() - started
        made = Record(photo.name, key, self.settings.text(bool(photo.mask)), report, seconds)
        write_whole(photo.result, record.with_record(result, picture, made))
        self._made[key] = photo.result, report

    def _at_server(
        self, client: Client, prompt: dict, picture: bytes, mask: bytes | None, tell: Tell
    ) -> tuple[bytes, str]:
        """The restored picture as a PNG, and what the nodes say. Problem: the prompt fails."""
        titles = {node_id: node["_meta"]["title"] for node_id, node in prompt.items()}
        doing = "waiting"

        def on_event(kind: str, data: dict) -> None:
            nonlocal doing
            if title := titles.get(data.get("node") or ""):
                doing = f"{title} {data['value']}/{data['max']}" if kind == "progress" else title
            tell(doing)

        # One name for all photos, each in the place of the one before: a server has no way to remove them.
        slot = f"{self._run}-{_digest(client.url.encode())[:8]}"
        prompt[PHOTO]["inputs"]["image"] = client.upload_image(f"{slot}.png", picture, UPLOADS)
        if mask:
            prompt[MASK]["inputs"]["image"] = client.upload_image(f"{slot}-mask.png", mask, UPLOADS)
        try:
            outputs = client.submit(prompt).outputs(on_event)
        except PromptError as error:
            raise Problem(_sentence(error, titles)) from None
        (shown,) = outputs[RESULT]["images"]
        result = client.image(shown)
        if self.shown:
            _remove(self.shown / shown["filename"])
        report = "\n".join(f"{title}: {text}" for text, title in texts(outputs, titles).items())
        return result, report

    def _upright(self, file: Path) -> bytes:
        """A photo as an upright PNG. Problem: it cannot be read."""
        done = subprocess.run([self.python, PICTURES, "upright"], input=_read(file), capture_output=True)
        if done.returncode:
            raise Problem(f"{file} cannot be used: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout


def write_whole(file: Path, data: bytes) -> None:
    """All or nothing: what is cut off leaves no file of that name. CannotGoOn: it cannot be written."""
    part = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, file)
    except OSError as error:
        _remove(part)
        raise CannotGoOn(f"{file} cannot be written: {error.strerror}") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror}") from None


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def _problem(error: Exception) -> Exception:
    """What an error of the client means: the server is lost, or it is well and the photo is to blame."""
    if isinstance(error, urllib.error.HTTPError) and error.code < 500:
        hint = "; start it with --max-upload-size 1000" if error.code == 413 else ""
        return Problem(f"the server refuses it: {error.reason}{hint}")
    reason = getattr(error, "reason", error)
    silent = isinstance(reason, TimeoutError)
    return ServerLost("it does not answer any more" if silent else f"the connection is lost ({reason})")


def _sentence(error: PromptError, titles: dict[str, str]) -> str:
    """Why a prompt failed, in a line."""
    if error.kind == "interrupted":
        return "it was cancelled at the server"
    text = error.details if error.kind == "invalid" else error.message
    where = f" (at {titles[error.node_id]})" if error.node_id in titles else ""
    return text.removeprefix("ValueError: ").splitlines()[0] + where
