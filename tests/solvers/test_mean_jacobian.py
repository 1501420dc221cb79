"""The mean Jacobian of decoders that are convolutions, and of some that are not."""

import pytest
import torch
from torch import nn

from maprps.linalg.cosine_basis import CosineBasis
from maprps.linalg.dot import dot
from maprps.linalg.stationary import Stationary
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.mean_jacobian import MeanJacobian
from maprps.solvers.problem import Problem

SIZE, RATIO, CHANNELS, S = 32, 4, 2, 0.1
OPERATORS = {
    "denoising": Denoising(),
    "inpainting": Inpainting.from_mask(torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.5),
    "super-resolution": SuperResolution(4, "bicubic"),
    "blur": GaussianBlur(9, 1.5, "reflect"),
}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


KERNEL = random(3 * RATIO**2, CHANNELS, 3, 3) / 6


def convolved(z):
    """A linear decoder, every square of whose pixels answers to the latents about it."""
    return nn.functional.pixel_shuffle(nn.functional.conv2d(z, KERNEL, padding=1), RATIO)


def curved(z):
    return convolved(z + 0.1 * z.square())


def cropped(z):
    return convolved(z)[..., : SIZE - 3, : SIZE - 1]


SIGNS = random(1, 3, SIZE, SIZE, seed=7).sign()


def scrambled(z):
    """A linear decoder of which no convolution knows anything."""
    return SIGNS * z.sum(1, keepdim=True).repeat_interleave(RATIO, -1).repeat_interleave(RATIO, -2)


def problem(name="denoising", decoder=convolved, batch=2, size=(SIZE, SIZE)):
    operator = OPERATORS[name].build(3, *size)
    y = operator(random(batch, 3, *size, seed=1))
    return Problem(operator, operator.keep(y + S * random(*y.shape, seed=2)), S, decoder, lambda x: x)


def latents(batch=2, seed=3):
    return random(batch, CHANNELS, SIZE // RATIO, SIZE // RATIO, seed=seed)


def colored(z):
    """A covariance that falls with frequency."""
    basis = CosineBasis.of(z)
    return Stationary(basis, (0.5 / (1 + basis.radius)).expand_as(z[:, :1]))


def test_a_convolution_is_its_own_mean():
    jacobian = MeanJacobian(problem(), latents())
    change = latents(seed=4)
    assert (jacobian(change) - convolved(change)).norm() < 5e-3 * convolved(change).norm()
    assert (jacobian.explained > 0.999).all()


@pytest.mark.parametrize("decoder", [convolved, curved, cropped], ids=["linear", "curved", "cropped"])
def test_the_adjoint(decoder):
    z = latents()
    size = decoder(z).shape[-2:]
    jacobian = MeanJacobian(problem(decoder=decoder, size=size), z)
    change, pixels = latents(seed=4), random(2, 3, *size, seed=5)
    assert jacobian(change).shape == pixels.shape
    assert torch.allclose(dot(jacobian(change), pixels), dot(change, jacobian.adjoint(pixels)), rtol=1e-4)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_proximal_step_of_a_convolution(name):
    """The minimizer, dense, in float64; to the tolerance of conjugate gradients."""
    task, center = problem(name), latents()
    covariance = colored(center)
    eye = torch.eye(center[0].numel()).view(-1, *center.shape[1:])
    forward = task.operator(convolved(eye)).flatten(1).double().T
    inverse = torch.linalg.inv(colored(eye)(eye).flatten(1).double())
    right = task.residual(center).flatten(1).double() @ forward / S**2
    exact = center + torch.linalg.solve(forward.T @ forward / S**2 + inverse, right.T).T.view_as(center).float()
    z = MeanJacobian(task, center).proximal(center, covariance)
    assert (z - exact).norm() < 0.05 * (exact - center).norm()


def test_the_inverse_is_symmetric_and_positive():
    center = latents()
    jacobian, covariance = MeanJacobian(problem("super-resolution"), center), colored(center)
    u, v = latents(seed=5), latents(seed=6)
    of_u, of_v = jacobian.inverse(u, covariance), jacobian.inverse(v, covariance)
    assert torch.allclose(dot(of_u, v), dot(u, of_v), rtol=0.05)
    assert (dot(u, of_u) > 0).all()


def test_what_no_convolution_explains():
    assert (MeanJacobian(problem(decoder=scrambled), latents()).explained < 0.1).all()


def test_what_is_not_seen_need_not_be_explained():
    """A decoder with detail that no convolution makes: super-resolution sees little of that."""

    def detailed(z):
        return convolved(z) + scrambled(z)

    fine, coarse = (MeanJacobian(problem(name, detailed), latents()).explained for name in ("denoising", "blur"))
    assert (coarse > fine + 0.1).all()


def test_an_image_does_not_depend_on_its_batch():
    batch, z = problem("blur", curved, batch=3), latents(3)
    alone = Problem(batch.operator, batch.measurement[1:2], S, curved, lambda x: x)
    together, single = MeanJacobian(batch, z), MeanJacobian(alone, z[1:2])
    assert torch.allclose(together.explained[1:2], single.explained, atol=1e-5)
    ours = together.proximal(z, colored(z))[1:2]
    assert torch.allclose(ours, single.proximal(z[1:2], colored(z[1:2])), atol=1e-3)
