"""LMAP-RPS in the real host, in process and under inference mode, where everything is known in closed form."""

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy_extras.nodes_custom_sampler as custom
import pytest
import torch
from labs.gaussian import PowerLawPrior
from labs.host_models import PARAMETRIZATIONS, analytic_model
from labs.host_vaes import linear_vae, pixel_space_vae

from maprps.host.checkpointing import differentiable_blocks
from maprps.host.custom_sampling import PosteriorGuider, PosteriorSampler
from maprps.host.images import measured_problem
from maprps.host.match import keep_known, match_colors
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.host.schedule import few_step_sigmas
from maprps.host.tiles import WHOLE, Cut
from maprps.host.vae import HostVAE
from maprps.operators.blur import GaussianBlur
from maprps.operators.hdr import HDR
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers.guidance import DCDP, DPS, LDIR, MMPS, PSLD, LatentDPS, Proximal
from maprps.solvers.map_estimation import Annealed, Encoded, Paper
from maprps.solvers.posterior_sampling import dpm_solver, stochastic_adams
from maprps.solvers.schedules import sampling_sigmas

SCALE, LATENT = 4, 8
SIZE = SCALE * LATENT
TERMS = {
    "proximal": Proximal(),
    "latent DPS": LatentDPS(0.01),
    "DPS": DPS(0.1),
    "PSLD": PSLD(0.01),
    "LDIR": LDIR(0.01),
    "DCDP": DCDP(),
    "MMPS": MMPS(),
}


pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.fixture(scope="module")
def prior():
    return PowerLawPrior(size=LATENT, pixel_variance=1.0)


@pytest.fixture
def vae():
    return linear_vae(SCALE)


def image_of(vae, z):
    return (vae.first_stage_model.decode(z).movedim(1, -1) + 1) / 2


