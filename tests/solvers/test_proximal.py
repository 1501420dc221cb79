"""The proximal step solves what it says: normal equations where A is linear, stationarity where it is not."""

import pytest
import torch

from maprps.linalg.cosine_basis import CosineBasis
from maprps.linalg.stationary import Stationary
from maprps.operators.base import Operator
from maprps.operators.blur import GaussianBlur
from maprps.operators.denoising import Denoising
from maprps.operators.inpainting import Inpainting
from maprps.operators.resampling import SuperResolution
from maprps.solvers import proximal as proximal_module
from maprps.solvers.problem import Problem
from maprps.solvers.proximal import LEAST_FILLED_NOISE, proximal, stationary_proximal

S = 0.05
SIZE = 16
OPERATORS = {
    "denoising": Denoising(),
    "inpainting": Inpainting.from_mask(torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0)) < 0.5),
    "super-resolution": SuperResolution(4, "bicubic"),
    "blur": GaussianBlur(9, 1.5, "reflect"),
}


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def problem_and_center(degradation, batch=3, noise_std=S):
    operator = degradation.build(3, SIZE, SIZE, dtype=torch.float64)
    y = operator.keep(random(batch, *operator.measurement_shape, seed=1))
    return Problem(operator, y, noise_std), random(batch, 3, SIZE, SIZE, seed=2)


@pytest.mark.parametrize("name", OPERATORS)
def test_normal_equations(name):
    """A^T (y - A z) / s^2 = (z - center) / variance, with one variance for all images or one for each."""
    problem, center = problem_and_center(OPERATORS[name])
    for variance in (0.3**2, torch.tensor([0.01, 0.09, 4.0]).view(-1, 1, 1, 1)):
        z = proximal(problem, center, variance)
        pull = problem.operator.adjoint(problem.residual(z)) * variance / S**2
        assert (pull - (z - center)).norm() <= 1e-8 * (z - center).norm()


def stationary(batch=3):
    """Power that falls with frequency, another for each image."""
    basis = CosineBasis.of(torch.empty(1, 1, SIZE, SIZE, dtype=torch.float64))
    scale = torch.tensor([0.1, 0.3, 1.0])[:batch].view(-1, 1, 1, 1)
    return Stationary(basis, scale / (1 + basis.radius**2 / 4))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("noise_std", [S, LEAST_FILLED_NOISE / 2])
def test_stationary_normal_equations(name, noise_std, monkeypatch):
    """z - center = R A^T (y - A z) / s^2, where masks are filled in and where the noise is too little for that."""
    monkeypatch.setattr(proximal_module, "STATIONARY_TOLERANCE", 1e-10)
    monkeypatch.setattr(proximal_module, "FILLING_TOLERANCE", 1e-12)
    monkeypatch.setattr(proximal_module, "FILLING_ITERATIONS", 300)
    problem, center = problem_and_center(OPERATORS[name], noise_std=noise_std)
    covariance = stationary()
    z = stationary_proximal(problem, center, covariance, iterations=300)
    pull = covariance(problem.operator.adjoint(problem.residual(z))) / noise_std**2
    assert (pull - (z - center)).norm() <= 1e-6 * (z - center).norm()


@pytest.mark.parametrize("name", OPERATORS)
def test_white_covariance_is_the_isotropic_step(name):
    problem, center = problem_and_center(OPERATORS[name])
    white = Stationary(CosineBasis.of(center), torch.full((3, 1, SIZE, SIZE), 0.09, dtype=torch.float64))
    z = stationary_proximal(problem, center, white)
    expected = proximal(problem, center, 0.09)
    assert (z - expected).norm() <= 1e-8 * (expected - center).norm()


class Pointwise(Operator):
    """y = f(B x) with a Gaussian blur B, element by element."""

    def __init__(self, function, dtype):
        self.blur = GaussianBlur(5, 0.8, "reflect").build(1, 12, 12, dtype=dtype)
        super().__init__(self.blur.space, self.blur.measurement_shape)
        self.function = function

    def _forward(self, x):
        return self.function(self.blur(x))

    def _initial_guess(self, y):
        return y


