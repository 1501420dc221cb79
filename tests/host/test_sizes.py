"""Sizes that do not go together are named by the node that meets them first; those that can go together do."""

import pytest
import torch
from labs.host_models import analytic_model

from maprps.nodes.apply_degradation import ApplyDegradation
from maprps.nodes.estimate_noise import EstimateNoise
from maprps.nodes.keep_measured import KeepMeasured
from maprps.nodes.map_estimation import MAPEstimation
from maprps.nodes.metrics import Metrics
from maprps.nodes.traversal import Traversal
from maprps.operators.blur import GaussianBlur
from maprps.operators.compose import Compose
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.operators.stack import Stack

HOLE = Inpainting.from_mask(torch.eye(32))


@pytest.fixture
def model():
    return analytic_model(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1) ** 2))


@pytest.mark.parametrize(
    "degradation, options", [(HOLE, {"keep_known": True, "keep_colors": False}), (HOLE, {}), (Denoising(), {})]
)
def test_keep_measured(degradation, options):
    image = torch.rand(2, 32, 32, 3)
    for measurement in (image[:1, :16], image[:1, :, :31], image[:1, :1, :1]):
        with pytest.raises(ValueError, match="measurement is . x 3 x .*needs batch x 3 x 32 x 32"):
            KeepMeasured.execute(image=image, degradation=degradation, measurement=measurement, **options)
    opaque = torch.cat([image, torch.ones(2, 32, 32, 1)], -1)
    results = [
        KeepMeasured.execute(image=image, degradation=degradation, measurement=y, **options).args[0]
        for y in (image, opaque)
    ]
    assert torch.equal(*results)


def test_metrics():
    image = torch.rand(2, 32, 32, 3)
    given = {"image": image, "reference": image, "degradation": GaussianBlur(9, 1.0)}
    for measurement in (image[:, :16], image[:, :1, :1]):
        with pytest.raises(ValueError, match="measurement is 2 x 3 x .*needs batch x 3 x 32 x 32"):
            Metrics.execute(**given, measurement=measurement)
    with pytest.raises(ValueError, match="2 images and 3 measurements"):
        Metrics.execute(**given, measurement=torch.rand(3, 32, 32, 3))


def test_stack_of_odd_width(model):
    y = torch.rand(1, 16, 33, 3)
    with pytest.raises(ValueError, match="measurement is 1 x 3 x 16 x 33, but this degradation needs batch x 3 x"):
        MAPEstimation.execute(model=model, degradation=Stack(Denoising(), GaussianBlur(9, 1.0)), measurement=y)


def test_masks_of_estimate_noise():
    with pytest.raises(ValueError, match="1 images and 3 masks"):
        EstimateNoise.execute(image=torch.rand(1, 32, 32, 3), mask=torch.zeros(3, 32, 32))


@pytest.mark.parametrize("degradation", [SuperResolution(4), Compose(GaussianBlur(5, 1.0), SuperResolution(4, "box"))])
def test_a_photo_that_the_factor_does_not_divide(model, degradation):
    """The whole chain: it restores to a few pixels more, which the photo is not compared with."""
    photo = torch.rand(1, 33, 30, 3)
    y = ApplyDegradation.execute(image=photo, degradation=degradation).args[0]
    given = {"degradation": degradation, "measurement": y}
    estimate = MAPEstimation.execute(model=model, **given, steps=2).args[0]
    assert estimate.shape == (1, 36, 32, 3)
    psnr, _, ratio, text, _ = Metrics.execute(image=estimate, reference=photo, **given).args
    alone = Metrics.execute(image=estimate[:, :33, :30], reference=photo).args[0]
    whole = Metrics.execute(image=estimate, reference=estimate, **given).args[2]
    assert psnr == alone and ratio == whole
    assert text.count("Compared on the reference's 30x33 pixels") == 1
    text = Traversal.execute(model=model, **given, estimate=estimate, reference=photo, levels="0").args[3]
    assert f"PSNR {psnr:.4g}" in text
    for other in (photo[:, :29], photo[:, :, :28], torch.rand(1, 37, 32, 3)):
        with pytest.raises(ValueError, match="must be of one size"):
            Metrics.execute(image=estimate, reference=other, **given)