def measured(degradation, vae, prior, noise_std=0.05, count=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    truth = prior.draw(3 * count, generator).view(count, 3, LATENT, LATENT)
    operator = degradation.build(3, SIZE, SIZE)
    y = operator(image_of(vae, truth).movedim(-1, 1))
    y = operator.keep(y + noise_std * torch.randn(y.shape, generator=generator))
    return y.movedim(1, -1)


def exact_map(restoration, prior):
    """The MAP estimate and tr Sigma, each channel on its own, by dense algebra in float64."""
    problem = restoration.problem()
    count = LATENT**2
    basis = torch.eye(count).view(-1, 1, LATENT, LATENT).expand(-1, 3, -1, -1)
    zero = problem.operator.keep(problem.operator(problem.decoder(torch.zeros_like(basis[:1]))))
    a = (problem.operator.keep(problem.operator(problem.decoder(basis))) - zero)[:, 0].flatten(1).T.double()
    information = torch.linalg.inv(prior.covariance) + a.T @ a / problem.noise_std**2
    posterior = torch.linalg.inv(information)
    mean = torch.full((count,), prior.mean, dtype=torch.float64)
    offset = (problem.measurement - zero).double().flatten(2) - a @ mean
    return (mean + offset @ a @ posterior / problem.noise_std**2).view(-1, 3, LATENT, LATENT), 3 * posterior.trace()


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("degradation", [SuperResolution(2, "box"), GaussianBlur(9, 1.5, "circular")])
def test_estimate_is_the_closed_form_map(prior, vae, parametrization, degradation):
    y = measured(degradation, vae, prior)
    restoration = Restoration(analytic_model(prior, parametrization), degradation, y, 0.05, 0, vae)
    restored, report = estimate_map(restoration, Annealed(discrepancy=1.05))
    expected, variance = exact_map(restoration, prior)
    assert (restored.latents - expected).square().sum() <= 0.01 * variance
    assert torch.allclose(restored.image, image_of(vae, restored.latents), atol=1e-5)
    assert report.calls <= 8


FLOWS = [(1.0, 1.0), (1.0, 3.0), (8.0, 1.0), (8.0, 3.0)]


def flow(prior, noise_scale, shift, dimensions=2):
    """The exact flow model of a Gaussian. Skips the test where the host knows no scale."""
    model = analytic_model(prior, "flow", dimensions=dimensions, shift=shift, noise_scale=noise_scale)
    if getattr(model.get_model_object("model_sampling"), "noise_scale", 1.0) != noise_scale:
        pytest.skip("this host's flows have no noise_scale")
    return model


@pytest.mark.parametrize("noise_scale, shift", FLOWS)
def test_flows_of_any_scale_and_shift_have_the_exact_map_and_variance(prior, vae, noise_scale, shift):
    model, degradation = flow(prior, noise_scale, shift), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    restored, _ = estimate_map(restoration, Annealed(discrepancy=1.05))
    expected, variance = exact_map(restoration, prior)
    assert (restored.latents - expected).square().sum() <= 0.01 * variance
    restoration = Restoration(model, degradation, measured(degradation, vae, prior, 0.3), 0.3, 0, vae)
    expected, variance = exact_map(restoration, prior)
    sigmas = few_step_sigmas(restoration, 1.0, 24)
    restored = sample_posterior(restoration, expected.float(), sigmas, Proximal(), dpm_solver, samples=200)
    assert (restored.latents.double().mean(0) - expected).square().sum() <= 0.02 * variance
    assert float(restored.latents.var(0).sum()) == pytest.approx(float(variance), rel=0.06)


def test_pixel_space_agrees_with_the_pixel_nodes():
    prior = PowerLawPrior(size=16)
    model = analytic_model(prior)
    y, degradation = torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(0)), SuperResolution(2)
    pixel, latent = (
        Restoration(model, degradation, y, 0.05, 3),
        Restoration(model, degradation, y, 0.05, 3, pixel_space_vae()),
    )
    (_, image), _ = estimate_map(pixel, Annealed())
    restored, _ = estimate_map(latent, Annealed())
    assert torch.equal(image, restored.image)
    sigmas = few_step_sigmas(pixel, 0.2, 6)
    sample = sample_posterior(pixel, image, sigmas, Proximal(), dpm_solver)
    again = sample_posterior(latent, restored.latents, sigmas, Proximal(), dpm_solver)
    assert torch.allclose(sample.image, again.image, atol=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_every_guidance_brings_samples_nearer_to_the_measurement(prior, vae, name):
    model, degradation = analytic_model(prior), GaussianBlur(5, 1.0)
    y = measured(degradation, vae, prior)
    restoration = Restoration(model, degradation, y, 0.05, 0, vae)
    start = torch.zeros(1, 3, LATENT, LATENT)
    sigmas = few_step_sigmas(restoration, 1.0, 24)
    problem = restoration.problem()
    guided = sample_posterior(restoration, start, sigmas, TERMS[name], dpm_solver)
    free = sample_posterior(restoration, start, sigmas, LatentDPS(0.0), dpm_solver)
    assert problem.relative_residual(guided.latents) < 0.7 * problem.relative_residual(free.latents)


def test_samples_have_the_posteriors_mean_and_variance(prior, vae):
    model, degradation, noise_std = analytic_model(prior), SuperResolution(2, "box"), 0.3
    y = measured(degradation, vae, prior, noise_std)
    restoration = Restoration(model, degradation, y, noise_std, 0, vae)
    expected, variance = exact_map(restoration, prior)
    sigmas = few_step_sigmas(restoration, 1.0, 16)
    restored = sample_posterior(restoration, expected.float(), sigmas, Proximal(), dpm_solver, samples=200)
    assert (restored.latents.double().mean(0) - expected).square().sum() <= 0.02 * variance
    assert float(restored.latents.var(0).sum()) == pytest.approx(float(variance), rel=0.06)


def test_an_image_alone_equals_itself_in_a_batch(prior, vae):
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    y = measured(degradation, vae, prior, count=3)

    def run(y):
        restoration = Restoration(model, degradation, y, 0.05, 5, vae)
        sigmas = few_step_sigmas(restoration, 0.5, 6)
        estimate, _ = estimate_map(restoration, Annealed())
        sample = sample_posterior(restoration, estimate.latents, sigmas, Proximal(), dpm_solver)
        return torch.cat([estimate.latents, sample.latents], dim=1)

    together = run(y)
    for i in range(3):
        assert torch.allclose(run(y[i : i + 1])[0], together[i], atol=2e-5)


def test_the_papers_optimizer_descends_through_the_decoder(prior, vae):
    model, degradation = analytic_model(prior), GaussianBlur(5, 1.0)
    y = measured(degradation, vae, prior)
    restoration = Restoration(model, degradation, y, 0.05, 0, vae)
    restored, _ = estimate_map(restoration, Paper(steps=300, learning_rate=0.1))
    expected, _ = exact_map(restoration, prior)
    assert (restored.latents - expected).norm() <= 0.05 * expected.norm()


def test_nonlinear_degradations(prior, vae):
    model, degradation = analytic_model(prior), HDR(2.0)
    y = measured(degradation, vae, prior)
    restoration = Restoration(model, degradation, y, 0.05, 0, vae)
    restored, report = estimate_map(restoration, Annealed(discrepancy=1.05))
    assert 0.8 < float(report.residual) < 1.05
    assert torch.isfinite(restored.image).all()


@pytest.mark.parametrize("size", [(33, 30), (5, 64), (1, 1)])
def test_any_image_size(vae, size):
    """Padded to the VAE's ratio and cropped, never stretched: the picture's content stays where it is."""
    host_vae = HostVAE(vae, analytic_model(lambda x, sigma: x), size)
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    z = host_vae.encode(x)
    assert z.shape[1:] == host_vae.latent_shape == (3, -(-size[0] // SCALE), -(-size[1] // SCALE))
    assert host_vae.decode(z).shape == x.shape
    inner = x[..., : size[0] // SCALE * SCALE, : size[1] // SCALE * SCALE]
    if inner.numel():
        blocks = torch.nn.functional.avg_pool2d(inner, SCALE)
        assert torch.allclose(z[..., : blocks.shape[-2], : blocks.shape[-1]], blocks, atol=1e-6)


def test_tiles_make_the_same_picture_and_the_same_gradient(vae):
    host_vae = HostVAE(vae, analytic_model(lambda x, sigma: x), (100 * SCALE, 70 * SCALE))
    with torch.inference_mode(False):
        vae.first_stage_model.weight = torch.nn.Parameter(torch.ones(()), requires_grad=False)
        z = torch.randn(1, 3, 100, 70, generator=torch.Generator().manual_seed(0)).requires_grad_()
        pictures, gradients = [], []
        for cut in (WHOLE, Cut(64, 16, 4)):
            host_vae.gradient_cut = cut
            with torch.enable_grad():
                x = host_vae.decode(z)
            pictures.append(x.detach())
            gradients += torch.autograd.grad(x, z, pictures[0])
        # Interpolation reaches two latents beyond its own, and tiles end where they weigh nothing.
        assert (pictures[1] - pictures[0]).abs().max() <= 0.05 * pictures[0].abs().max()
        inside = (pictures[1] - pictures[0])[..., : 34 * SCALE, : 4 * SCALE]
        assert inside.abs().max() <= 1e-5
        assert (gradients[1] - gradients[0]).norm() <= 0.05 * gradients[0].norm()


def test_checkpointing_changes_no_gradient():
    with torch.inference_mode(False):
        blocks = [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()) for _ in range(3)]

        class Block(torch.nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return x + self.inner(x)

        network = torch.nn.Sequential(*(Block(b) for b in blocks))
        x = torch.randn(2, 4, requires_grad=True)
        (plain,) = torch.autograd.grad(network(x).sum(), x)
        kept = []
        hooks = torch.autograd.graph.saved_tensors_hooks
        with differentiable_blocks(network, short_of_memory=True), hooks(lambda t: kept.append(t) or t, lambda t: t):
            (saved,) = torch.autograd.grad(network(x).sum(), x)
        assert torch.equal(plain, saved)
        assert all("forward" not in block.__dict__ for block in network)


def sampled(guider, sampler, sigmas, latent, seed=3, **carried):
    """carried: what a LATENT holds beside its samples."""
    noise, latent = custom.Noise_RandomNoise(seed), {"samples": latent, **carried}
    return custom.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)[0]["samples"]


@pytest.mark.parametrize("noise_scale, shift", FLOWS[1:])
def test_samples_of_flows_in_the_hosts_custom_sampling(prior, vae, noise_scale, shift):
    model, degradation, noise_std = flow(prior, noise_scale, shift), SuperResolution(2, "box"), 0.3
    y = measured(degradation, vae, prior, noise_std)
    restoration = Restoration(model, degradation, y, noise_std, 0, vae)
    _, variance = exact_map(restoration, prior)
    levels = torch.tensor(sampling_sigmas(30.0, 0.03, 24))
    times = levels / (noise_scale + levels)
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    start = torch.zeros(100, 3, LATENT, LATENT)
    for guider, sampler in (
        (plain, PosteriorSampler(restoration, Proximal(), dpm_solver)),
        (PosteriorGuider(restoration, Proximal()), comfy.samplers.sampler_object("dpmpp_2m")),
    ):
        spread = sampled(guider, sampler, times, start).var(0).sum()
        assert float(spread) == pytest.approx(float(variance), rel=0.06)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_our_sampler_and_our_guider_in_the_hosts_custom_sampling(prior, vae, parametrization):
    """Both ways draw from the posterior, whose samples lie tr Sigma around the MAP; the prior's lie far from it."""
    model, degradation, noise_std = analytic_model(prior, parametrization), SuperResolution(2, "box"), 0.3
    y = measured(degradation, vae, prior, noise_std)
    restoration = Restoration(model, degradation, y, noise_std, 0, vae)
    expected, variance = exact_map(restoration, prior)
    start = torch.zeros(64, 3, LATENT, LATENT)
    # Without the first: at the first instant of a flow, the exact network of the test divides by zero.
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 40)[1:]
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    ours = PosteriorSampler(restoration, Proximal(), dpm_solver)
    hosts = comfy.samplers.sampler_object("dpmpp_2m")
    results = [
        sampled(plain, ours, sigmas, start),
        sampled(PosteriorGuider(restoration, Proximal()), hosts, sigmas, start),
        sampled(plain, hosts, sigmas, start),
    ]
    errors = [float((z.double() - expected).square().flatten(1).sum(1).mean() / variance) for z in results]
    assert errors[0] == pytest.approx(1, abs=0.1)
    assert errors[1] == pytest.approx(1, abs=0.2)
    assert errors[2] > 3


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "res_multistep"])
def test_samplers_of_cfg_plus_plus_read_the_posterior(prior, vae, name):
    """They take the unconditional prediction of a step from a hook; where both predictions are one, they are the
    samplers that they come from. A hook of the person's own is the prior's, and called once for each of its calls."""
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    calls = []
    model.set_model_sampler_post_cfg_function(lambda args: calls.append(1) or args["denoised"])
    restoration = Restoration(model, degradation, measured(degradation, vae, prior, 0.3), 0.3, 0, vae)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 8)
    start = torch.zeros(2, 3, LATENT, LATENT)
    plain, plus = (
        sampled(PosteriorGuider(restoration, Proximal()), comfy.samplers.sampler_object(sampler), sigmas, start)
        for sampler in (name, f"{name}_cfg_pp")
    )
    assert (plus - plain).norm() <= 1e-3 * plain.norm()  # the same steps by other formulas, in float32
    assert len(calls) == model.model.diffusion_model.calls == 16


