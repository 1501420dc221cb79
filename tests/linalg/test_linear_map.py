import torch

from maprps.linalg.linear_map import linear_map


def test_backward_is_the_transpose_however_often():
    matrix = torch.randn(4, 3, dtype=torch.float64)
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: linear_map(v, matrix.mv, matrix.T.mv), x)
    assert torch.autograd.gradgradcheck(lambda v: linear_map(v, matrix.mv, matrix.T.mv).square().sum(), x)


def test_may_write_to_what_it_made_itself():
    def double(value):
        return value.clone().mul_(2)

    x = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(linear_map(x, double, double).square().sum(), x)
    assert torch.equal(gradient, torch.full((3,), 8.0))


def test_the_backward_pass_is_not_cast_down():
    matrix = torch.randn(8, 8)
    x = torch.randn(8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        result = linear_map(x, lambda v: matrix @ v, lambda v: matrix.T @ v)
        (gradient,) = torch.autograd.grad(result.sum(), x)
    assert torch.equal(result, matrix @ x)
    assert torch.equal(gradient, matrix.T @ torch.ones(8, 8))
