"""Folders of damaged photos through real servers, of which some are lost."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from maprps.launch import record
from maprps.launch.client import Client, PromptError
from maprps.launch.folder import Photo, photos_in
from maprps.launch.restoration_prompt import Settings, restoration_prompt
from maprps.launch.restore_photo import RestorePhoto
from maprps.launch.server import Server
from maprps.launch.share_work import share
from maprps.launch.sources import OwnServer, RunningServer

ROOT = Path(__file__).absolute().parents[2]
ORIENTATION, MAKE, DETAILS, TAKEN, WIDTH = 0x0112, 0x010F, 0x8769, 0x9003, 0xA002  # EXIF tags
NODES = {"MAPRPS_MAPEstimation", "MAPRPS_RenoisedPosteriorSampling"}
SAMPLING = "Re-noised Posterior Sampling"
INTERRUPT = signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT
if sys.platform == "win32":
    INTERRUPTIBLE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:  # what was started in the background hands down that the signal is ignored
    INTERRUPTIBLE = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}
SLOW = Settings(renoise=0.3, steps=20)  # some seconds, so that a server can be lost in the middle


@pytest.fixture
def picture(photos):
    """picture(width, height, number): a noisy piece of a photo."""

    def make(width, height, number=0):
        with Image.open(photos[number % len(photos)]) as photo:
            small = np.asarray(photo.convert("RGB").resize((width, height)), float)
        noise = 20 * np.random.default_rng(number).standard_normal(small.shape)
        return Image.fromarray((small + noise).clip(0, 255).round().astype(np.uint8))

    return make


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    server = Server(
        Path(sys.executable),
        Path(os.environ["COMFYUI_PATH"]),
        tmp_path_factory.mktemp("second"),
        {"ComfyUI-MAP-RPS": ROOT},
        cpu=True,
    )
    yield server
    server.stop()


@pytest.fixture
def second(started):
    """Another server, which a test may lose."""
    if started.process is None or started.process.poll() is not None:
        started.start()
    return started


def quickstart(*arguments, **options):
    command = [sys.executable, ROOT / "quickstart.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", **options)


def photos_of(tmp_path, picture, count, size=(56, 40)):
    (tmp_path / "in").mkdir()
    for number in range(count):
        picture(*size, number).save(tmp_path / "in" / f"{number}.png")
    return photos_in(tmp_path / "in", tmp_path / "out")


def executed(client):
    """How every prompt ended that the server has had: its id and "success" or "error"."""
    return {prompt_id: entry["status"]["status_str"] for prompt_id, entry in client.get("/history").items()}


def count(before, after, ending="success"):
    return sum(status == ending and prompt_id not in before for prompt_id, status in after.items())


def test_folder(server, tmp_path, picture):
    """The whole command, three times: names and kinds of files, what fails, what is skipped and what is not."""
    inside, out, good = tmp_path / "in", tmp_path / "in" / "out", tmp_path / "good"
    (inside / "süb %41").mkdir(parents=True)
    picture(41, 32).save(inside / "a.png")
    picture(32, 41, 1).save(inside / "a.jpg")
    picture(32, 32, 2).save(inside / "süb %41" / "b #1.WebP")
    (inside / "broken.tif").write_bytes(b"no picture")
    good.mkdir()
    picture(41, 32).save(good / "a.png")
    line = ["--folder", inside, "--out", out, "--server", server.url, "--reference", good]

    done = quickstart(*line)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "broken.tif failed" in done.stdout and "3 restored, 1 failed" in done.stdout
    results = {out / "a.png", out / "a.jpg.png", out / "süb %41" / "b #1.WebP.png"}
    assert {file for file in out.rglob("*") if file.is_file()} == {*results, out / "summary.csv"}
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        table = {row["file"]: row for row in csv.DictReader(stream)}
    assert set(table) == {"a.png", "a.jpg", "süb %41/b #1.WebP", "broken.tif"}
    assert "not a picture" in table["broken.tif"]["error"]
    assert float(table["a.png"]["psnr_db"]) > 0 and not table["a.jpg"]["psnr_db"]
    assert float(table["a.jpg"]["residual_over_noise"]) > 0

    (inside / "broken.tif").unlink()
    picture(32, 41, 3).save(inside / "a.jpg")
    times = {file: file.stat().st_mtime_ns for file in results}
    again = quickstart(*line)
    assert again.returncode == 0 and "2 of 3 are done already" in again.stdout
    assert {file for file in results if file.stat().st_mtime_ns != times[file]} == {out / "a.jpg.png"}

    other = quickstart(*line, "--renoise", "0.1")
    assert other.returncode == 0 and "done already" not in other.stdout
    assert {record.read(file).settings for file in results} == {"found out, renoise 0.1, seed 0"}


def test_single_photo_is_upright_and_keeps_its_profile(server, tmp_path, picture):
    """With a mask in which nothing is missing and nothing else wrong, every pixel has to come back."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "camera"  # to be turned by a quarter, clockwise
    exif.get_ifd(DETAILS).update({TAKEN: "2026:01:02 03:04:05", WIDTH: 32})
    picture(48, 32).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "me.jpg", exif=exif, icc_profile=profile)
    Image.new("L", (48, 32)).save(tmp_path / "mask.png")
    line = ["--restore", tmp_path / "me.jpg", "--mask", tmp_path / "mask.png", "--out", tmp_path / "out"]
    done = quickstart(*line, "--server", server.url)
    assert done.returncode == 0 and "returned as it is" in done.stdout and "me.jpg.png" in done.stdout
    with Image.open(tmp_path / "out" / "me.jpg.png") as result, Image.open(tmp_path / "me.jpg") as photo:
        assert result.info["icc_profile"] == profile
        assert ORIENTATION not in result.getexif() and result.getexif()[MAKE] == "camera"
        assert result.getexif().get_ifd(DETAILS) == {TAKEN: "2026:01:02 03:04:05"}
        assert {"map-rps", "prompt"} <= set(result.text)
        assert np.array_equal(result, photo.transpose(Image.Transpose.ROTATE_270))


