import pytest
import torch
from labs.gaussian import PowerLawPrior
from labs.host_models import analytic_model

from maprps.host.degrade import degrade
from maprps.host.restoration import Restoration, estimate_map
from maprps.operators.clipped import Clipped
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.solvers.map_estimation import Accelerated

STEPS = torch.tensor([0.1, 0.3, 0.6, 1.0]).repeat_interleave(50)


def picture(brightness=1.0):
    return brightness * STEPS.expand(1, 200, 200)[..., None].expand(1, 200, 200, 3)


def test_poisson_noise_has_the_std_on_average_and_the_variance_of_counted_light():
    x = picture()
    residual = (degrade(x, Denoising(), 0.1, 0, True) - x).double()
    assert float(residual.square().mean().sqrt()) == pytest.approx(0.1, rel=0.01)
    for brightness in (0.1, 0.3, 0.6, 1.0):  # the mean of the steps is a half
        part = residual[x == torch.tensor(brightness)]
        assert float(part.square().mean()) == pytest.approx(0.1**2 * brightness / 0.5, rel=0.04)


def test_every_image_has_photons_of_its_own_number():
    x = torch.cat([picture(), picture(0.2)])
    residual = degrade(x, Denoising(), 0.05, 3, True) - x
    assert residual.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([0.05, 0.05], rel=0.02)
    assert torch.equal(degrade(x[1:], Denoising(), 0.05, 3, True) - x[1:], residual[1:])


def test_missing_pixels_count_no_photons():
    mask = torch.zeros(200, 200)
    mask[:100] = 1
    x = picture()
    y = degrade(x, Inpainting.from_mask(mask), 0.1, 0, True)
    assert torch.equal(y[:, :100], torch.zeros_like(y[:, :100]))
    assert float((y - x)[:, 100:].square().mean().sqrt()) == pytest.approx(0.1, rel=0.02)


def test_no_light_and_no_noise_stay_as_they_are():
    x = torch.cat([torch.zeros(1, 8, 8, 3), torch.rand(1, 8, 8, 3)])
    assert torch.equal(degrade(x, Denoising(), 0.1, 0, True)[0], x[0])
    assert torch.equal(degrade(x, Denoising(), 0.0, 0, True), x)


def test_what_can_be_negative_is_no_light():
    with pytest.raises(ValueError, match="negative values.*Gaussian"):
        degrade(torch.rand(1, 16, 16, 3), CompressedSensing(2.0, 0), 0.1, 0, True)


def test_clipped_measurements_are_restored_as_if_they_were_not():
    """Dark, with strong noise: as bounds, black says as much as the noise beyond it would; as values, it brightens."""
    prior = PowerLawPrior(size=16, mean=-0.9, pixel_variance=0.01)
    truth = (prior.draw(24, torch.Generator().manual_seed(0)).view(8, 3, 16, 16).movedim(1, -1) + 1) / 2
    whole, model = degrade(truth, Denoising(), 0.1, 1), analytic_model(prior)
    clipped = degrade(truth, Clipped(Denoising()), 0.1, 1)
    assert torch.equal(clipped, whole.clamp(0, 1)) and (clipped == 0).float().mean() > 0.2
    errors, bias = [], []
    with torch.inference_mode():
        for y, degradation in ((whole, Denoising()), (clipped, Clipped(Denoising())), (clipped, Denoising())):
            (_, image), _ = estimate_map(Restoration(model, degradation, y, 0.1, 0), Accelerated(steps=40))
            errors.append(float((image - truth).square().mean()))
            bias.append(float((image - truth).mean()))
    assert errors[1] <= 1.1 * errors[0] < errors[2]
    assert abs(bias[1]) < 0.25 * abs(bias[2])
