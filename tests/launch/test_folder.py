"""A folder's photos: which they are, what is done already, and the table."""

import csv
import errno
import io

import pytest
from PIL import Image

from maprps.launch import record
from maprps.launch.countdown import Countdown
from maprps.launch.folder import Photo, photos_in
from maprps.launch.options import parse
from maprps.launch.restoration_prompt import RESULT, Settings, restoration_prompt
from maprps.launch.restore import settings_of
from maprps.launch.restore_photo import is_done, prompt_of, write_whole
from maprps.launch.share_work import CannotGoOn
from maprps.launch.summary import summary
from maprps.launch.terminal import Problem


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def png(picture=None):
    stream = io.BytesIO()
    (picture or Image.new("RGB", (3, 2), (1, 2, 3))).save(stream, "PNG")
    return stream.getvalue()


def made(photo, settings, report="", seconds=1.0):
    """Writes a result, as a server would have made it."""
    photo.result.parent.mkdir(parents=True, exist_ok=True)
    entry = record.Record(photo.name, record.key_of(prompt_of(photo, settings)), settings.text(False), report, seconds)
    photo.result.write_bytes(record.with_record(png(), png(), entry))


def test_photos_of_a_folder(tmp_path):
    inside, out = tmp_path / "in", tmp_path / "in" / "results"
    touch(inside, "b.JPG", "a.png", "a.Tiff", "sub/a.png", "note.txt", ".hidden.png", ".trash/a.png", "results/a.png")
    photos = photos_in(inside, out)
    assert [photo.name for photo in photos] == ["a.Tiff", "a.png", "b.JPG", "sub/a.png"]
    assert [photo.file for photo in photos] == [inside / photo.name for photo in photos]
    results = [photo.result.relative_to(out).as_posix() for photo in photos]
    assert results == ["a.Tiff.png", "a.png", "b.JPG.png", "sub/a.png"]


@pytest.mark.parametrize(
    ("names", "out", "said"),
    [
        (["note.txt"], "out", "holds no photos"),
        (["a.jpg", "a.jpg.png"], "out", "rename one"),
        (["a.jpg"], "in", "another folder for --out"),
        (["a.jpg"], ".", "another folder for --out"),
    ],
)
def test_folders_that_cannot_be_done(tmp_path, names, out, said):
    touch(tmp_path / "in", *names)
    with pytest.raises(Problem, match=said):
        photos_in(tmp_path / "in", tmp_path / out)


def test_masks_and_references_have_the_photos_names(tmp_path):
    inside, masks, good = tmp_path / "in", tmp_path / "in" / "masks", tmp_path / "good"
    touch(inside, "a.jpg", "a.tif", "b.jpg", "sub/c.jpg")
    touch(masks, "sub/c.png")
    touch(good, "a.jpg", "b.png")
    photos = {photo.name: photo for photo in photos_in(inside, tmp_path / "out", masks, good)}
    assert set(photos) == {"a.jpg", "a.tif", "b.jpg", "sub/c.jpg"}  # a mask is no photo
    assert {name: photo.mask for name, photo in photos.items() if photo.mask} == {"sub/c.jpg": masks / "sub" / "c.png"}
    found = {name: photo.reference for name, photo in photos.items() if photo.reference}
    assert found == {"a.jpg": good / "a.jpg", "b.jpg": good / "b.png"}
    touch(good, "b.tif")
    with pytest.raises(Problem, match="could both belong to b.jpg"):
        photos_in(inside, tmp_path / "out", None, good)
    with pytest.raises(Problem, match="no mask with the name"):
        photos_in(good, tmp_path / "out", masks)
    touch(tmp_path, "dust.png")  # one for all
    assert {photo.mask for photo in photos_in(inside, tmp_path / "out", tmp_path / "dust.png")} == {
        tmp_path / "dust.png"
    }


def test_done_is_what_has_the_same_content_and_settings(tmp_path):
    touch(tmp_path, "in/a.jpg", "mask.png")
    photo = Photo(tmp_path / "in" / "a.jpg", "a.jpg", tmp_path / "out" / "a.jpg.png")
    assert not is_done(photo, Settings())
    made(photo, Settings())
    assert is_done(photo, Settings())
    assert not is_done(photo, Settings(renoise=0.1))
    masked = Photo(photo.file, photo.name, photo.result, tmp_path / "mask.png")
    assert not is_done(masked, Settings())
    made(masked, Settings())
    assert is_done(masked, Settings())
    touch(tmp_path, "in/b.jpg")
    (tmp_path / "in" / "b.jpg").replace(photo.file)  # another photo of that name
    assert not is_done(masked, Settings())


