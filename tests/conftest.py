"""Loads the repository root as the package `maprps`, whatever the clone's folder is called.

ComfyUI loads the pack by its path, so inside it every import is relative and there is no installed package to import.
"""

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).absolute().parents[1]
PHOTOS = ROOT / "workflows" / "photos"

spec = importlib.util.spec_from_file_location("maprps", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
sys.modules["maprps"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["maprps"])

# What the tests compute is small: a second thread gains little, and loses much where other programs run.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded():
    """Every test sees the same random numbers, alone or among others."""
    random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def photo():
    """photo(name): a photograph to judge and draw, as IMAGE [1, H, W, 3], float32."""

    def load(name):
        with Image.open(PHOTOS / f"{name}.png") as picture:
            return torch.from_numpy(np.array(picture.convert("RGB"), np.float32) / 255)[None]

    return load
