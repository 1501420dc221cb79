import numpy as np
import pytest
import torch

from maprps.operators.kernel_blur import KernelBlur


def test_keeps_the_kernel_scaled_to_sum_to_one():
    kernel = np.random.default_rng(0).random((4, 7))
    kept = KernelBlur.from_array(3 * kernel).kernel().numpy()
    np.testing.assert_allclose(kept, kernel / kernel.sum(), rtol=1e-15)
    from_tensor = KernelBlur.from_array(torch.from_numpy(kernel).float()).kernel().numpy()
    np.testing.assert_allclose(from_tensor, kernel / kernel.sum(), rtol=1e-6)


def test_a_kernel_may_sharpen():
    kernel = KernelBlur.from_array([[0, -1, 0], [-1, 6, -1], [0, -1, 0]], "replicate").kernel()
    assert kernel[1, 1] == 3 and kernel.min() == -0.5
    operator = KernelBlur.from_array([[0, -1, 0], [-1, 6, -1], [0, -1, 0]], "replicate").build(1, 8, 9)
    torch.testing.assert_close(operator(torch.ones(1, 1, 8, 9)), torch.ones(1, 1, 8, 9))


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        (np.zeros((3, 3)), "sum to 0: use a kernel that lets light through"),
        (-np.ones((3, 3)), "sum to -9"),
        (np.full((3, 3), np.nan), "sum to nan"),
        (np.zeros((0, 3)), "use one kernel"),
        (np.ones((1, 3, 3)), "use one kernel"),
    ],
)
def test_errors(kernel, says):
    with pytest.raises(ValueError, match=says):
        KernelBlur.from_array(kernel)