FUNCTIONS = {
    "saturation": lambda x: torch.tanh(1.5 * x),
    "high dynamic range": lambda x: (2 * x).clamp(-1, 1),
    "linear": lambda x: x,
}


def nonlinear(function, dtype=torch.float64, batch=4):
    operator = Pointwise(function, dtype)
    shape = batch, 1, 12, 12
    truth = 1.8 * operator.blur(random(*shape, seed=3, dtype=dtype))
    y = operator(truth) + S * random(*shape, seed=4, dtype=dtype)
    return Problem(operator, y, S), truth + 0.3 * random(*shape, seed=5, dtype=dtype)


def objective(problem, center, variance, x):
    fit = problem.residual(x).square().flatten(1).sum(1) / S**2
    return fit + ((x - center).square() / variance).flatten(1).sum(1)


def minimum(problem, center, variance, start):
    """By L-BFGS in float64, from `start`."""
    x = start.double().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], lr=1, max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = objective(problem, center, variance, x).sum()
        value.backward()
        return value

    optimizer.step(closure)
    return x.detach()


@pytest.mark.parametrize("variance", [0.05**2, 0.3**2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nonlinear_step_is_the_minimizer(name, variance):
    problem, center = nonlinear(FUNCTIONS[name], torch.float32)
    z = proximal(problem, center, variance)
    problem, center = nonlinear(FUNCTIONS[name])
    best = minimum(problem, center, variance, z)
    reached, least, before = (objective(problem, center, variance, x.double()) for x in (z, best, center))
    assert (reached <= before).all()
    assert ((reached - least) <= 2e-3 * (before - least)).all()


@pytest.fixture
def many_iterations(monkeypatch):
    monkeypatch.setattr(proximal_module, "DESCENT_EVALUATIONS", 500)
    monkeypatch.setattr(proximal_module, "DESCENT_TOLERANCE", 0.0)


def test_nonlinear_optimality_condition(many_iterations):
    """J^T (y - A(z)) / s^2 = (z - center) / variance, to which the iterations converge."""
    problem, center = nonlinear(FUNCTIONS["saturation"])
    variance = 0.3**2
    z = proximal(problem, center, variance)
    _, pull = torch.func.vjp(problem.operator, z)
    force = pull(problem.residual(z))[0] * variance / S**2
    assert (force - (z - center)).norm() <= 1e-5 * (z - center).norm()


def test_nonlinear_optimality_condition_with_a_stationary_covariance(many_iterations):
    """z - center = R J^T (y - A(z)) / s^2."""
    problem, center = nonlinear(FUNCTIONS["saturation"])
    basis = CosineBasis.of(center)
    covariance = Stationary(basis, (0.09 / (1 + basis.radius**2 / 9)).expand(4, 1, -1, -1))
    z = stationary_proximal(problem, center, covariance)
    _, pull = torch.func.vjp(problem.operator, z)
    force = covariance(pull(problem.residual(z))[0]) / S**2
    assert (force - (z - center)).norm() <= 1e-5 * (z - center).norm()


def test_nonlinear_path_agrees_with_the_closed_form():
    problem, center = nonlinear(FUNCTIONS["linear"])
    closed = Problem(problem.operator.blur, problem.measurement, S)
    expected = proximal(closed, center, 0.09)
    assert (proximal(problem, center, 0.09) - expected).norm() <= 0.02 * (expected - center).norm()


def test_nonlinear_step_does_not_depend_on_its_batch():
    problem, center = nonlinear(FUNCTIONS["high dynamic range"])
    together = proximal(problem, center, 0.09)
    for i in range(4):
        alone = Problem(problem.operator, problem.measurement[i : i + 1], S)
        assert torch.allclose(proximal(alone, center[i : i + 1], 0.09), together[i : i + 1], rtol=0, atol=1e-10)


def test_the_objective_never_rises_from_a_bad_center():
    """Where the slope of a saturated A vanishes, whole Gauss-Newton steps overshoot."""
    problem, center = nonlinear(FUNCTIONS["saturation"])
    center = center + 2 * torch.sign(center)
    z = proximal(problem, center, 1.0)
    assert (objective(problem, center, 1.0, z) < objective(problem, center, 1.0, center)).all()
