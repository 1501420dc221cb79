"""What training is made of, and a few steps of it on a CPU by the commands themselves."""

import importlib
import itertools
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from maprps.models import load_pixel_network
from maprps.models.embedded import CONFIG
from maprps.models.weights import read_weights
from maprps.tools import train_prior
from maprps.tools.training import Photos, Recipe, Training
from maprps.tools.training import run as run_module
from maprps.tools.training.muon import orthogonalize
from maprps.tools.training.photos import octaves


@pytest.fixture
def photos(tmp_path):
    """A folder with one picture whose red is its row, and green its column."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows, columns = np.mgrid[:90, :120]
    pixels = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    return folder


def test_octaves_end_at_a_shorter_side_of_240():
    image = Image.new("RGB", (1000, 700))
    assert [pixels.shape for pixels in octaves(image)] == [(700, 1000, 3), (490, 700, 3), (343, 490, 3), (240, 343, 3)]


def test_crops_are_turned_and_flipped_parts_of_a_photo(photos):
    """Row and column go up or down by 1 along one side of a crop each; all eight turns and flips are there."""
    batch = ((Photos(photos, 33, "cpu").batch(200) + 1) * 127.5).round()
    rows, columns, blue = batch.unbind(1)
    assert blue.abs().max() == 0
    assert rows.min() >= 0 and rows.max() <= 89 and columns.min() >= 0 and columns.max() <= 119
    seen = set()
    for row, column in zip(rows, columns, strict=True):
        along = [plane.diff(dim=side).unique().tolist() for plane in (row, column) for side in (0, 1)]
        assert sorted(along) in ([[-1], [-1], [0], [0]], [[-1], [0], [0], [1]], [[0], [0], [1], [1]])
        assert [0] in along[:2] and [0] in along[2:]
        seen.add(str(along))
    assert len(seen) == 8


def test_a_folder_without_large_pictures_ends_the_tool(photos):
    with pytest.raises(SystemExit, match="at least 91x91 pixels"):
        Photos(photos, 91, "cpu")


@pytest.mark.parametrize("shape", [(3, 12, 40), (3, 40, 12), (1, 16, 16)])
def test_orthogonalized(shape):
    """Singular vectors stay. The extrema of 3.4445 s - 4.775 s^3 + 2.0315 s^5, at s^2 = 0.31 and 1.10, are 1.2024 and
    0.682: between these it keeps a singular value, once it has lifted it there.
    """
    matrices = torch.randn(shape, dtype=torch.float64)
    u, values, vh = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalize(matrices).double() @ vh.mT
    assert values.min() > 0.01 * values.norm(dim=-1).max()  # five steps lift what is larger than this
    assert found.diagonal(dim1=1, dim2=2).min() > 0.68 and found.diagonal(dim1=1, dim2=2).max() < 1.21
    assert (found - torch.diag_embed(found.diagonal(dim1=1, dim2=2))).abs().max() < 1e-5


def test_rate_rises_stays_and_falls():
    recipe = Recipe(1000, anneal_from=0.6, plain=(), rate=0.5)
    rates = [recipe.rate_at(step) for step in range(1000)]
    assert rates[:20] == pytest.approx([0.5 * (step + 1) / 20 for step in range(20)])
    assert rates[20:600] == pytest.approx([0.5] * 580)
    assert rates[600:] == pytest.approx([0.5 * (1000 - step) / 400 for step in range(600, 1000)])


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path, monkeypatch):
    x = torch.randn(8, 5)

    def training(name):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 5))
        return Training(model, Recipe(6, 0.5, plain=("2.",)), tmp_path / name, "cpu")

    def loss_of(model):
        return (model(x) - x).square().mean()

    whole = training("whole")
    whole.run(loss_of)
    clock = itertools.count()  # one more at the start, and two more for each step
    monkeypatch.setattr(run_module.time, "monotonic", lambda: next(clock))
    training("parts").run(loss_of, seconds=7)
    parts = training("parts")
    assert parts.step == 3 and not parts.finished
    parts.run(loss_of)
    assert parts.step == 6 and parts.finished
    for name in ("model", "average"):
        for a, b in zip(getattr(parts, name).parameters(), getattr(whole, name).parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.slow
def test_the_prior_learns_and_loads(photos, tmp_path, monkeypatch):
    """Of an untrained network the output is 0; a few steps on one photo make the loss of its crops smaller."""
    path = tmp_path / "prior.safetensors"
    command = ["train_prior", "--photos", str(photos), "--out", str(path), "--steps", "5", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", command)
    train_prior.main()
    trained = load_pixel_network(path)
    assert trained.config == CONFIG
    assert read_weights(path)[1]["images"] == 5 * 4

    clean, losses = Photos(photos, 32, "cpu").batch(8), []
    for network in (train_prior.new_prior(), trained.network):
        torch.manual_seed(1)
        with torch.no_grad():
            losses.append(train_prior.loss_of(network, clean))
    assert losses[1] < losses[0]


@pytest.mark.slow
@pytest.mark.skipif("COMFYUI_PATH" not in os.environ, reason="the networks are ComfyUI's")
@pytest.mark.parametrize("channels", [4, 16])
def test_a_latent_example_is_trained_and_loads(channels, photos, tmp_path, monkeypatch):
    tool = importlib.import_module("maprps.tools.train_latent_example")
    host = importlib.import_module("maprps.host.latent_example")
    path = tmp_path / "example.safetensors"
    command = ["train_latent_example", "--photos", str(photos), "--out", str(path), "--channels", str(channels)]
    monkeypatch.setattr(sys, "argv", [*command, "--vae-steps", "4", "--prior-steps", "3", "--device", "cpu"])
    tool.main()
    model, vae = host.load_latent_example(path)
    assert model.model.latent_format.latent_channels == vae.latent_channels == channels
    assert np.shape(model.model.latent_format.latent_rgb_factors) == (channels, 3)
    with torch.inference_mode():
        image = (Photos(photos, 64, "cpu").batch(8).movedim(1, -1) + 1) / 2
        latents = vae.encode(image)
        assert latents.shape == (8, channels, 8, 8)
        assert vae.decode(latents).shape == image.shape
        assert model.model.apply_model(latents, torch.ones(8)).shape == latents.shape
