import pytest
import torch

from maprps.linalg.least_squares import least_squares


def matrices(batch=3, rows=12, columns=9, rank=6):
    """Of that rank, each with other singular values, float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(batch, n, rank, generator=generator, dtype=torch.float64) for n in (rows, columns))
    return left @ right.mT, torch.randn(batch, rows, generator=generator, dtype=torch.float64)


def maps(matrix):
    return lambda x: (matrix @ x[..., None])[..., 0], lambda y: (matrix.mT @ y[..., None])[..., 0]


def solve(matrix, y, **options):
    return least_squares(*maps(matrix), y, 1e-12, 1e-13, **options)


@pytest.mark.parametrize(("rows", "columns", "rank"), [(12, 9, 9), (12, 9, 6), (7, 15, 7), (7, 15, 4), (5, 5, 5)])
def test_is_the_pseudo_inverse_whether_or_not_y_can_be_reached(rows, columns, rank):
    matrix, y = matrices(3, rows, columns, rank)
    wanted = (torch.linalg.pinv(matrix, rtol=1e-10) @ y[..., None])[..., 0]
    torch.testing.assert_close(solve(matrix, y), wanted, rtol=0, atol=1e-9)


def test_from_a_start_in_the_range_of_the_transpose():
    matrix, y = matrices()
    start = maps(matrix)[1](torch.ones_like(y))
    torch.testing.assert_close(solve(matrix, y, start=start), solve(matrix, y), rtol=0, atol=1e-9)


def test_a_weight_changes_nothing_where_y_can_be_reached_and_else_fits_by_it():
    matrix, y = matrices()
    weights = torch.linspace(1, 9, 12, dtype=torch.float64)
    reached = (matrix @ torch.ones(9, 1, dtype=torch.float64))[..., 0]
    got = solve(matrix, reached, weigh=lambda r: weights * r)
    torch.testing.assert_close(got, solve(matrix, reached), rtol=0, atol=1e-8)
    full, y = matrices(rank=9)
    root = weights.sqrt()
    wanted = torch.linalg.lstsq(root[:, None] * full, (root * y)[..., None]).solution[..., 0]
    torch.testing.assert_close(solve(full, y, weigh=lambda r: weights * r), wanted, rtol=0, atol=1e-8)


def test_a_weight_that_is_the_inverse_takes_one_step():
    values = torch.logspace(-3, 0, 30, dtype=torch.float64)
    y = torch.randn(1, 30, dtype=torch.float64)
    calls = []
    x = least_squares(lambda v: calls.append(1) or values * v, lambda v: values * v, y, weigh=lambda r: r / values**2)
    torch.testing.assert_close(x, y / values, rtol=1e-5, atol=0)
    assert len(calls) == 2  # and one to see that it is enough


def test_ends_where_what_is_left_is_out_of_reach():
    values = torch.tensor([1.0, 0.5, 1e-9], dtype=torch.float64)
    y = torch.ones(1, 3, dtype=torch.float64)
    x = least_squares(lambda v: values * v, lambda v: values * v, y)
    torch.testing.assert_close(x, torch.tensor([[1.0, 2.0, 0.0]]).double(), rtol=0, atol=1e-5)


def test_the_residual_of_what_can_be_reached_keeps_the_tolerance():
    matrix, _ = matrices()
    y = (matrix @ torch.ones(9, 1, dtype=torch.float64))[..., 0]
    for tolerance in (1e-2, 1e-5, 1e-8):
        residual = maps(matrix)[0](least_squares(*maps(matrix), y, tolerance, 1e-14)) - y
        assert (residual.norm(dim=1) <= tolerance * y.norm(dim=1) * (1 + 1e-3)).all()


def test_a_converged_image_stands_still():
    values = torch.stack([torch.linspace(1, last, 50) for last in (1.0, 2.0, 100.0, 1.0)])
    y = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    together = least_squares(lambda v: values * v, lambda v: values * v, y)
    for i in range(4):
        alone = least_squares(lambda v, i=i: values[i] * v, lambda v, i=i: values[i] * v, y[i : i + 1])
        assert torch.equal(alone, together[i : i + 1])


def test_zero_stays_zero():
    y = torch.zeros(2, 1, 3, 3)
    assert torch.equal(least_squares(lambda v: v, lambda v: v, y), y)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_says_when_the_measurement_is_not_finite(value):
    with pytest.raises(RuntimeError, match="not finite"):
        least_squares(lambda v: v, lambda v: v, torch.tensor([[1.0, value], [1.0, 2.0]]))
