import pytest
import torch

from maprps.linalg.lanczos import largest_eigenvalue


@pytest.mark.parametrize("n", [1, 2, 7, 400])
def test_is_the_largest_eigenvalue(n):
    root = torch.randn(n, n, dtype=torch.float64)
    matrix = root @ root.T
    got = largest_eigenvalue(lambda v: matrix @ v, torch.randn(n, dtype=torch.float64))
    wanted = float(torch.linalg.eigvalsh(matrix)[-1])
    assert got == pytest.approx(wanted, rel=1e-4)
    assert got <= wanted * (1 + 1e-12)


def test_ends_at_once_for_a_multiple_of_the_identity():
    calls = []
    assert largest_eigenvalue(lambda v: calls.append(1) or 3 * v, torch.ones(2, 5)) == pytest.approx(3)
    assert len(calls) == 1


def test_eigenvalues_close_to_the_largest():
    values = 1 - torch.linspace(0, 1, 1000, dtype=torch.float64) ** 2
    calls = []
    got = largest_eigenvalue(lambda v: calls.append(1) or values * v, torch.ones(1000, dtype=torch.float64))
    assert got == pytest.approx(1, rel=1e-4)
    assert len(calls) < 200
