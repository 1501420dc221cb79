import pytest
import torch

from maprps.linalg.conjugate_gradients import conjugate_gradients


def systems(batch=4, n=20):
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(batch, n, n, generator=generator, dtype=torch.float64)
    matrices = root @ root.mT + torch.logspace(-2, 2, batch, dtype=torch.float64).view(-1, 1, 1) * torch.eye(n)
    return matrices, torch.randn(batch, n, generator=generator, dtype=torch.float64)


def test_solves_every_system_of_a_batch_to_the_tolerance():
    matrices, target = systems()
    x = conjugate_gradients(lambda v: (matrices @ v[..., None])[..., 0], target, tolerance=1e-8)
    residual = (matrices @ x[..., None])[..., 0] - target
    assert (residual.norm(dim=1) <= 1e-8 * target.norm(dim=1) * (1 + 1e-3)).all()
    torch.testing.assert_close(x, torch.linalg.solve(matrices, target), rtol=0, atol=1e-4)


def test_cut_short_it_gives_what_it_has():
    diagonal = torch.logspace(-6, 0, 50, dtype=torch.float64)
    target = torch.ones(1, 50, dtype=torch.float64)
    residuals = []
    for steps in (2, 8, 16):
        x = conjugate_gradients(lambda v: diagonal * v, target, 1e-9, steps, cut_short=True)
        residuals.append(float((diagonal.sqrt() * (x - target / diagonal)).norm()))  # falls with every step
        with pytest.raises(RuntimeError, match="stopped at a relative residual"):
            conjugate_gradients(lambda v: diagonal * v, target, 1e-9, steps)
    assert residuals[0] > residuals[1] > residuals[2]
    with pytest.raises(RuntimeError, match="not finite"):
        conjugate_gradients(lambda v: diagonal * v, target * torch.nan, 1e-9, 4, cut_short=True)


def test_exact_after_as_many_steps_as_there_are_eigenvalues():
    diagonal = torch.tensor([1.0, 3.0, 3.0, 7.0, 1.0], dtype=torch.float64)
    target = torch.arange(1, 6, dtype=torch.float64)[None]
    calls = []
    x = conjugate_gradients(lambda v: calls.append(1) or diagonal * v, target, tolerance=1e-12)
    assert len(calls) == 3
    torch.testing.assert_close(x, target / diagonal)


def test_a_preconditioner_saves_steps_and_changes_nothing():
    diagonal = torch.logspace(-4, 0, 40, dtype=torch.float64)
    target = torch.ones(2, 40, dtype=torch.float64)
    steps = []
    for near in (None, lambda v: v / (diagonal + 1e-3), lambda v: v / diagonal):
        calls = []
        x = conjugate_gradients(lambda v, c=calls: c.append(1) or diagonal * v, target, 1e-10, precondition=near)
        assert (diagonal * x - target).norm() <= 2e-10 * target.norm()
        steps.append(len(calls))
    assert steps[0] > steps[1] > steps[2] == 1


def test_a_converged_image_stands_still():
    diagonals = torch.stack([torch.linspace(1, last, 50) for last in (1.0, 2.0, 100.0, 1.0)])
    target = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    together = conjugate_gradients(lambda v: diagonals * v, target)
    for i in range(4):
        alone = conjugate_gradients(lambda v, i=i: diagonals[i] * v, target[i : i + 1])
        assert torch.equal(alone, together[i : i + 1])


def test_zero_right_hand_side():
    target = torch.zeros(2, 1, 3, 3)
    assert torch.equal(conjugate_gradients(lambda v: v, target), target)


def test_says_when_it_cannot_converge():
    diagonal = torch.logspace(-12, 0, 50)
    with pytest.raises(RuntimeError, match="relative residual of .* raise the noise std"):
        conjugate_gradients(lambda v: diagonal * v, torch.ones(1, 50), max_iterations=20)
    with pytest.raises(RuntimeError, match="not finite"):
        conjugate_gradients(lambda v: v, torch.tensor([[1.0, float("nan")], [1.0, 2.0]]))
