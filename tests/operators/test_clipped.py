import pytest
import torch

from maprps.operators import model_units
from maprps.operators.blur import GaussianBlur
from maprps.operators.clipped import Clipped
from maprps.operators.compose import Compose
from maprps.operators.denoising import Denoising
from maprps.operators.resampling import SuperResolution
from maprps.operators.stack import Stack
from maprps.solvers.problem import Problem

S = 0.2


def problem(y, degradation):
    """y in image units, clipped there."""
    operator = degradation.build(*y.shape[1:], dtype=y.dtype)
    ends = tuple(model_units(operator, torch.full_like(y[:1], end), S)[1] for end in (0.0, 1.0))
    return Problem(*model_units(operator, y, S / 2), ends=ends)


def test_it_is_the_operator_of_what_it_clips():
    x = torch.rand(2, 3, 12, 9)
    for degradation in (GaussianBlur(5, 1.0), SuperResolution(3)):
        operator = Clipped(degradation).build(3, 12, 9)
        assert operator.clipped and not degradation.build(3, 12, 9).clipped
        assert torch.equal(operator(x), degradation.build(3, 12, 9)(x))
    assert Clipped(SuperResolution(3)).image_size(4, 3) == (12, 9)


def test_clipping_comes_last():
    inner = Clipped(GaussianBlur())
    for join in (Compose, Stack):
        for parts in ((inner, Denoising()), (Denoising(), inner)):
            with pytest.raises(ValueError, match="Clipping comes last"):
                join(*parts)
    with pytest.raises(ValueError, match="clipped already"):
        Clipped(inner)


@pytest.mark.parametrize("degradation", [Denoising(), GaussianBlur(3, 0.7)])
def test_the_residual_is_the_gradient_of_the_censored_likelihood(degradation):
    """log p(y | x): of a normal where y is within, of its tail beyond an end; A^T residual / s^2 is its gradient."""
    y = torch.tensor([0.0, 0.3, 1.0, 1.0, 0.0, 0.999]).double().view(1, 1, 2, 3)
    task = problem(y, degradation)
    x = torch.linspace(-1.2, 1.2, 6, dtype=torch.float64).view(1, 1, 2, 3).requires_grad_()
    away = (task.measurement - task.operator(x)) / S
    tails = torch.where(y == 1, torch.special.log_ndtr(-away), torch.special.log_ndtr(away))
    likelihood = torch.where((y == 0) | (y == 1), tails, -away.square() / 2).sum()
    (gradient,) = torch.autograd.grad(likelihood, x)
    ours = task.operator.adjoint(task.residual(x)) / S**2
    torch.testing.assert_close(ours, gradient, rtol=1e-9, atol=1e-9)


def test_an_end_far_behind_says_nothing_and_one_far_ahead_pulls_as_a_value():
    y = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    task = problem(y, Denoising())
    x = torch.tensor([-400.0, 400.0]).view(1, 1, 1, 2).requires_grad_()
    residual = task.residual(x)
    assert residual.abs().max() <= 1e-12
    (gradient,) = torch.autograd.grad(residual.sum(), x)
    assert gradient.abs().max() <= 1e-12
    far = -x.detach()
    assert torch.allclose(task.residual(far), task.measurement - far, rtol=1e-4)
    assert task.noisy_image is None and problem(y, Denoising()).relative_residual(far).isfinite().all()