def test_what_is_no_result_is_not_overwritten(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    with pytest.raises(Problem, match="is there already"):
        is_done(Photo(tmp_path / "b.png", "b.png", tmp_path / "a.png"), Settings())
    photo = Photo(tmp_path / "a.png", "a.png", tmp_path / "out.png")
    made(photo, Settings())
    itself = Photo(photo.result, "out.png", photo.result)
    with pytest.raises(Problem, match="is there already"):
        is_done(itself, Settings())


def test_a_result_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_whole(tmp_path / "out" / "a.png", b"first")
    with monkeypatch.context() as broken, pytest.raises(CannotGoOn, match="cannot be written"):
        broken.setattr("os.replace", no_room)
        write_whole(tmp_path / "out" / "a.png", b"second")
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "out").iterdir()] == [("a.png", b"first")]
    with pytest.raises(CannotGoOn, match="cannot be written"):
        write_whole(tmp_path / "out" / "a.png" / "b.png", b"")  # below a file


def test_table_is_read_from_the_results(tmp_path):
    touch(tmp_path, *(f"{i}.jpg" for i in "abc"))
    photos = [Photo(tmp_path / f"{i}.jpg", f"{i}.jpg", tmp_path / f"{i}.jpg.png") for i in "abc"]
    made(photos[0], Settings(enlarge=2), "MAP Estimation: 8 model calls, residual 0.97 of the noise, ...", 12.34)
    rows = list(csv.DictReader(io.StringIO(summary(photos, tmp_path, {"a.jpg": 31.416}, {"b.jpg": "it is broken"}))))
    assert rows == [
        {
            "file": "a.jpg",
            "result": "a.jpg.png",
            "psnr_db": "31.42",
            "residual_over_noise": "0.97",
            "seconds": "12.3",
            "settings": "found out + enlarge 2, renoise 0, seed 0",
            "error": "",
        },
        {**dict.fromkeys(rows[0], ""), "file": "b.jpg", "error": "it is broken"},
    ]


def test_time_left_is_that_of_the_photos_so_far(monkeypatch):
    now = iter([100.0, 110.0, 115.0])
    monkeypatch.setattr("maprps.launch.countdown.time.monotonic", lambda: next(now, 115.0))
    countdown = Countdown(4)
    countdown.at_work("server", "a")
    assert countdown.left() is None
    countdown.step("server", "a")  # took 10 s, so 30 are left, of which 5 are over
    assert countdown.left() == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ([], Settings()),
        (["--degradation", "sr"], Settings(enlarge=4)),
        (["--degradation", "sr", "--factor", "3", "--seed", "5"], Settings(enlarge=3, seed=5)),
        (["--degradation", "deblur", "--enlarge", "2"], Settings("deblur", enlarge=2)),
        (["--noise-std", "0.02", "--renoise", "0.1", "--steps", "9"], Settings(noise_std=0.02, renoise=0.1, steps=9)),
    ],
)
def test_options_become_settings(tmp_path, line, settings):
    assert settings_of(parse(["--folder", str(tmp_path), "--out", str(tmp_path / "out"), *line], "")) == settings


def test_prompt_holds_only_what_is_asked_for():
    def classes(mask, settings):
        return {node["class_type"].removeprefix("MAPRPS_") for node in restoration_prompt("a", mask, settings).values()}

    found_out = {"LoadImage", "RestorePhoto", "PreviewImage"}
    assert classes(None, Settings()) == found_out
    assert classes("m", Settings(enlarge=2, renoise=0.1)) == found_out | {"LoadImageMask"}
    plain = {"LoadImage", "LoadPixelModel", "Denoising", "EstimateNoise", "MAPEstimation", "PreviewImage"}
    assert classes(None, Settings("denoise")) == plain
    assert classes(None, Settings(noise_std=0.1)) == plain - {"EstimateNoise"}
    assert classes(None, Settings("denoise", renoise=0.1)) == plain | {"RenoisedPosteriorSampling"}
    enlarged = plain - {"Denoising"} | {"SuperResolution"}
    assert classes(None, Settings(enlarge=3)) == enlarged
    masked = plain - {"Denoising"} | {"LoadImageMask", "Inpainting"}
    assert classes("m", Settings(noise_std=0.1)) == masked - {"EstimateNoise"} | {"KeepMeasured"}
    assert classes("m", Settings("deblur", 2)) == enlarged | masked | {"EstimateBlur", "ComposeDegradations"}


def test_damages_are_in_their_order():
    """A photo is blurred, then shrunk, and scratched at last."""
    prompt = restoration_prompt("a", "m", Settings("deblur", 2))
    whole = prompt[prompt["estimate"]["inputs"]["degradation"][0]]["inputs"]
    first = prompt[whole["first"][0]]["inputs"]
    order = [prompt[link[0]]["class_type"] for link in (first["first"], first["second"], whole["second"])]
    assert order == ["MAPRPS_EstimateBlur", "MAPRPS_SuperResolution", "MAPRPS_Inpainting"]
    assert prompt[RESULT]["inputs"]["images"] == ["estimate", 0]