def test_gradient_guidance_in_the_hosts_custom_sampling(prior, vae):
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    y = measured(degradation, vae, prior)
    restoration = Restoration(model, degradation, y, 0.05, 0, vae)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 16)
    z = sampled(
        PosteriorGuider(restoration, MMPS()), comfy.samplers.sampler_object("euler"), sigmas, torch.zeros(2, 3, 8, 8)
    )
    assert (restoration.problem().relative_residual(z[:1]) < 1.5).all()


def test_sage_attention_stops_gradients_through_the_model_alone(prior, vae, monkeypatch):
    monkeypatch.setattr(comfy.model_management, "sage_attention_enabled", lambda: True)
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    start, sigmas = torch.zeros(1, 3, LATENT, LATENT), [0.5, 0.0]
    assert sample_posterior(restoration, start, sigmas, Proximal(), dpm_solver).image.isfinite().all()
    with pytest.raises(ValueError, match="--use-sage-attention.*'proximal'"):
        sample_posterior(restoration, start, sigmas, MMPS(), dpm_solver)


def test_our_sampler_starts_from_the_estimate(prior, vae):
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    y = measured(degradation, vae, prior)
    restoration = Restoration(model, degradation, y, 0.05, 0, vae)
    expected, variance = exact_map(restoration, prior)
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    sampler = PosteriorSampler(restoration, Proximal(), dpm_solver)
    near, far = (
        (sampled(plain, sampler, torch.tensor([0.05, 0.03, 0.0]), start).double() - expected).square().sum()
        for start in (expected.float(), torch.zeros_like(expected).float())
    )
    assert near < 0.5 * variance < far


