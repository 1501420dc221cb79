"""Rank, conditioning and null space against the dense matrix."""

import numpy as np
import pytest
import torch

from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur
from maprps.operators.blur import GaussianBlur
from maprps.operators.colorization import Colorization
from maprps.operators.compose import Compose
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.spectrum import WEAK, singular_values, spectrum, unseen
from maprps.operators.stack import Stack


def dense(operator):
    """A as a matrix, and the shape of the image."""
    pixels = int(np.prod(operator.image_shape))
    columns = operator(torch.eye(pixels, dtype=torch.float64).view(pixels, *operator.image_shape))
    return columns.flatten(1).T.numpy()


KNOWN = [
    Denoising(),
    SuperResolution(2),
    SuperResolution(3, "box"),
    GaussianBlur(7, 1.0),
    AnisotropicGaussianBlur(5, 3.0, 0.8, boundary="zero"),
    AnisotropicGaussianBlur(5, 3.0, 0.8, 30.0, "circular"),
    KernelBlur.from_array(torch.ones(2, 2), "circular"),
    Compose(GaussianBlur(5, 0.8), SuperResolution(2)),
    RandomInpainting(0.4, per_channel=True),
    CompressedSensing(2.0),
    Colorization("luma"),
]
UNKNOWN = [MotionBlur(3.0), Stack(RandomInpainting(0.6), SuperResolution(2))]


@pytest.mark.parametrize("width", [8, 7], ids=["even", "odd"])
@pytest.mark.parametrize("degradation", KNOWN, ids=lambda d: d.describe())
def test_singular_values_rank_and_condition_are_those_of_the_matrix(degradation, width):
    operator = degradation.build(3, 7, width, dtype=torch.float64)
    exact = np.linalg.svd(dense(operator), compute_uv=False)
    values = singular_values(operator).double().sort(descending=True).values.numpy()
    np.testing.assert_allclose(values, exact[: len(values)], atol=1e-7)
    assert (exact[len(values) :] < 1e-7).all()
    found = spectrum(operator)
    kept = exact[exact > 1e-6 * exact[0]]
    assert found.rank == len(kept)
    assert found.norm == pytest.approx(exact[0], rel=1e-6)
    assert found.condition == pytest.approx(exact[0] / kept[-1], rel=1e-4)


@pytest.mark.parametrize("degradation", KNOWN, ids=lambda d: d.describe())
def test_unseen_is_the_projection_on_the_null_space(degradation):
    operator = degradation.build(3, 7, 8, dtype=torch.float64)
    x = torch.rand(2, 3, 7, 8, dtype=torch.float64)
    lost = unseen(operator, x)
    assert operator(lost).abs().max() < 1e-5  # A sees nothing of it
    matrix = dense(operator)
    projection = np.eye(matrix.shape[1]) - np.linalg.pinv(matrix, rcond=1e-6) @ matrix
    np.testing.assert_allclose(lost.flatten(1).numpy(), x.flatten(1).numpy() @ projection, atol=1e-5)


@pytest.mark.parametrize("degradation", UNKNOWN, ids=lambda d: d.describe())
def test_without_singular_values_what_is_weak_is_lost(degradation):
    operator = degradation.build(3, 8, 8, dtype=torch.float64)
    assert singular_values(operator) is None and spectrum(operator) is None
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    _, values, rows = np.linalg.svd(dense(operator), full_matrices=True)
    values = np.concatenate([values, np.zeros(len(rows) - len(values))]) if len(values) < len(rows) else values
    limit = (WEAK * values[0]) ** 2
    wanted = x.flatten(1).numpy() @ rows.T * (limit / (values**2 + limit)) @ rows
    np.testing.assert_allclose(unseen(operator, x).flatten(1).numpy(), wanted, atol=1e-4)
