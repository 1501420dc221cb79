"""At sizes where torch shares one image's sums out among threads, an image alone still equals itself in a batch."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from maprps.operators.blur import GaussianBlur
from maprps.operators.inpainting import Inpainting
from maprps.operators.jpeg import JPEG
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import Proximal
from maprps.solvers.map_estimation import Accelerated, Annealed
from maprps.solvers.noise import Noise
from maprps.solvers.posterior_sampling import dpm_solver, renoised_posterior_sampling
from maprps.solvers.problem import Problem, silent
from maprps.solvers.schedules import sampling_sigmas

SIZE, COUNT = 128, 2
DEGRADATIONS = {
    "super-resolution": SuperResolution(4),
    "blur": GaussianBlur(9, 2.0, "circular"),
    "inpainting": Inpainting.from_mask(torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.5),
    "JPEG": JPEG(),
}


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def denoise(x, sigma):
    """Shrinks towards means of 4 x 4 pixels, element by element in an order that no batch changes."""
    smooth = interpolate(avg_pool2d(x, 4), scale_factor=4)
    return smooth + (x - smooth) * (0.01 / (0.01 + sigma.view(-1, 1, 1, 1) ** 2))


denoise.sigma_min = 0.01


def test_threads_share_out_sums_of_this_size():
    """A plain sum over an image does depend on its batch here: what the tests below forbid can happen."""
    images = torch.rand(16, 3, SIZE, SIZE)
    alone = torch.stack([image.sum() for image in images])
    assert not torch.equal(alone, images.sum((1, 2, 3)))


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("scheme", ["fast", "accurate", "sampling"])
def test_an_image_alone_equals_itself_in_a_batch(name, scheme):
    generator = torch.Generator().manual_seed(1)
    truth = interpolate(torch.randn(COUNT, 3, 16, 16, generator=generator), size=SIZE, mode="bicubic") / 2
    operator = DEGRADATIONS[name].build(3, SIZE, SIZE)
    y = operator(truth)
    y = operator.keep(y + 0.05 * torch.randn(y.shape, generator=generator))

    def run(y):
        problem, start = Problem(operator, y, 0.05), operator.initial_guess(y)
        noise = Noise(0, [0] * len(y), 1)
        if scheme == "sampling":
            sigmas = sampling_sigmas(1.0, 0.03, 3)
            return renoised_posterior_sampling(problem, denoise, Proximal(), dpm_solver, start, sigmas, noise, silent)
        method = Annealed(steps=4) if scheme == "fast" else Accelerated(steps=6, anneal=2)
        return method(problem, denoise, start, noise, silent).image

    assert torch.equal(run(y[1:])[0], run(y)[1])


def test_a_descent_through_a_decoder_with_its_own_rounding():
    """Convolutions round otherwise in a batch, and with other threads. L-BFGS makes no more than 1e-3 of that: its line
    search decides alike. The map is that of `fast`, through a decoder with a gradient of its own at every point."""
    generator = torch.Generator().manual_seed(2)
    layers = [torch.randn(16, 4, 3, 3, generator=generator) / 6, torch.randn(3, 16, 3, 3, generator=generator) / 12]

    def decoder(z):
        inner = torch.tanh(conv2d(z, layers[0], padding=1))
        return torch.tanh(conv2d(interpolate(inner, scale_factor=4), layers[1], padding=1))

    operator = SuperResolution(4).build(3, 64, 64)
    y = operator(decoder(torch.randn(3, 4, 16, 16, generator=generator)))
    y = y + 0.05 * torch.randn(y.shape, generator=generator)

    def run(y, threads):
        torch.set_num_threads(threads)
        problem = Problem(operator, y, 0.05, decoder)
        start, noise = torch.zeros(len(y), 4, 16, 16), Noise(0, [0] * len(y), 1)
        return Annealed(steps=4)(problem, denoise, start, noise, silent).image

    together, alone = run(y, 2)[1:2], run(y[1:2], 2)
    for other in (together, run(y[1:2], 1)):
        assert (other - alone).norm() <= 1e-3 * alone.norm()
