"""The shipped latent example, as the host uses it."""

import comfy.cli_args
import latent_preview
import numpy as np
import pytest
import torch
from PIL import Image

from maprps.host.latent_example import load_latent_example
from maprps.tools import ROOT

PHOTOS = ("astronaut", "cat", "coffee", "dahlia", "pagoda", "rocket")


@pytest.fixture(scope="module")
def example():
    with torch.inference_mode():
        return load_latent_example()


@pytest.mark.parametrize("photo", PHOTOS)
def test_the_hosts_preview_looks_like_the_photo(example, photo, monkeypatch):
    """None of these photos was among those that the preview's colors were fitted to."""
    model, vae = example
    with Image.open(ROOT / "workflows" / "photos" / f"{photo}.png") as opened:
        picture = opened.convert("RGB")
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", comfy.cli_args.LatentPreviewMethod.Auto)
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    with torch.inference_mode():
        preview = previewer.decode_latent_to_preview(model.model.process_latent_in(vae.encode(pixels)))
    small = picture.resize(preview.size, Image.Resampling.BOX)
    assert preview.size == (picture.width // 8, picture.height // 8)
    assert np.corrcoef(np.ravel(preview), np.ravel(small))[0, 1] > 0.9
