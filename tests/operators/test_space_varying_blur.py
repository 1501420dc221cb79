import pytest
import torch

from maprps.operators.blur import GaussianBlur
from maprps.operators.space_varying_blur import SpaceVaryingBlur, radial_windows


@pytest.mark.parametrize("shape", [(33, 47), (1, 1), (1, 6), (20, 20)])
def test_windows_add_up_to_one_and_overlap_in_pairs(shape):
    windows = radial_windows(*shape)
    torch.testing.assert_close(windows.sum(0), torch.ones(shape, dtype=torch.float64), rtol=0, atol=1e-14)
    assert windows.min() >= 0
    assert ((windows > 1e-15).sum(0) <= 2).all()
    assert float(windows[-1, 0, 0]) == pytest.approx(0 if shape == (1, 1) else 1)


def test_a_point_becomes_the_kernel_of_its_place():
    degradation = SpaceVaryingBlur(0.5, 4.0, "circular")
    kernels = degradation.kernels()
    operator = degradation.build(1, 101, 101, dtype=torch.float64)

    def picture(row, column):
        point = torch.zeros(1, 1, 101, 101, dtype=torch.float64)
        point[..., row, column] = 1
        return operator(point)[0, 0].roll((12 - row, 12 - column), (0, 1))[:25, :25]

    torch.testing.assert_close(picture(50, 50), kernels[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(picture(0, 100), kernels[4], rtol=0, atol=1e-14)
    torch.testing.assert_close(picture(75, 75), kernels[2], rtol=0, atol=1e-14)
    between = picture(60, 70)
    weights = radial_windows(101, 101)[:, 60, 70]
    torch.testing.assert_close(between, (weights.view(-1, 1, 1) * kernels).sum(0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("boundary", ["reflect", "circular", "zero", "replicate"])
def test_one_sigma_everywhere_is_the_gaussian_blur(boundary):
    x = torch.rand(2, 3, 30, 41, dtype=torch.float64)
    got = SpaceVaryingBlur(1.5, 1.5, boundary).build(3, 30, 41, dtype=torch.float64)(x)
    wanted = GaussianBlur(11, 1.5, boundary).build(3, 30, 41, dtype=torch.float64)(x)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-13)


def test_kernels_grow_evenly():
    kernels = SpaceVaryingBlur(1.0, 3.0).kernels()
    offsets = torch.arange(kernels.shape[-1], dtype=torch.float64) - kernels.shape[-1] // 2
    stds = (kernels.sum(1) * offsets**2).sum(1).sqrt()
    torch.testing.assert_close(stds, torch.tensor([1.0, 1.5, 2.0, 2.5, 3.0]).double(), rtol=0.02, atol=0)
