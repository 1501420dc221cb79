"""Both stages on models of the real host, in process and under inference mode, as the host runs nodes."""

import comfy.model_management
import comfy.model_sampling
import comfy.sample
import comfy_extras.nodes_model_advanced as patches
import pytest
import torch
from labs.gaussian import GaussianLab, PowerLawPrior
from labs.host_models import PARAMETRIZATIONS, analytic_model

from maprps.host.denoiser import sigma_range
from maprps.host.pixel_model import as_host_model
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.host.run import Workload, run_solver
from maprps.host.schedule import every_step_sigmas, few_step_sigmas, renoise_sigma
from maprps.models import load_embedded
from maprps.models.schedules import ddpm_sigmas
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import DPS, MMPS, PiGDM, Proximal
from maprps.solvers.map_estimation import Accelerated, Annealed, Paper
from maprps.solvers.posterior_sampling import dpm_solver

pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.fixture(scope="module")
def prior():
    return PowerLawPrior(size=16)


@pytest.fixture
def image(prior):
    """Three channels that are independent draws of the prior, as IMAGE."""
    return (prior.draw(3, torch.Generator().manual_seed(3)).view(1, 3, 16, 16).movedim(1, -1) + 1) / 2


def restoration(model, measurement, degradation=None, noise_std=0.025, seed=7):
    return Restoration(model, degradation or Denoising(), measurement, noise_std, seed)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_denoiser_is_the_models(prior, parametrization):
    model = analytic_model(prior, parametrization)
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for sigma in (0.05, 0.4, 3.0):
        sigmas = torch.full((2,), sigma)
        denoised = run_solver(Workload(model, tuple(x.shape)), lambda denoise, callback, s=sigmas: denoise(x, s), 0)
        expected = prior(x, sigmas)
        assert (denoised - expected).norm() <= 2e-5 * expected.norm()


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_estimate_is_the_closed_form_map(prior, parametrization):
    lab = GaussianLab(prior, GaussianBlur(9, 1.5, "circular"), 0.05, count=3)
    measurement = (lab.measurement.view(1, 3, 16, 16).movedim(1, -1) + 1) / 2
    model = analytic_model(prior, parametrization)
    (_, image), report = estimate_map(
        restoration(model, measurement, lab.degradation), Accelerated(steps=40, tolerance=1e-6)
    )
    estimate = (image.movedim(-1, 1) * 2 - 1).view(3, 1, 16, 16)
    assert (estimate - lab.map).norm() <= 0.003 * lab.map.norm()
    assert 0 < report.calls <= 40


@pytest.mark.parametrize("guidance", [DPS(), PiGDM(), MMPS()], ids=["DPS", "PiGDM", "MMPS"])
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_gradients_through_the_hosts_model(prior, guidance, parametrization):
    """The guided denoiser on the host's model equals that on the bare denoiser, whose gradients are autograd's own."""
    model = analytic_model(prior, parametrization)
    y = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(1))
    task = restoration(model, y, Inpainting.from_mask(torch.eye(16)))
    with torch.inference_mode(False):
        x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
        expected = guidance(task.problem(), prior)(x, 0.6, 0.4).denoised

    def solve(denoise, callback):
        return guidance(task.problem(), denoise)(x, 0.6, 0.4).denoised

    result = task.run(solve, gradients=True)
    assert (result - expected).norm() <= 1e-4 * expected.norm()


def test_gradients_need_weights_that_have_them(prior):
    model = analytic_model(prior)
    model.model.diffusion_model.register_parameter(
        "packed", torch.nn.Parameter(torch.zeros(4, dtype=torch.int8), requires_grad=False)
    )
    task = restoration(model, torch.rand(1, 16, 16, 3))
    with pytest.raises(ValueError, match="quantized.*proximal"):
        sample_posterior(task, torch.rand(1, 16, 16, 3), [0.5, 0.0], DPS(), dpm_solver)


def test_renoise_zero_is_the_estimate_bit_for_bit(prior, image):
    task = restoration(analytic_model(prior), image)
    estimate = torch.rand(1, 16, 16, 3)
    sigmas = few_step_sigmas(task, 0.0, 16)
    assert torch.equal(sample_posterior(task, estimate, sigmas, Proximal(), dpm_solver).image, estimate)
    sigmas = every_step_sigmas(task.model, 0.0)
    twice = sample_posterior(task, estimate, sigmas, Proximal(), dpm_solver, 2).image
    assert torch.equal(twice, estimate.repeat(2, 1, 1, 1))