@pytest.mark.parametrize(
    ("settings", "masked", "size"),
    [
        (Settings(enlarge=2, renoise=0.05), False, (192, 128)),
        (Settings(noise_std=0.02, renoise=0.1, steps=3), True, (96, 64)),
        (Settings("denoise", enlarge=2, noise_std=0.02, renoise=0.1, steps=2, seed=7), True, (192, 128)),
    ],
)
def test_every_damage(server, tmp_path, picture, settings, masked, size):
    damaged = picture(96, 64)
    mask = Image.new("L", damaged.size)
    mask.paste(255, (10, 0, 13, 64))
    damaged.paste((255, 255, 255), mask=mask)
    damaged.save(tmp_path / "me.png")
    mask.save(tmp_path / "mask.png")
    photo = Photo(tmp_path / "me.png", "me.png", tmp_path / "out" / "me.png", tmp_path / "mask.png" if masked else None)
    RestorePhoto(settings, Path(sys.executable))(server, photo, lambda text: None)
    with Image.open(photo.result) as result:
        assert result.size == size
        if masked and settings.degradation is None:
            same = np.asarray(result) == np.asarray(damaged)
            holes = np.asarray(mask) > 0
            assert same[~holes].all() and not same[holes].all()


def test_deblurring_is_accepted(server, tmp_path, picture):
    """Finding a blur takes long, so it is not waited for."""
    picture(96, 64).save(tmp_path / "me.png")
    name = server.upload_image("me.png", (tmp_path / "me.png").read_bytes(), "map-rps")
    run = server.submit(restoration_prompt(name, name, Settings("deblur", enlarge=2)))
    assert any(kind == "executing" for kind, _ in run.events())  # the host forgets what it was told before
    server.cancel()
    with pytest.raises(PromptError) as caught:
        run.outputs()
    assert caught.value.kind in ("interrupted", "lost")


def test_a_photo_that_the_nodes_refuse(server, tmp_path, picture):
    """A mask of another size: one sentence, and no traceback."""
    picture(48, 32).save(tmp_path / "me.png")
    picture(40, 32).save(tmp_path / "mask.png")
    done = quickstart(
        *("--restore", tmp_path / "me.png", "--out", tmp_path / "out"),
        *("--mask", tmp_path / "mask.png", "--server", server.url),
    )
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "40x32" in done.stdout and "48x32" in done.stdout and not any((tmp_path / "out").iterdir())


