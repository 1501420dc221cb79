import torch

from maprps.evaluation.pictures import kernel_picture, mask_picture


def test_every_kernel_has_a_white_maximum_and_keeps_its_ratios():
    kernels = torch.tensor([[[0.1, 0.3, -0.1]], [[4.0, 2.0, 0.0]]], dtype=torch.float64)
    exact, shown = kernel_picture(kernels)
    assert exact.shape == (2, 1, 3, 3) and exact.dtype == torch.float32
    for channel in exact.unbind(-1):
        torch.testing.assert_close(channel, torch.tensor([[[1 / 3, 1.0, -1 / 3]], [[1.0, 0.5, 0.0]]]))
    assert shown.shape == (2, 64, 192, 3)  # the longer side is at least 192
    assert torch.equal(shown[:, ::64, ::64], exact)


def test_large_mask_is_shown_as_it_is():
    mask = (torch.rand(1, 200, 150) < 0.5).float()
    assert torch.equal(mask_picture(mask), mask[..., None].expand(-1, -1, -1, 3))
