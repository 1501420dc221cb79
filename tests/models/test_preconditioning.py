import pytest
import torch

from maprps.models import DDPM, EDM, ADMConfig, PixelNetwork

SIGMAS = torch.logspace(-2.5, 1.9, 40, dtype=torch.float64)


@pytest.mark.parametrize("sigma_data", [0.5, 0.31])
def test_edm_keeps_unit_variance(sigma_data):
    """Karras et al. 2022, appendix B.6: the network's input and its training target have unit variance, and the
    output scale is the smallest that allows it."""
    s = EDM(sigma_data).scaling(SIGMAS)
    data, noise = sigma_data**2, SIGMAS**2
    ones = torch.ones_like(SIGMAS)
    torch.testing.assert_close(s.input**2 * (data + noise), ones)
    torch.testing.assert_close(((1 - s.skip) ** 2 * data + s.skip**2 * noise) / s.output**2, ones)
    for skip in (s.skip - 1e-3, s.skip + 1e-3):
        assert ((1 - skip) ** 2 * data + skip**2 * noise > s.output**2).all()
    torch.testing.assert_close(s.noise, 4 * SIGMAS.log())


def test_ddpm_steps():
    """At the schedule's own noise levels: the published step, and x scaled to sqrt(ab) x0 + sqrt(1 - ab) eps."""
    ab = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    s = DDPM().scaling((1 / ab - 1).sqrt())
    torch.testing.assert_close(s.noise, torch.arange(1000, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(s.input, ab.sqrt())
    assert DDPM().sigma_min == pytest.approx(float((1 / ab[0] - 1).sqrt()))
    assert DDPM().sigma_max == pytest.approx(float((1 / ab[-1] - 1).sqrt()))


def test_ddpm_between_and_beyond_its_steps():
    sigma = torch.logspace(-3, 3, 5000)
    step = DDPM().scaling(sigma).noise
    assert step.dtype == torch.float32
    assert (step[1:] >= step[:-1]).all()
    assert (step[0], step[-1]) == (0, 999)
    assert DDPM().scaling(torch.tensor([DDPM().sigma_min * 1.0001])).noise.item() == pytest.approx(0, abs=1e-2)


class Exact(torch.nn.Module):
    """What a perfect network would return for white Gaussian images of variance v."""

    def __init__(self, preconditioning, v, out_channels):
        super().__init__()
        self.preconditioning, self.v = preconditioning, v
        self.config = ADMConfig(8, (8,), (1,), (False,), out_channels=out_channels)

    def forward(self, x, t):
        assert t.shape == (len(x),)
        if isinstance(self.preconditioning, EDM):
            sigma = (t / 4).exp().view(-1, 1, 1, 1)
        else:
            ab = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
            sigma = (1 / ab - 1).sqrt()[t.round().long()].view(-1, 1, 1, 1)
        s = self.preconditioning.scaling(sigma)
        noisy = x / s.input
        raw = (self.v / (self.v + sigma**2) - s.skip) * noisy / s.output
        return torch.cat([raw, torch.full_like(raw, torch.nan)], dim=1)[:, : self.config.out_channels]


@pytest.mark.parametrize("preconditioning", [EDM(0.5), DDPM()])
@pytest.mark.parametrize("out_channels", [3, 6])
def test_a_perfect_network_gives_the_posterior_mean(preconditioning, out_channels):
    """E[x0 | x] = v / (v + sigma^2) x, a level for each image; the learned variance is left aside."""
    v = 0.3
    network = PixelNetwork(Exact(preconditioning, v, out_channels), preconditioning)
    ab = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    sigma = (1 / ab - 1).sqrt()[[5, 300, 980]]
    x = torch.randn(3, 3, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(network(x, sigma), v / (v + sigma.view(3, 1, 1, 1) ** 2) * x)