@pytest.mark.parametrize("parametrization", ["eps", "flow"])
def test_a_noise_mask_keeps_what_it_covers(prior, vae, parametrization):
    """In our sampler and our node alike; the rest changes."""
    model, degradation = analytic_model(prior, parametrization), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior, count=2), 0.05, 0, vae)
    start = 0.3 * torch.randn(2, 3, LATENT, LATENT)
    mask = torch.zeros(2, 1, LATENT, LATENT)  # of the latents' size, since the host blurs others
    mask[0, ..., :4], mask[1, :, :4] = 1, 1
    covered = mask.expand_as(start) == 0
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    for solver in (dpm_solver, stochastic_adams):
        ours = PosteriorSampler(restoration, Proximal(), solver)
        z = sampled(plain, ours, torch.tensor([0.4, 0.2, 0.0]), start, noise_mask=mask)
        assert (z - start)[covered].abs().max() <= 1e-6
        assert (z - start)[~covered].abs().min() > 0
        z, _ = sample_posterior(restoration, start, [0.4, 0.2, 0.0], Proximal(), solver, 2, mask[:, 0])
        error = z - start.repeat_interleave(2, dim=0)
        assert error[covered.repeat_interleave(2, dim=0)].abs().max() <= 1e-6
        assert error[~covered.repeat_interleave(2, dim=0)].abs().min() > 0
    with pytest.raises(ValueError, match="3 masks for 2 images"):
        sample_posterior(restoration, start, [0.4, 0.0], Proximal(), dpm_solver, 1, torch.ones(3, 8, 8))