def test_result_does_not_depend_on_the_batch(prior):
    """On the embedded network too: alone, and third of four."""
    generator = torch.Generator().manual_seed(5)
    measurements = torch.rand(4, 8, 8, 3, generator=generator)
    for model, tolerance in ((analytic_model(prior), 1e-6), (as_host_model(load_embedded()), 1e-4)):
        degradation = SuperResolution(2, "box")
        together = restoration(model, measurements, degradation)
        alone = restoration(model, measurements[2:3], degradation)
        results = []
        for task in (together, alone):
            (_, estimate), _ = estimate_map(task, Annealed(steps=4))
            sigmas = few_step_sigmas(task, 0.3, 4)
            sample = sample_posterior(task, estimate, sigmas, Proximal(), dpm_solver, samples=2)
            results.append((estimate, sample.image))
        assert (results[0][0][2:3] - results[1][0]).abs().max() <= tolerance
        assert (results[0][1][4:6] - results[1][1]).abs().max() <= tolerance
        assert (results[1][1][0] - results[1][1][1]).abs().max() > 1e-3  # the two samples differ


def test_same_seed_same_image_other_seed_other_image(prior, image):
    model = analytic_model(prior)
    sigmas = few_step_sigmas(restoration(model, image), 0.3, 4)
    first, again, other = (
        sample_posterior(restoration(model, image, seed=seed), image, sigmas, Proximal(), dpm_solver).image
        for seed in (2**64 - 1, 2**64 - 1, 0)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_paper_method_runs_on_inference_tensors(prior, image):
    _, report = estimate_map(restoration(analytic_model(prior), image), Paper(steps=3))
    assert report.calls == 3


def test_renoise_reads_the_models_own_schedule(prior):
    model = as_host_model(load_embedded())
    levels = ddpm_sigmas()
    assert renoise_sigma(model, 0.0) == 0
    assert renoise_sigma(model, 1.0) == pytest.approx(float(levels[-1]), rel=1e-5)
    assert renoise_sigma(model, 0.3) == pytest.approx(float(levels[299]), rel=0.01)
    sigmas = every_step_sigmas(model, 0.025)
    assert sigmas == pytest.approx([float(v) for v in levels[:25].flip(0)] + [0.0], rel=1e-6)
    flow = analytic_model(prior, "flow")
    t = flow.get_model_object("model_sampling").percent_to_sigma(0.5)
    assert renoise_sigma(flow, 0.5) == pytest.approx(t / (1 - t))


def test_equal_amounts_of_the_noise_scale_are_equal_noise_on_any_model(prior, image):
    models = [as_host_model(load_embedded()), *(analytic_model(prior, name) for name in PARAMETRIZATIONS)]
    task = restoration(models[0], image)
    for renoise in (0.1, 0.4, 0.7):
        sigmas = [renoise_sigma(model, renoise, "noise") for model in models]
        assert sigmas == pytest.approx([0.03 * 1000**renoise] * len(models))
        assert few_step_sigmas(task, renoise, 4, "noise")[0] == pytest.approx(sigmas[0])
    for model in models:
        assert renoise_sigma(model, 0.0, "noise") == 0
        assert renoise_sigma(model, 1.0, "noise") == min(30.0, sigma_range(model.get_model_object("model_sampling"))[1])
    levels = every_step_sigmas(models[0], 0.4, "noise")
    assert levels[0] <= renoise_sigma(models[0], 0.4, "noise") < every_step_sigmas(models[0], 1.0)[-len(levels) - 1]


def test_every_step_takes_at_most_1000_of_a_models_levels(prior):
    class Sampling(comfy.model_sampling.ModelSamplingFlux, comfy.model_sampling.CONST):
        """10 000 levels."""

    model = analytic_model(prior, "flow")
    model.add_object_patch("model_sampling", Sampling(model.model.model_config))
    levels = every_step_sigmas(model, 1.0)
    assert len(levels) == 1001
    assert levels == sorted(levels, reverse=True) and levels[0] == pytest.approx(renoise_sigma(model, 1.0), rel=1e-3)
    assert len(every_step_sigmas(model, 0.3)) == 301


def test_pixel_model_runs_in_the_hosts_own_sampler():
    model = as_host_model(load_embedded())
    latent = torch.zeros(1, 3, 16, 16)
    noise = comfy.sample.prepare_noise(latent, 1)
    condition = [[None, {}]]
    image = comfy.sample.sample(model, noise, 4, 1.0, "euler", "normal", condition, condition, latent)
    assert image.shape == latent.shape and torch.isfinite(image).all()


def test_host_model_denoises_as_the_network_does():
    pixel = load_embedded()
    model = as_host_model(load_embedded())
    x = torch.randn(1, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    for sigma in (0.02, 0.3, 20.0):
        denoised = run_solver(
            Workload(model, tuple(x.shape)), lambda denoise, callback, s=sigma: denoise(x, torch.tensor([s])), 0
        )
        assert (denoised - pixel(x, torch.tensor([sigma]))).abs().max() <= 1e-4


def test_cancel_is_answered_within_one_call(prior, image):
    network_calls = []

    def denoise(x, sigma):
        network_calls.append(1)
        if len(network_calls) == 3:
            comfy.model_management.interrupt_current_processing()
        return prior(x, sigma)

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        estimate_map(
            restoration(analytic_model(denoise), image, Inpainting.from_mask(torch.eye(16))), Annealed(steps=20)
        )
    assert len(network_calls) == 3


@pytest.mark.parametrize("patch", ["discrete eps", "discrete v_prediction", "flux", "sd3"])
def test_noise_levels_of_other_models_are_refused(image, patch):
    model = as_host_model(load_embedded())
    kind, *prediction = patch.split()
    if kind == "discrete":
        (patched,) = patches.ModelSamplingDiscrete().patch(model, *prediction, zsnr=False)
    elif kind == "flux":
        (patched,) = patches.ModelSamplingFlux().patch(model, 1.15, 0.5, 1024, 1024)
    else:
        (patched,) = patches.ModelSamplingSD3().patch(model, 3.0)
    with pytest.raises(ValueError, match="take the ModelSampling node"):
        estimate_map(restoration(patched, image), Annealed(steps=2))
    assert estimate_map(restoration(model, image), Annealed(steps=2))[0].image.isfinite().all()


def test_nan_from_the_model_is_named(image):
    model = analytic_model(lambda x, sigma: x * float("nan"))
    with pytest.raises(ValueError, match="NaN.*--force-fp32"):
        estimate_map(restoration(model, image), Annealed(steps=2))


class TestRefusedBeforeAnyWork:
    """Each a sentence that says what to change, and not one call of the model."""

    @pytest.fixture
    def model(self):
        def denoise(x, sigma):
            raise AssertionError("the model was called")

        return analytic_model(denoise)

    def test_latent_model(self, prior, image):
        with pytest.raises(ValueError, match="latent model.*4 channels.*pixel model"):
            restoration(analytic_model(prior, channels=4), image)

    def test_measurement_of_another_size_than_the_mask(self, model, image):
        with pytest.raises(ValueError, match="mask"):
            restoration(model, image, Inpainting.from_mask(torch.eye(20)))

    def test_mask_that_hides_all(self, model, image):
        with pytest.raises(ValueError, match="mask"):
            restoration(model, image, Inpainting.from_mask(torch.ones(16, 16)))

    def test_negative_noise(self, model, image):
        with pytest.raises(ValueError, match="noise_std is -0.1"):
            restoration(model, image, noise_std=-0.1)

    def test_nan_in_the_measurement(self, model, image):
        with pytest.raises(ValueError, match="NaN"):
            restoration(model, image * float("nan"))

    def test_measurement_without_colour(self, model, image):
        with pytest.raises(ValueError, match="channels"):
            restoration(model, image[..., :1])

    def test_estimate_of_another_size(self, model, image):
        task = restoration(model, image)
        with pytest.raises(ValueError, match="1 x 8 x 16 x 3.*1 x 16 x 16 x 3"):
            sample_posterior(task, image[:, :8], [0.5, 0.0], Proximal(), dpm_solver)
