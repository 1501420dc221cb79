"""quickstart.py's command line, and how a person's choices reach the prompt."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from maprps.launch import customize, photo, results, timing
from maprps.launch.main import parse
from maprps.launch.server import Server, link_folder
from maprps.launch.terminal import Problem

ROOT = Path(__file__).absolute().parents[2]
INFO = {
    "MAPRPS_GaussianBlur": {
        "display_name": "Gaussian Blur",
        "input": {"required": {"size": ["INT", {"default": 9}], "sigma": ["FLOAT", {"default": 2.0}]}},
    },
    "MAPRPS_SuperResolution": {
        "display_name": "Super-Resolution",
        "input": {"required": {"factor": ["INT", {"default": 4}], "kernel": ["COMBO", {"options": ["bicubic"]}]}},
    },
    "MAPRPS_Inpainting": {"display_name": "Inpainting", "input": {"required": {"mask": ["MASK"]}}},
    "MAPRPS_Denoising": {"display_name": "Denoising", "input": {}},
}


def make_prompt():
    nodes = {
        "1": ("LoadImage", {"image": "cat.png"}),
        "2": ("ImageScaleBy", {"image": ["1", 0], "scale_by": 0.5}),
        "3": ("MAPRPS_SuperResolution", {"factor": 4, "kernel": "bicubic"}),
        "4": ("MAPRPS_ApplyDegradation", {"image": ["2", 0], "degradation": ["3", 0], "noise_std": 0.05, "seed": 1}),
        "5": ("MAPRPS_MAPEstimation", {"degradation": ["3", 0], "noise_std": 0.05, "steps": 20}),
        "6": ("MAPRPS_Traversal", {"levels": "0.1, 0.3", "noise_std": ["7", 0], "steps": 16, "seed": 0}),
        "8": ("KSampler", {"seed": 5, "steps": 30}),
    }
    return {i: {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}} for i, (kind, inputs) in nodes.items()}


def quickstart(*arguments, **environment):
    """Runs quickstart.py as a person does."""
    command = [sys.executable, ROOT / "quickstart.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--renoise", "0.1,x"], "list of numbers"),
        (["--renoise", "0.1,2"], "between 0 and 1"),
        (["--factor", "2"], "--degradation sr"),
        (["--image", "nowhere.jpg"], "nowhere.jpg"),
        (["--workflow", "nothing"], "there is no workflow nothing"),
        (["--restore", "nowhere.jpg"], "nowhere.jpg"),
        (["--folder", "nowhere", "--out", "out"], "no folder nowhere"),
        (["--folder", "."], "--folder needs --out"),
        (["--folder", ".", "--out", "out", "--image", "me.jpg"], "not allowed with"),
        (["--folder", ".", "--out", "quickstart.py"], "is a file"),
        (["--folder", ".", "--out", "out", "--renoise", "0.1,0.2"], "one number"),
        (["--folder", ".", "--out", "out", "--degradation", "inpaint"], "needs --mask"),
        (["--folder", ".", "--out", "out", "--degradation", "sr", "--enlarge", "2"], "say the same"),
        (["--folder", ".", "--out", "out", "--mask", "nowhere"], "no mask nowhere"),
        (["--folder", ".", "--out", "out", "--reference", "quickstart.py"], "no reference"),
        (["--folder", ".", "--out", "out", "--workflow", "latent"], "--workflow does not go with"),
        (["--folder", ".", "--out", "out", "--server", "https://a"], "not an address"),
        (["--enlarge", "2"], "--enlarge goes with --restore"),
    ],
)
def test_wrong_options_are_explained(line, said):
    done = quickstart(*line)
    assert done.returncode == 2
    assert said in done.stderr


def test_short_name_means_the_quickstart_of_that_name():
    assert parse(["--workflow", "latent"], "").workflow == "latent_quickstart"
    assert parse(["--workflow", "inpainting"], "").workflow == "inpainting"
    assert parse([], "").workflow == "quickstart"


def test_problems_end_with_a_message_and_status_1(tmp_path):
    done = quickstart("test", COMFYUI_PATH=str(tmp_path))
    assert done.returncode == 1
    assert "no ComfyUI" in done.stderr and "Traceback" not in done.stderr


def test_load_image_is_found_through_other_nodes():
    assert customize.load_image(make_prompt())["inputs"]["image"] == "cat.png"


def test_an_example_photo_gives_way_to_ones_own(tmp_path, monkeypatch):
    """Also its mask, which is the second output of both nodes."""

    class Client:
        def upload_image(self, name, data):
            return name

    monkeypatch.setattr(customize, "PRIVATE", tmp_path)
    Image.new("RGB", (48, 40)).save(tmp_path / "me.png")
    prompt = make_prompt()
    prompt["1"] |= {"class_type": "MAPRPS_ExamplePhoto", "inputs": {"photo": "cat"}}
    chosen = parse(["--image", str(tmp_path / "me.png")], "")
    customize.customize(prompt, INFO, Client(), Path(sys.executable), chosen)
    assert (prompt["1"]["class_type"], prompt["1"]["inputs"]) == ("LoadImage", {"image": "own_photo.png"})
    assert prompt["2"]["inputs"]["image"] == ["1", 0]


def test_workflow_without_a_loaded_picture_is_a_problem():
    prompt = make_prompt()
    prompt["1"]["class_type"] = "EmptyImage"
    prompt["1"]["inputs"] = {"width": 8}
    with pytest.raises(Problem, match="Load Image"):
        customize.load_image(prompt)
    del prompt["4"]
    with pytest.raises(Problem, match="this one has 0"):
        customize.load_image(prompt)


def test_degradation_is_replaced_in_place_with_its_defaults():
    prompt = make_prompt()
    customize.use_degradation(prompt, INFO, "deblur", None, "mask.png")
    assert prompt["3"]["class_type"] == "MAPRPS_GaussianBlur"
    assert prompt["3"]["inputs"] == {"size": 9, "sigma": 2.0}
    assert prompt["5"]["inputs"]["degradation"] == ["3", 0]


def test_factor_is_set():
    prompt = make_prompt()
    customize.use_degradation(prompt, INFO, "sr", 3, "mask.png")
    assert prompt["3"]["inputs"] == {"factor": 3, "kernel": "bicubic"}


def test_inpainting_gets_the_mask():
    prompt = make_prompt()
    customize.use_degradation(prompt, INFO, "inpaint", None, "mask.png")
    as_mask = prompt[prompt["3"]["inputs"]["mask"][0]]
    scaled = prompt[as_mask["inputs"]["image"][0]]
    assert scaled["class_type"] == "ImageScaleBy" and scaled["inputs"]["scale_by"] == 0.5  # as the photo is
    assert prompt[scaled["inputs"]["image"][0]]["inputs"]["image"] == "mask.png"
    assert customize.load_image(prompt)["inputs"]["image"] == "cat.png"


def test_numbers_reach_the_packs_nodes_alone():
    prompt = make_prompt()
    customize.use_numbers(prompt, noise_std=0.1, renoise=[0.05, 0.2], steps=8, seed=9)
    assert [prompt[i]["inputs"]["noise_std"] for i in "456"] == [0.1, 0.1, 0.1]
    assert [prompt[i]["inputs"]["seed"] for i in "468"] == [9, 9, 5]
    assert [prompt[i]["inputs"]["steps"] for i in "568"] == [20, 8, 30]
    assert prompt["6"]["inputs"]["levels"] == "0.05, 0.2"


@pytest.mark.parametrize("kind", ["MAPRPS_RenoisedPosteriorSampling", "MAPRPS_LatentRenoisedPosteriorSampling"])
def test_renoise_levels_are_dealt_out_to_sampling_nodes(kind):
    prompt = {i: {"class_type": kind, "inputs": {"renoise": 0.5, "steps": 16}} for i in "ab"}
    customize.use_numbers(prompt, noise_std=None, renoise=[0.05, 0.2], steps=8, seed=None)
    assert [node["inputs"] for node in prompt.values()] == [{"renoise": r, "steps": 8} for r in (0.05, 0.2)]
    with pytest.raises(Problem, match="2 sampling nodes"):
        customize.use_numbers(prompt, noise_std=None, renoise=[0.1], steps=None, seed=None)


def test_renoise_levels_are_traversals_where_there_is_one():
    """The workflow `traversal` has a sampling node too, for its full samples."""
    prompt = make_prompt() | {
        "9": {"class_type": "MAPRPS_RenoisedPosteriorSampling", "inputs": {"renoise": 1.0, "steps": 16}}
    }
    customize.use_numbers(prompt, noise_std=None, renoise=[0, 0.05, 0.2], steps=8, seed=None)
    assert prompt["6"]["inputs"]["levels"] == "0, 0.05, 0.2"
    assert prompt["9"]["inputs"] == {"renoise": 1.0, "steps": 8}


@pytest.mark.parametrize(
    ("line", "noise_std"),
    [
        ([], 0.05),
        (["--degradation", "deblur"], 0.05),
        (["--degradation", "denoise"], 0.1),
        (["--degradation", "denoise", "--noise-std", "0.02"], 0.02),
    ],
)
def test_denoising_is_tried_on_strong_noise(line, noise_std):
    prompt = make_prompt()
    customize.customize(prompt, INFO, None, None, parse(line, ""))
    assert prompt["4"]["inputs"]["noise_std"] == prompt["5"]["inputs"]["noise_std"] == noise_std


@pytest.mark.parametrize(
    ("size", "multiple", "box"),
    [((64, 48), 16, (0, 0, 64, 48)), ((67, 50), 8, (1, 1, 65, 49)), ((7, 9), 8, (3, 0, 3, 8))],
)
def test_crop_box(size, multiple, box):
    assert photo.crop_box(*size, multiple) == box


def test_photo_is_upright_opaque_and_cropped(tmp_path, capsys):
    picture = Image.new("RGBA", (50, 35), (255, 0, 0, 128))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "in.png", exif=exif)
    photo.main(str(tmp_path / "in.png"), str(tmp_path / "out.png"), str(tmp_path / "mask.png"), 8)
    assert capsys.readouterr().out.split() == ["35", "50", "32", "48"]
    with Image.open(tmp_path / "out.png") as out, Image.open(tmp_path / "mask.png") as mask:
        assert (out.size, out.mode, mask.size) == ((32, 48), "RGB", (32, 48))


def test_photo_that_cannot_be_used_says_why(tmp_path):
    (tmp_path / "note.txt").write_text("no picture")
    files = [str(tmp_path / "out.png"), str(tmp_path / "mask.png"), 8]
    with pytest.raises(SystemExit, match="not a picture"):
        photo.main(str(tmp_path / "note.txt"), *files)
    Image.new("RGB", (7, 20)).save(tmp_path / "small.png")
    with pytest.raises(SystemExit, match="at least 8 pixels"):
        photo.main(str(tmp_path / "small.png"), *files)


@pytest.mark.parametrize("size", [(64, 48), (640, 480)])
def test_scribbles_cover_a_tenth(size):
    mask = photo.scribbles(*size)
    assert 0.1 <= sum(mask.histogram()[128:]) / (size[0] * size[1]) < 0.2


def test_time_is_expected_by_the_pixel(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_FILE", tmp_path / "timing.json")
    assert timing.expected("quickstart", 1000) is None
    timing.record("quickstart", 1000, 2.0)
    assert timing.expected("quickstart", 3000) == pytest.approx(6.0)
    Image.new("RGB", (20, 30)).save(tmp_path / "cat.png")
    assert timing.pixels(make_prompt(), tmp_path) == 600
    example = {"1": {"class_type": "MAPRPS_ExamplePhoto", "inputs": {"photo": "cat"}}}
    assert timing.pixels(example, tmp_path) == 600


def test_pictures_are_saved_under_their_prefix(tmp_path):
    class Client:
        def image(self, item):
            return item["filename"].encode()

    def item(name, kind="output"):
        return {"filename": name, "subfolder": "quickstart", "type": kind}

    outputs = {
        "1": {"images": [item("map_00007_.png")]},
        "2": {"images": [item("sample_00001_.png"), item("sample_00002_.png")]},
        "3": {"images": [item("preview_00001_.png", "temp")], "text": ["PSNR 30"]},
    }
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / "sample-3.png").touch()  # of an earlier run
    files = results.save_images(Client(), outputs, tmp_path)
    assert sorted(tmp_path.glob("*/*")) == sorted(files)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "quickstart/map.png", "quickstart/sample-1.png", "quickstart/sample-2.png"
    ]  # fmt: skip
    assert files[0].read_bytes() == b"map_00007_.png"


def test_a_text_is_shown_once():
    outputs = {"1": {"text": ["PSNR 30"]}, "2": {"images": []}, "3": {"text": ["PSNR 30", "more"]}}
    assert results.texts(outputs, {"1": "Metrics", "3": "Text"}) == {"PSNR 30": "Metrics", "more": "Text"}


def test_server_keeps_to_its_own_folders(tmp_path):
    """Nothing but --extra-model-paths-config leads into the person's ComfyUI, and it is only read."""
    comfyui, pack = tmp_path / "ComfyUI", tmp_path / "pack"
    (comfyui / "models" / "checkpoints").mkdir(parents=True)
    pack.mkdir()
    server = Server(Path("python"), comfyui, tmp_path / "work", {"pack": pack}, models=comfyui / "models", cpu=True)
    server._make_folders()
    command = server.command()
    assert command[:2] == ["python", str(comfyui / "main.py")]
    assert "--cpu" in command
    assert not any(str(comfyui) in part for part in command[2:])
    paths = json.loads((tmp_path / "work" / "extra_model_paths.yaml").read_text())
    assert paths == {"own": {"base_path": str(comfyui / "models"), "checkpoints": "checkpoints"}}
    assert (tmp_path / "work" / "custom_nodes" / "pack").samefile(pack)


def test_link_follows_a_moved_clone(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    link_folder(tmp_path / "link", tmp_path / "old")
    link_folder(tmp_path / "link", tmp_path / "new")
    assert (tmp_path / "link").samefile(tmp_path / "new")
    (tmp_path / "new").rename(tmp_path / "newer")  # the link now leads nowhere
    link_folder(tmp_path / "link", tmp_path / "newer")
    assert (tmp_path / "link").samefile(tmp_path / "newer")
