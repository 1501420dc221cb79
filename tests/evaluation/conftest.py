"""Photographs to judge and draw."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

PHOTOS = Path(__file__).absolute().parents[2] / "workflows" / "photos"


@pytest.fixture(scope="session")
def photo():
    """photo(name): IMAGE [1, H, W, 3], float32."""

    def load(name):
        with Image.open(PHOTOS / f"{name}.png") as picture:
            return torch.from_numpy(np.array(picture.convert("RGB"), np.float32) / 255)[None]

    return load
