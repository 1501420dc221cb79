"""Descriptions are plain values: a host hashes, compares, caches and pickles them."""

import dataclasses
import pickle
import pickletools

import numpy as np
import pytest
import torch
from labs.degradations import EXAMPLES

from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.bkse import BKSE
from maprps.operators.blur import GaussianBlur
from maprps.operators.box_inpainting import BoxInpainting
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.jpeg import JPEG
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.nonlinear_blur import NonlinearBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.quantization import Quantization
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.space_varying_blur import SpaceVaryingBlur

DESCRIPTIONS = [d for example in EXAMPLES for d in (*example.settings, *example.small, *example.described)]
each = pytest.mark.parametrize("degradation", DESCRIPTIONS, ids=lambda d: d.describe())


@each
def test_equal_and_hashed_by_content(degradation):
    again = dataclasses.replace(degradation)
    assert again is not degradation and again == degradation
    assert len({*DESCRIPTIONS, again}) == len(DESCRIPTIONS)
    assert sum(other == degradation for other in DESCRIPTIONS) == 1


def test_made_twice_of_a_picture_it_is_the_same():
    picture = np.random.default_rng(0).random((9, 7))
    for make in (Inpainting.from_mask, KernelBlur.from_array):
        assert len({make(picture), make(picture.copy())}) == 1


@each
def test_pickle_without_torch(degradation):
    data = pickle.dumps(degradation)
    assert pickle.loads(data) == degradation
    modules = {arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, str)}
    assert not any(name.split(".")[0] in ("torch", "numpy") for name in modules)


def test_what_is_not_a_picture_can_be_looked_at():
    measurement = torch.tensor([-0.25, 0.0, 0.25, 40.0])
    assert CompressedSensing().view(measurement)[:3].tolist() == [0.25, 0.5, 0.75]  # zero is mid-grey
    magnitudes = PhaseRetrieval().view(measurement)
    assert magnitudes[:2].tolist() == [0.0, 0.0] and magnitudes.max() == 1.0 and 0.1 < magnitudes[2] < 0.9
    assert torch.equal(Compose(CompressedSensing(), Denoising()).view(measurement), measurement)
    assert torch.equal(Compose(Denoising(), PhaseRetrieval()).view(measurement), magnitudes)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SuperResolution().factor = 3


def test_one_line_for_a_person():
    assert HDR().describe() == "high dynamic range, contrast x2 and clipped"
    assert Quantization(4).describe() == "quantization to 4 levels"
    assert JPEG(25).describe() == "JPEG, quality 25, 4:2:0"
    assert PhaseRetrieval().describe() == "phase retrieval, oversampling 2, background 0"
    assert NonlinearBlur(GaussianBlur(9, 1.5), exposure=2).describe() == (
        "Gaussian blur, sigma 1.5 px, 9x9 px, reflect boundary, in linear light (gamma 2.2, exposure 2)"
    )
    assert BKSE("models/GOPRO_wVAE.pth").describe() == "nonlinear blur by BKSE, GOPRO_wVAE.pth, seed 0, spread 1.2"
    assert SuperResolution().describe() == "super-resolution x4 (bicubic)"
    assert GaussianBlur(9, 1.5).describe() == "Gaussian blur, sigma 1.5 px, 9x9 px, reflect boundary"
    assert Inpainting.from_mask(np.eye(4)).describe() == "inpainting, 25.0% of 4x4 pixels missing"
    assert BoxInpainting().describe() == "inpainting of a box, 0.5x0.5 parts, left centred, top centred"
    assert RandomInpainting(0.92).describe() == "inpainting, 92.0% of the pixels missing at random, seed 0"
    assert MotionBlur(9, 45, 0).describe() == "motion blur, 9 px, a line at 45 degrees, reflect boundary"
    assert MotionBlur(seed=3).describe() == "motion blur, 40 px, intensity 0.5, seed 3, reflect boundary"
    assert CompressedSensing().describe() == (
        "compressed sensing x2, Walsh-Hadamard of the whole image, random rows, seed 0"
    )
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
        (lambda: AnisotropicGaussianBlur(8), "use an odd number"),
        (lambda: AnisotropicGaussianBlur(9, 1.0, 0.0), "use a number of pixels above 0"),
        (lambda: AnisotropicGaussianBlur(angle=float("inf")), "use a number of degrees"),
        (lambda: AnisotropicGaussianBlur(boundary="wrap"), "use one of reflect, circular, zero, replicate"),
        (lambda: MotionBlur(256.0), "use 0 to 255 pixels"),
        (lambda: MotionBlur(angle=float("nan")), "use a number of degrees"),
        (lambda: MotionBlur(intensity=1.5), "use 0 .straight. to 1 .shaky."),
        (lambda: MotionBlur(boundary="wrap"), "use one of reflect, circular, zero, replicate"),
        (lambda: KernelBlur.from_array([[1.0]], "wrap"), "use one of reflect, circular, zero, replicate"),
        (lambda: SpaceVaryingBlur(-1.0), "use a number of pixels above 0"),
        (lambda: SpaceVaryingBlur(boundary="wrap"), "use one of reflect, circular, zero, replicate"),
    ],
)
def test_impossible_settings_stop_at_once(make, says):
    with pytest.raises(ValueError, match=says):
        make()