def test_stopped_in_the_middle(server, tmp_path, picture):
    """Ctrl-C takes back what runs, and the same command does the rest."""
    photos = photos_of(tmp_path, picture, 3)
    line = ["--folder", tmp_path / "in", "--out", tmp_path / "out", "--server", server.url]
    line += ["--renoise", str(SLOW.renoise), "--steps", str(SLOW.steps)]
    before = executed(server)
    command = [str(part) for part in (sys.executable, ROOT / "quickstart.py", *line)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **INTERRUPTIBLE) as running:
        while not photos[0].result.exists():
            assert running.poll() is None
            time.sleep(0.05)
        while not server.get("/queue")["queue_running"]:
            time.sleep(0.01)
        running.send_signal(INTERRUPT)
        said = running.communicate(timeout=30)[0]
    assert running.returncode == 130 and "the same command goes on" in said
    results = [photo.result for photo in photos]
    assert sorted((tmp_path / "out").iterdir()) == [results[0], tmp_path / "out" / "summary.csv"]
    while server.get("/queue")["queue_running"]:
        time.sleep(0.05)
    assert count(before, executed(server)) == 1 and count(before, executed(server), "error") == 1

    rest = quickstart(*line)
    assert rest.returncode == 0 and "1 of 3 is done already" in rest.stdout and "2 restored" in rest.stdout
    assert count(before, executed(server)) == 3


def test_own_server_that_dies_is_started_again(server, started, tmp_path, picture):
    """The photo in the middle of which it died is then restored as a server does it that nothing happens to."""
    photos = photos_of(tmp_path, picture, 2)
    shutil.copy(photos[0].file, tmp_path / "in" / "copy.png")
    photos = photos_in(tmp_path / "in", tmp_path / "out")
    own, events = OwnServer(started), []
    for event in share(photos, [own], RestorePhoto(SLOW, Path(sys.executable), own.shown)):
        if SAMPLING in event.detail and not any(e.kind == "moved" for e in events):
            started.process.kill()
        events.append(event)
    kinds = [event.kind for event in events if event.kind != "at work"]
    assert kinds == ["moved", "done", "done", "done"]
    assert [record.read(photo.result).photo for photo in photos] == ["0.png", "1.png", "copy.png"]
    assert len(executed(Client(started.url))) == 2  # a copy is not done again
    assert not any(own.shown.iterdir())
    undisturbed = replace(photos[0], result=tmp_path / "undisturbed.png")
    RestorePhoto(SLOW, Path(sys.executable))(server, undisturbed, lambda text: None)
    with Image.open(photos[0].result) as result, Image.open(undisturbed.result) as expected:
        assert np.array_equal(result, expected)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped and continued here")
def test_a_server_that_hangs(server, second, tmp_path, picture):
    """Its photo is done elsewhere, and where it comes back it is used again, and does not do that photo too."""
    photos = photos_of(tmp_path, picture, 3)
    hanging = Client(second.url)
    sources = [RunningServer(server.url, NODES), RunningServer(second.url, NODES, timeout=3.0)]
    before, events = executed(hanging), []
    for event in share(photos, sources, RestorePhoto(SLOW, Path(sys.executable))):
        if event.server == second.url and SAMPLING in event.detail and not any(e.kind == "moved" for e in events):
            second.process.send_signal(signal.SIGSTOP)
        if event.kind == "moved":
            second.process.send_signal(signal.SIGCONT)
        events.append(event)
    (moved,) = [event for event in events if event.kind == "moved"]
    done = [event for event in events if event.kind == "done"]
    assert moved.server == second.url and "does not answer" in moved.detail
    assert sorted(event.photo.name for event in done) == sorted(photo.name for photo in photos)
    assert count(before, executed(hanging)) == sum(event.server == second.url for event in done)


def test_two_servers_of_which_one_is_killed(server, second, tmp_path, picture):
    """Nothing is lost, and nothing is done twice."""
    photos = photos_of(tmp_path, picture, 4)
    sources = [RunningServer(url, NODES) for url in (server.url, second.url)]
    before, events = executed(server), []
    for event in share(photos, sources, RestorePhoto(SLOW, Path(sys.executable))):
        if event.server == second.url and SAMPLING in event.detail and second.process.poll() is None:
            second.process.kill()
            second.process.wait()
        events.append(event)
    (moved,) = [event for event in events if event.kind == "moved"]
    done = [event for event in events if event.kind == "done"]
    assert {event.kind for event in events} == {"at work", "moved", "done"}
    assert sorted(event.photo.name for event in done) == sorted(photo.name for photo in photos)
    assert moved.server == second.url
    assert [event.server for event in done if event.photo == moved.photo] == [server.url]
    assert count(before, executed(server)) == sum(event.server == server.url for event in done)
    assert all(record.read(photo.result) for photo in photos)