def test_an_image_taken_out_of_a_batch_is_sampled_as_in_it(prior, vae):
    """The host's batch_index gives it the noise that it begins with; what is added later goes on from there."""
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    ours, sigmas = PosteriorSampler(restoration, Proximal(), dpm_solver), torch.tensor([2.0, 0.5, 0.1, 0.0])
    batch = sampled(plain, ours, sigmas, torch.zeros(3, 3, LATENT, LATENT))
    alone = sampled(plain, ours, sigmas, torch.zeros(1, 3, LATENT, LATENT), batch_index=[2])
    assert (alone - batch[2:]).norm() <= 1e-5 * alone.norm()
    assert (alone - batch[:1]).norm() > 0.01 * alone.norm()
    alike = PosteriorSampler(restoration, Proximal(), dpm_solver)
    same = custom.SamplerCustomAdvanced.execute(
        custom.Noise_EmptyNoise(), plain, alike, sigmas, {"samples": torch.zeros(2, 3, LATENT, LATENT)}
    )[0]["samples"]
    assert (same[0] - same[1]).norm() > 0.01 * same[0].norm()


class Framed(torch.nn.Module):
    """A network of images as one of video."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def decode(self, z):
        return self.network.decode(z.squeeze(2)).unsqueeze(2)

    def encode(self, x):
        return self.network.encode(x.squeeze(2)).unsqueeze(2)


def test_a_frame_axis_of_one_changes_nothing(prior):
    """On both nodes and in the host's custom sampling, with and without gradients."""
    degradation = SuperResolution(2, "box")
    results = []
    for dimensions in (2, 3):
        model, vae = analytic_model(prior, "flow", dimensions=dimensions), linear_vae(SCALE)
        y = measured(degradation, vae, prior)
        if dimensions == 3:
            vae.latent_dim, vae.first_stage_model = 3, Framed(vae.first_stage_model)
            vae.upscale_ratio = (lambda frames: 4 * frames - 3, SCALE, SCALE)
            vae.patcher = comfy.model_patcher.ModelPatcher(vae.first_stage_model, vae.device, torch.device("cpu"))
        restoration = Restoration(model, degradation, y, 0.05, 0, vae)
        estimate, _ = estimate_map(restoration, Annealed())
        assert estimate.latents.ndim == 2 + dimensions
        sigmas = few_step_sigmas(restoration, 0.3, 4)
        times = torch.tensor(sigmas) / (1 + torch.tensor(sigmas))
        plain = comfy.samplers.CFGGuider(model)
        plain.set_conds([[None, {}]], [[None, {}]])
        euler = comfy.samplers.sampler_object("euler")
        start = estimate.latents
        results.append(
            [
                start,
                *(sample_posterior(restoration, start, sigmas, term, dpm_solver).latents for term in TERMS.values()),
                sampled(plain, PosteriorSampler(restoration, DPS(0.1), dpm_solver), times, start),
                sampled(PosteriorGuider(restoration, DPS(0.1)), euler, times, start),
            ]
        )
    for flat, framed in zip(*results, strict=True):
        assert torch.allclose(flat, framed.squeeze(2), atol=1e-5)


