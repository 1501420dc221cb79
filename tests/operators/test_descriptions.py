"""Descriptions are plain values: a host hashes, compares, caches and pickles them."""

import dataclasses
import pickle
import pickletools

import numpy as np
import pytest

from maprps.operators import Compose, Denoising, GaussianBlur, Inpainting, SuperResolution


def made():
    mask = np.random.default_rng(0).random((9, 7)) < 0.5
    return [
        Denoising(),
        SuperResolution(),
        SuperResolution(2, "lanczos"),
        GaussianBlur(),
        GaussianBlur(9, 1.5, "zero"),
        Inpainting.from_mask(mask),
        Inpainting.from_mask(~mask),
        Inpainting.from_mask(mask.reshape(7, 9)),
        Compose(GaussianBlur(), SuperResolution()),
        Compose(SuperResolution(), GaussianBlur()),
    ]


def test_equal_and_hashed_by_content():
    assert made() == made()
    assert len({*made(), *made()}) == len(made())


@pytest.mark.parametrize("degradation", made(), ids=lambda d: d.describe())
def test_pickle_without_torch(degradation):
    data = pickle.dumps(degradation)
    assert pickle.loads(data) == degradation
    modules = {arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, str)}
    assert not any(name.split(".")[0] in ("torch", "numpy") for name in modules)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SuperResolution().factor = 3


def test_one_line_for_a_person():
    assert SuperResolution().describe() == "super-resolution x4 (bicubic)"
    assert GaussianBlur(9, 1.5).describe() == "Gaussian blur, sigma 1.5 px, 9x9 px, reflect boundary"
    assert Inpainting.from_mask(np.eye(4)).describe() == "inpainting, 25.0% of 4x4 pixels missing"
    assert Compose(Denoising(), SuperResolution(2)).describe() == "denoising, then super-resolution x2 (bicubic)"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SuperResolution(1), "use a whole number from 2 to 16"),
        (lambda: SuperResolution(17), "use a whole number from 2 to 16"),
        (lambda: SuperResolution(4, "nearest"), "use one of bicubic, box, gaussian, lanczos"),
        (lambda: GaussianBlur(8), "use an odd number"),
        (lambda: GaussianBlur(-1), "use an odd number"),
        (lambda: GaussianBlur(9, 0.0), "use a number of pixels above 0"),
        (lambda: GaussianBlur(9, float("nan")), "use a number of pixels above 0"),
        (lambda: GaussianBlur(9, 1.0, "wrap"), "use one of reflect, circular, zero, replicate"),
    ],
)
def test_impossible_settings_stop_at_once(make, says):
    with pytest.raises(ValueError, match=says):
        make()
