"""Compressed sensing against dense Hadamard matrices."""

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from maprps.linalg.hadamard import walsh_hadamard
from maprps.operators.compressed_sensing import CompressedSensing


def dense(operator):
    n = operator.image_shape[1] * operator.image_shape[2]
    basis = torch.eye(n, dtype=torch.float64).view(n, 1, *operator.image_shape[1:])
    return operator(basis).flatten(1).T.numpy()


def powers(n):
    """The powers of two that add up to n."""
    return [2**k for k in range(20) if n & 2**k]


@pytest.mark.parametrize("size", [1, 2, 4, 8, 64, 256])
def test_transform_is_the_hadamard_matrix(size):
    x = torch.rand(2, 3, 5 * size, dtype=torch.float64)
    wanted = x.unflatten(2, (5, size)) @ torch.from_numpy(hadamard(size)).double() / size**0.5
    torch.testing.assert_close(walsh_hadamard(x, size), wanted.flatten(2), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (1, 1), (1, 13), (16, 10)])
@pytest.mark.parametrize("block", [0, 8])
def test_nothing_left_out_is_an_orthonormal_transform(shape, block):
    matrix = dense(CompressedSensing(1.0, block).build(1, *shape, dtype=torch.float64))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-14)


@pytest.mark.parametrize("rows", ["random", "first"])
@pytest.mark.parametrize("shape", [(8, 16), (7, 9), (5, 26)])
def test_rows_are_signed_sums_over_powers_of_two(rows, shape):
    matrix = dense(CompressedSensing(2.0, 0, rows).build(1, *shape, dtype=torch.float64))
    sizes = powers(shape[0] * shape[1])
    for row in matrix[np.abs(matrix).sum(1) > 0]:
        support = row[np.abs(row) > 1e-12]
        assert len(support) in sizes
        np.testing.assert_allclose(np.abs(support), len(support) ** -0.5, rtol=1e-12)


def test_first_rows_are_those_of_the_scrambled_image():
    """Permute the pixels, transform, keep the first 1 / ratio."""
    matrix = dense(CompressedSensing(4.0, 0, "first", seed=5).build(1, 8, 8, dtype=torch.float64))
    full = dense(CompressedSensing(1.0, 0, seed=5).build(1, 8, 8, dtype=torch.float64))
    np.testing.assert_allclose(matrix[:16], full[:16], atol=1e-15)
    assert np.abs(matrix[16:]).max() == 0
    columns = np.lexsort(np.sign(full)[::-1])  # columns of +-1 in a fixed order are those of the Hadamard matrix
    wanted = hadamard(64)[:, np.lexsort(hadamard(64)[::-1])] / 8
    np.testing.assert_allclose(full[:, columns], wanted, atol=1e-14)
    assert not np.array_equal(columns, np.sort(columns))


def test_blocks_are_measured_one_by_one():
    operator = CompressedSensing(3.0, 8).build(1, 19, 26, dtype=torch.float64)
    matrix = dense(operator).reshape(19, 26, 19, 26)
    block = np.arange(19)[:, None] // 8 * 4 + np.arange(26) // 8
    for i in np.unique(block):
        assert np.abs(matrix[block == i][:, block != i]).max() == 0


@pytest.mark.parametrize("block", [0, 8, 16])
def test_the_sum_of_a_block_is_always_among_random_rows(block):
    operator = CompressedSensing(16.0, block).build(1, 32, 48, dtype=torch.float64)
    matrix = dense(operator)
    sums = (matrix >= 0).all(1) & (matrix.sum(1) > 0)
    assert sums.sum() == (32 * 48 // block**2 if block else 1)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.3, 16.0, 64.0])
@pytest.mark.parametrize("shape", [(1, 1), (15, 15), (32, 32)])
def test_ratio(ratio, shape):
    pixels = shape[0] * shape[1]
    assert CompressedSensing(ratio).build(3, *shape).measured == 3 * max(1, round(pixels / ratio))
    first = CompressedSensing(ratio, 0, "first").build(3, *shape).measured
    assert first == 3 * sum(int(np.ceil(n / ratio)) for n in powers(pixels))


def test_every_channel_alike_and_seeds_apart():
    x = torch.rand(1, 1, 16, 16).expand(1, 3, 16, 16)
    one, other = (CompressedSensing(seed=seed).build(3, 16, 16) for seed in (0, 1))
    assert torch.equal(one(x)[:, 0], one(x)[:, 2])
    assert 0.3 < float((one.known == other.known).float().mean()) < 0.7
    assert not torch.equal(one(x), other(x))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CompressedSensing(0.5), "use 1 to 64"),
        (lambda: CompressedSensing(2.0, 12), "use 0, 8, 16, 32, 64"),
        (lambda: CompressedSensing(2.0, 0, "last"), "use random or first"),
    ],
)
def test_errors(make, says):
    with pytest.raises(ValueError, match=says):
        make()