def test_videos_are_refused(prior):
    model, vae = analytic_model(prior, dimensions=3), linear_vae(SCALE)
    y = torch.rand(1, 16, 16, 3)
    with pytest.raises(ValueError, match="VAE is one for images"):
        Restoration(model, SuperResolution(2), y, 0.05, 0, vae)
    vae.latent_dim = 3
    restoration = Restoration(model, SuperResolution(2), y, 0.05, 0, vae)
    with pytest.raises(ValueError, match="video of 5 frames"):
        sample_posterior(restoration, torch.zeros(1, 3, 5, 8, 8), [1.0, 0.0], Proximal(), dpm_solver)


def test_colors_come_back():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 96, 80, 3, generator=generator)
    for degradation in (SuperResolution(4), Inpainting.from_mask(torch.eye(96)[:, :80])):
        operator = degradation.build(3, 96, 80)
        y = operator(truth.movedim(-1, 1))
        y = operator.keep(y + 0.02 * torch.randn(y.shape, generator=generator)).movedim(1, -1)
        shift = 0.1 * torch.linspace(-1, 1, 80)[:, None] * torch.tensor([1.0, -0.5, 0.3])
        matched = match_colors(truth + shift, measured_problem(operator, y, 0.02))
        assert (matched - truth).square().mean().sqrt() < 0.2 * shift.square().mean().sqrt()


def test_known_pixels_come_back():
    mask = torch.zeros(24, 24)
    mask[8:16, 10:18] = 1
    y = torch.rand(1, 24, 24, 3, generator=torch.Generator().manual_seed(0))
    image = torch.rand(2, 24, 24, 3, generator=torch.Generator().manual_seed(1))
    kept = keep_known(image, Inpainting.from_mask(mask), y, 3)
    assert torch.equal(kept[:, mask > 0], image[:, mask > 0])
    assert torch.equal(kept[:, :5], y[:, :5].expand(2, -1, -1, -1))
    amount = ((kept - image) / (y - image))[0, 12, :10, 0]
    assert torch.allclose(amount, torch.tensor([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]), atol=1e-3)
    with pytest.raises(ValueError, match="inpainting"):
        keep_known(image, SuperResolution(2), y[:, ::2, ::2], 3)


def test_errors_name_what_to_change(prior, vae):
    model, y = analytic_model(prior), torch.rand(1, 16, 16, 3)
    with pytest.raises(ValueError, match="VAE that belongs to the model"):
        Restoration(analytic_model(prior, channels=4), SuperResolution(2), y, 0.05, 0, vae)
    restoration = Restoration(model, SuperResolution(2), y, 0.05, 0, vae, cfg=2.0)
    with pytest.raises(ValueError, match="negative"):
        estimate_map(restoration, Annealed())
    restoration = Restoration(model, SuperResolution(2), y, 0.05, 0, vae)
    with pytest.raises(ValueError, match="estimate made from this measurement"):
        sample_posterior(restoration, torch.zeros(1, 3, 4, 4), [1.0, 0.0], Proximal(), dpm_solver)
    vae.latent_dim = 3
    with pytest.raises(ValueError, match="video"):
        Restoration(model, SuperResolution(2), y, 0.05, 0, vae)


