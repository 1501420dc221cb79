"""Cancel is answered within a step of any iteration, also where no model is called, and leaves nothing behind."""

import comfy.model_management
import pytest
import torch
from labs.host_models import analytic_model

from maprps.host.degradation_info import inspect
from maprps.host.images import measured_problem
from maprps.host.match import keep_known, match_colors
from maprps.host.restoration import Restoration, estimate_map, sample_posterior
from maprps.nodes.choices import GUIDANCE, METHODS
from maprps.operators.convolution import Convolution
from maprps.operators.inpainting import Inpainting
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.phase_retrieval import FourierMagnitude, PhaseRetrieval
from maprps.solvers.posterior_sampling import dpm_solver

SIZE = 24
SHAKEN = MotionBlur(7.0, seed=1)


pytestmark = pytest.mark.usefixtures("as_in_a_node")


@pytest.fixture(autouse=True)
def interrupted_no_more():
    yield
    comfy.model_management.interrupt_current_processing(False)


@pytest.fixture
def cancelled(monkeypatch):
    """cancelled(work, owner, method): whether work() ends soon after the third call of the owner's method, in which the
    person cancels; after that, work() goes through."""

    def check(work, owner, method):
        calls, original = [], getattr(owner, method)

        def counted(*args):
            calls.append(1)
            if len(calls) == 3:
                comfy.model_management.interrupt_current_processing()
            return original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(owner, method, counted)
            with pytest.raises(comfy.model_management.InterruptProcessingException):
                work()
        assert 3 <= len(calls) <= 6
        work()

    return check


def denoise(x, sigma):
    return x / (1 + sigma.view(-1, 1, 1, 1) ** 2)


@pytest.fixture
def restoration():
    y = torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    return Restoration(analytic_model(denoise), SHAKEN, y, 0.05, 0)


@pytest.mark.parametrize("name", GUIDANCE.of("pixel").names)
def test_sampling(restoration, cancelled, name):
    term, start = GUIDANCE[name](0.1), restoration.measurement
    cancelled(
        lambda: sample_posterior(restoration, start, [0.3, 0.1, 0.03, 0.0], term, dpm_solver), Convolution, "_forward"
    )


@pytest.mark.parametrize("name", METHODS.of("pixel").names)
def test_map_estimation(restoration, cancelled, name):
    method = METHODS.of("pixel")[name]
    cancelled(lambda: estimate_map(restoration, type(method)(steps=6)), Convolution, "_forward")


def test_what_calls_no_model(cancelled):
    image = torch.rand(1, SIZE, SIZE, 3)
    cancelled(lambda: inspect(SHAKEN, image), Convolution, "_forward")
    problem = measured_problem(SHAKEN.build(3, SIZE, SIZE), image, 0.05)
    cancelled(lambda: match_colors(image, problem), Convolution, "_forward")
    hole = Inpainting.from_mask(torch.eye(SIZE))
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        keep_known(image, hole, image, 8)
    y = PhaseRetrieval().build(3, SIZE, SIZE)(image.movedim(-1, 1))
    operator = PhaseRetrieval().build(3, SIZE, SIZE)
    cancelled(lambda: operator.initial_guess(y), FourierMagnitude, "_fit")
