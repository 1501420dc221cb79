"""Conjugate gradients through a decoder, for decoders that are linear: closed forms."""

import pytest
import torch

from maprps.linalg.cosine_basis import CosineBasis
from maprps.linalg.stationary import Stationary
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.solvers.mean_jacobian import MeanJacobian
from maprps.solvers.preconditioned_descent import PreconditionedDescent
from maprps.solvers.problem import Problem

SIZE, S = 16, 0.1
MASK = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.5


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def problem(degradation, decoder, batch=2):
    operator = degradation.build(3, SIZE, SIZE)
    return Problem(operator, operator.keep(random(batch, 3, SIZE, SIZE, seed=1)), S, decoder, lambda x: x)


def white(z, variance):
    return Stationary(CosineBasis.of(z), torch.full_like(z[:, :1], variance))


def colored(z):
    """A covariance that falls with frequency."""
    basis = CosineBasis.of(z)
    return Stationary(basis, (0.5 / (1 + basis.radius)).expand_as(z[:, :1]))


def thrice(z):
    return 3 * z


def uneven(z):
    """A linear decoder that is not stationary."""
    return z * torch.linspace(0.5, 2, SIZE)


def minimizer(task, center, covariance):
    """Of |y - A(D(z))|^2 / (2 s^2) + (z - center)^T R^-1 (z - center) / 2 for linear A and D, dense, in float64."""
    eye = torch.eye(center[0].numel()).view(-1, *center.shape[1:])
    forward = task.operator(task.decoder(eye)).flatten(1).double().T
    inverse = torch.linalg.inv(covariance(eye).flatten(1).double())
    hessian = forward.T @ forward / S**2 + inverse
    right = task.residual(center).flatten(1).double() @ forward / S**2
    return center + torch.linalg.solve(hessian, right.T).T.view_as(center).float()


def test_one_step_where_the_preconditioner_is_exact():
    """D(z) = 3 z and A = I: the curvature is 9 at any frequency."""
    task, center = problem(Denoising(), thrice), random(2, 3, SIZE, SIZE, seed=2)
    z = PreconditionedDescent(task)(center, center, white(center, 0.2), steps=1)
    exact = (center / 0.2 + 3 * task.measurement / S**2) / (1 / 0.2 + 9 / S**2)
    assert torch.allclose(z, exact, atol=1e-5)


@pytest.mark.parametrize("degradation", [Inpainting.from_mask(MASK), GaussianBlur(5, 1.0)], ids=["mask", "blur"])
@pytest.mark.parametrize("covariance", [lambda z: white(z, 0.2), colored], ids=["white", "colored"])
def test_many_steps_reach_the_minimizer(degradation, covariance):
    task, center = problem(degradation, uneven), random(2, 3, SIZE, SIZE, seed=2)
    exact = minimizer(task, center, covariance(center[:1]))
    descend = PreconditionedDescent(task)
    two, sixty = (descend(center, center, covariance(center), steps) for steps in (2, 60))
    assert (two - exact).norm() < 0.5 * (center - exact).norm()
    assert (sixty - exact).norm() < 1e-3 * (center - exact).norm()


def test_a_step_that_would_raise_what_it_lowers_is_not_taken():
    """A decoder far from linear along the step, whose slope at the center promises what is not there."""
    task, center = problem(Denoising(), lambda z: torch.sin(40 * z)), torch.zeros(2, 3, SIZE, SIZE)
    z = PreconditionedDescent(task)(center, center, white(center, 0.2), steps=1)
    kept, moved = (
        (task.residual(x) / S).square().sum((1, 2, 3)) + x.square().sum((1, 2, 3)) / 0.2 for x in (center, z)
    )
    assert (moved <= kept).all()


def test_the_minimizer_stays():
    task, center = problem(Denoising(), uneven), random(2, 3, SIZE, SIZE, seed=2)
    exact = minimizer(task, center, white(center[:1], 0.2))
    z = PreconditionedDescent(task)(exact, center, white(center, 0.2), steps=2)
    assert torch.allclose(z, exact, atol=1e-4)


def test_without_variance_latents_stay():
    task, center = problem(Denoising(), uneven), random(2, 3, SIZE, SIZE, seed=2)
    for jacobian in (None, MeanJacobian(task, center)):
        z = PreconditionedDescent(task, jacobian)(center, center, white(center, 0.0), steps=2)
        assert torch.allclose(z, center, atol=1e-5)


def test_an_image_does_not_depend_on_its_batch():
    def curved(z):
        return uneven(z + 0.2 * z.square())

    task, center = problem(GaussianBlur(5, 1.0), curved, batch=3), 0.3 * random(3, 3, SIZE, SIZE, seed=2)
    alone = Problem(task.operator, task.measurement[1:2], S, curved, lambda x: x)
    together = PreconditionedDescent(task)(center, center, colored(center), steps=2)[1:2]
    single = PreconditionedDescent(alone)(center[1:2], center[1:2], colored(center[1:2]), steps=2)
    assert torch.allclose(together, single, atol=1e-4)