@pytest.mark.parametrize("good", [0, 4])
@pytest.mark.parametrize("way", ["decode", "encode"])
@pytest.mark.parametrize("method", [Annealed(steps=2), Encoded(steps=3)], ids=["descent", "fast"])
def test_nan_from_the_vae_is_named(prior, vae, method, way, good):
    """From its first call on, or after some that were good; descent encodes only once. Of what is not linear, fast
    encodes at every step."""
    calls = []
    model, degradation = analytic_model(prior), HDR(2.0)
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    whole = getattr(vae.first_stage_model, way)
    setattr(
        vae.first_stage_model, way, lambda x: calls.append(1) or whole(x) * (1 if len(calls) <= good else float("nan"))
    )
    if good and way == "encode" and isinstance(method, Annealed):
        assert estimate_map(restoration, method)[0].image.isfinite().all()
    else:
        with pytest.raises(ValueError, match="NaN.*--fp32-vae"):
            estimate_map(restoration, method)


def test_nan_that_a_sampler_made_is_not_blamed_on_the_model(prior, vae):
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    plain = comfy.samplers.CFGGuider(model)
    plain.set_conds([[None, {}]], [[None, {}]])
    sampler = PosteriorSampler(restoration, LatentDPS(1e38), dpm_solver)
    with pytest.raises(ValueError, match="make guidance_scale smaller"):
        sampled(plain, sampler, torch.tensor([2.0, 0.5, 0.1, 0.0]), torch.zeros(1, 3, LATENT, LATENT))


LEFT = {"area": (LATENT, LATENT // 2, 0, 0), "strength": 1.0}
RIGHT = {"area": ("percentage", 1.0, 0.5, 0.0, 0.5), "strength": 1.0}
UPPER = {"mask": (torch.arange(LATENT) < 4).float()[None, :, None].expand(1, -1, LATENT), "mask_strength": 1.0}
LOWER = {"mask": 1 - UPPER["mask"], "mask_strength": 1.0, "set_area_to_bounds": True}
EARLY, LATE = {"end_percent": 0.8}, {"start_percent": 0.8}


@pytest.mark.parametrize("term", [Proximal(), LatentDPS(0.01)], ids=["proximal", "latent DPS"])
def test_prompts_cover_the_picture_and_the_time_together_or_are_refused(vae, term):
    model, degradation = analytic_model(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1) ** 2)), SuperResolution(2)
    y = torch.rand(1, SIZE // 2, SIZE // 2, 3)

    def run(*parts):
        positive = [[torch.zeros(1, 4, 4), dict(part)] for part in parts]
        restoration = Restoration(model, degradation, y, 0.05, 0, vae, positive)
        return sample_posterior(restoration, torch.zeros(1, 3, LATENT, LATENT), [2.0, 0.5, 0.1, 0.0], term, dpm_solver)

    whole = run({}).latents
    for parts in ((LEFT, {}), (LEFT, RIGHT), (UPPER, LOWER), (EARLY, LATE)):
        torch.testing.assert_close(run(*parts).latents, whole, rtol=0, atol=1e-4)
    for parts in ((LEFT,), (UPPER,), (EARLY,), (LATE,), (LEFT, UPPER), ({**LEFT, **EARLY}, {**RIGHT, **LATE})):
        with pytest.raises(ValueError, match="has no prompt in 'positive'"):
            run(*parts)


def test_each_stage_is_one_line_of_the_log(prior, vae, caplog):
    model, degradation = analytic_model(prior), SuperResolution(2, "box")
    restoration = Restoration(model, degradation, measured(degradation, vae, prior), 0.05, 0, vae)
    with caplog.at_level("INFO"):
        restored, report = estimate_map(restoration, Encoded(steps=4))
        (line,) = [record.getMessage() for record in caplog.records if "MAP-RPS" in record.getMessage()]
        caplog.clear()
        sample_posterior(restoration, restored.latents, [0.5, 0.2, 0.0], Proximal(), dpm_solver)
        (other,) = [record.getMessage() for record in caplog.records if "MAP-RPS" in record.getMessage()]
    residual = float(restoration.problem().relative_residual(restored.latents))
    assert line.startswith("MAP-RPS, MAP estimation by Encoded(")
    assert f"AnalyticNetwork in float32, {report.calls} model calls" in line
    assert f"decodings, residual {residual:.2f} of the noise" in line
    assert (
        "posterior sampling from sigma 0.5 by Proximal(" in other and "dpm_solver" in other and "2 model calls" in other
    )
