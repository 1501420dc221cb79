"""The table of choices: every term and method is in it, and combo, page and translation say what it says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maprps import solvers
from maprps.evaluation import psnr
from maprps.host.degrade import degrade
from maprps.host.latent_example import load_latent_example
from maprps.host.restoration import Restoration
from maprps.nodes.choices import GUIDANCE, METHODS, SAMPLERS, SOLVERS, method_named
from maprps.nodes.map_estimation import LatentMAPEstimation
from maprps.nodes.posterior_sampling import LatentRenoisedPosteriorSampling
from maprps.operators.blur import GaussianBlur
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.hdr import HDR
from maprps.operators.nonlinear_blur import NonlinearBlur
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution
from maprps.tools.write_choice_lists import PAGES, written

ROOT = Path(__file__).absolute().parents[2]
TABLES = {"pixel": "MAPRPS_RenoisedPosteriorSampling", "latent": "MAPRPS_LatentRenoisedPosteriorSampling"}


def test_every_guidance_term_is_offered():
    terms = {value for value in vars(solvers.guidance).values() if hasattr(value, "differentiates")}
    offered = {type(entry.runs(1.0)) for entry in GUIDANCE}
    assert offered == {term for term in terms if isinstance(term, type) and not getattr(term, "_is_protocol", False)}


def test_every_method_is_offered():
    package = solvers.map_estimation
    assert {type(entry.runs) for entry in METHODS} == {
        package.Accelerated,
        package.Annealed,
        package.Encoded,
        package.Paper,
    }


@pytest.mark.parametrize("table", [GUIDANCE, METHODS, SAMPLERS, SOLVERS], ids=lambda table: table.input)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(table):
    with pytest.raises(ValueError, match=f"{table.input} is 'nonsense': choose one of .*{table.default}"):
        table["nonsense"]


def test_a_name_means_what_the_kind_of_model_asks_for():
    assert method_named("paper", "pixel", 0) != method_named("paper", "latent", 0)
    assert method_named("fast", "pixel", 3).steps == 3
    with pytest.raises(ValueError, match="method is 'accurate'"):
        method_named("accurate", "latent", 0)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_help_pages_list_what_the_table_holds(page):
    text = page.read_text(encoding="utf-8")
    assert written(text) == text, "python -m tools.write_choice_lists"


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("language", [folder.name for folder in (ROOT / "locales").iterdir()])
def test_translations_name_every_guidance_and_its_scales(language, kind):
    translated = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    inputs = translated[TABLES[kind]]["inputs"]
    entries = GUIDANCE.of(kind)
    assert [name for name in entries.names if name not in inputs["guidance"]["tooltip"]] == []
    scales = {f"{scale:g}" for entry in entries for scale in entry.scales.values()}
    assert [scale for scale in scales if scale not in inputs["guidance_scale"]["tooltip"]] == []


SIZE, NOISE_STD = 64, 0.025
DEGRADATIONS = {
    "inpainting": RandomInpainting(0.5),
    "super-resolution": SuperResolution(4),
    "deblurring": GaussianBlur(9, 1.5),
    "HDR": HDR(),
    "compressed sensing": CompressedSensing(2.0),
    "nonlinear blur": NonlinearBlur(GaussianBlur(9, 1.5)),
}
ADVISED = [
    pytest.param(entry.name, task, scale, id=f"{entry.name}, {task}")
    for entry in GUIDANCE.of("latent")
    for task, scale in entry.scales.items()
    if task in DEGRADATIONS
]


@pytest.fixture(scope="module")
def estimated():
    """estimated(task): the latent example, a photo, its measurement and the MAP estimate; each made once."""
    made = {}
    with torch.inference_mode():
        model, vae = load_latent_example()

    def get(task):
        if task not in made:
            with Image.open(ROOT / "workflows" / "photos" / "cat.png") as picture:
                square = picture.convert("RGB").crop((60, 60, 60 + 2 * SIZE, 60 + 2 * SIZE)).resize((SIZE, SIZE))
            image = torch.from_numpy(np.array(square, np.float32) / 255)[None]
            with torch.inference_mode():
                given = (model, vae, DEGRADATIONS[task], degrade(image, DEGRADATIONS[task], NOISE_STD, 0))
                latent, estimate, _ = LatentMAPEstimation.execute(*given, noise_std=NOISE_STD).args
            made[task] = given, image, latent, float(psnr(estimate, image))
        return made[task]

    return get


def steepness(given, latent):
    """|A D|^2 at a latent: the largest eigenvalue of J^T J, by power iteration, with J v by differences."""
    with torch.inference_mode(False):
        model, vae = load_latent_example()
        problem = Restoration(model, given[2], given[3].clone(), NOISE_STD, 0, vae).problem()
        z = model.model.latent_format.process_in(latent["samples"].clone())
        v = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
        for _ in range(12):
            v = 1e-2 * v / v.norm()
            with torch.no_grad():
                change = problem.residual(z - v) - problem.residual(z + v)
            leaf = z.clone().requires_grad_()
            (v,) = torch.autograd.grad(-(problem.residual(leaf) * change).sum(), leaf)
    return float(v.norm()) / 2e-2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "scale"), ADVISED)
def test_an_advised_scale_keeps_a_sample_as_near_as_theory_says(estimated, name, task, scale):
    """A posterior sample has twice the squared error of the posterior mean, 3.01 dB; at renoise .06, a tenth of the
    paper's, less. Half a decibel is for one picture and one draw of it: over five seeds, inpainting spread by .06.

    The scales are for Stable Diffusion's decoders. This one is steeper: where the step would be longer than |A D|^2
    allows (`LatentDPS`), half of what it allows.
    """
    given, image, latent, least = estimated(task)
    if "stable" not in name:
        scale = min(scale, 0.5 / steepness(given, latent))
    with torch.inference_mode():
        _, sample, _ = LatentRenoisedPosteriorSampling.execute(
            *given,
            latent,
            noise_std=NOISE_STD,
            renoise=0.06,
            guidance=name,
            guidance_scale=scale,
            sampler="every step (paper)",
        ).args
    assert float(psnr(sample, image)) >= least - 3.01 - 0.5
