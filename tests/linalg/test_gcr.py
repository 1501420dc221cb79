"""GCR against direct solves."""

import pytest
import torch

from maprps.linalg import cancel
from maprps.linalg.dot import norm
from maprps.linalg.gcr import gcr


def system(count=3, size=12):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.eye(size) + 0.2 * torch.randn(count, size, size, generator=generator)
    return matrix.double(), torch.randn(count, size, generator=generator).double()


def times(matrix, x):
    return (matrix @ x[..., None])[..., 0]


def test_equals_the_direct_solution():
    matrix, target = system()
    x = gcr(lambda r: (r, times(matrix, r)), target, 1e-12, 12)
    assert torch.allclose(x, torch.linalg.solve(matrix, target), rtol=0, atol=1e-9)


def test_exact_preconditioner_needs_one_step():
    matrix, target = system()

    def step(residual):
        z = torch.linalg.solve(matrix, residual)
        return z, times(matrix, z)

    assert torch.allclose(gcr(step, target, 1e-9, 1), torch.linalg.solve(matrix, target), rtol=0, atol=1e-12)


def test_preconditioner_may_change_from_step_to_step():
    matrix, target = system()
    scales = iter(range(1, 40))

    def step(residual):
        z = residual * torch.linspace(1, next(scales), residual.shape[1])
        return z, times(matrix, z)

    assert torch.allclose(gcr(step, target, 1e-12, 12), torch.linalg.solve(matrix, target), rtol=0, atol=1e-8)


def test_answer_is_a_linear_function_of_the_solution():
    matrix, target = system()
    x = gcr(lambda r: (-3 * r.flip(1), times(matrix, r)), target, 1e-12, 12)
    assert torch.allclose(x, -3 * torch.linalg.solve(matrix, target).flip(1), rtol=0, atol=1e-9)


def test_residual_falls_with_every_step():
    matrix, target = system()
    left = [norm(target - times(matrix, gcr(lambda r: (r, times(matrix, r)), target, 0, n))) for n in range(1, 9)]
    assert all((after < before).all() for before, after in zip(left[:-1], left[1:], strict=True))


def test_images_are_solved_each_for_itself():
    """One is done at once, one has nothing to solve."""
    matrix, target = system()
    matrix[1], target[2] = torch.eye(12), 0
    together = gcr(lambda r: (r, times(matrix, r)), target, 1e-3, 12)
    for i in range(3):
        alone = gcr(lambda r, i=i: (r, times(matrix[i : i + 1], r)), target[i : i + 1], 1e-3, 12)
        assert torch.equal(together[i : i + 1], alone)
    assert torch.equal(together[2], torch.zeros(12).double())


def test_can_be_cancelled(monkeypatch):
    matrix, target = system()

    class Cancelled(Exception):
        pass

    def cancelled():
        raise Cancelled

    monkeypatch.setattr(cancel, "_answer", cancelled)
    with pytest.raises(Cancelled):
        gcr(lambda r: (r, times(matrix, r)), target, 1e-9, 3)
