"""The network of BKSE: "Explore Image Deblurring via Encoded Blur Kernel Space" (Tran et al., CVPR 2021)."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, pixel_shuffle, relu

from .weights import check_floating, read_weights

DEPTH = 5  # levels of the U-Net
Shapes = dict[str, tuple[int, ...]]


class Generator:
    """x + trunk(U-Net(features(x), k)), by the names of its weights in the released checkpoints.

    Features: a convolution and two that halve the size, then residual blocks. The U-Net halves it five times; k joins
    its innermost level. Trunk: residual blocks, then two convolutions that each double the size, and two more.

    Raises ValueError for weights that are of another network.
    """

    def __init__(self, weights: dict[str, Tensor], device: torch.device | str, dtype: torch.dtype):
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        first = shapes.get("feature_extractor.0.weight", ())
        self.width = first[0] if len(first) == 4 else 0
        self.codes = 8 * self.width
        self.front = _count(shapes, "feature_extractor", 6)
        self.back = _count(shapes, "recon_trunk", 0)
        expected = self._shapes()
        wrong = sorted(name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name))
        if wrong:
            raise ValueError(
                f"The weights are not those of a BKSE blur network, {len(wrong)} are missing, unknown or of another "
                f"shape, the first of them {wrong[0]!r}: use GOPRO_wVAE.pth as its authors released it."
            )
        self.weights = {name: value.to(dtype).to(device) for name, value in weights.items()}

    def __call__(self, x: Tensor, code: Tensor) -> Tensor:
        """Image [1, 3, H, W] in 0..1, sides multiples of 128, and code [1, codes, H / 128, W / 128] to the blurred."""
        features = x
        for i, stride in ((0, 1), (2, 2), (4, 2)):
            features = leaky_relu(self._convolve(features, f"feature_extractor.{i}", stride), 0.1)
        features = self._residual(features, "feature_extractor", 6, self.front)
        features = self._level(features, code, 0)
        features = self._residual(features, "recon_trunk", 0, self.back)
        for i in (0, 3):
            doubled = pixel_shuffle(self._convolve(features, f"recon_trunk.{self.back + i}"), 2)
            features = leaky_relu(doubled, 0.1)
        features = leaky_relu(self._convolve(features, f"recon_trunk.{self.back + 6}"), 0.1)
        return x + self._convolve(features, f"recon_trunk.{self.back + 8}")

    def _level(self, x: Tensor, code: Tensor, depth: int) -> Tensor:
        """A level of the U-Net and all below it."""
        name = _level_name(depth)
        if depth == 0:
            inner = self._level(self._convolve(x, f"{name}.down.0", 2), code, 1)
            return self._enlarge(inner, f"{name}.up.1").tanh()
        inner = self._convolve(leaky_relu(x, 0.2), f"{name}.down.1", 2)
        inner = torch.cat([inner, code], 1) if depth == DEPTH - 1 else self._level(inner, code, depth + 1)
        return torch.cat([self._enlarge(inner, f"{name}.up.1"), x], 1)

    def _residual(self, x: Tensor, name: str, start: int, blocks: int) -> Tensor:
        for i in range(start, start + blocks):
            x = x + self._convolve(relu(self._convolve(x, f"{name}.{i}.conv1")), f"{name}.{i}.conv2")
        return x

    def _convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """Of 3 x 3 or 4 x 4 taps."""
        return conv2d(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), stride, 1)

    def _enlarge(self, x: Tensor, name: str) -> Tensor:
        return conv_transpose2d(relu(x), self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), 2, 1)

    def _shapes(self) -> Shapes:
        """Of all weights, for this width and these numbers of blocks."""
        n = self.width
        shapes: Shapes = {}

        def convolution(name: str, outputs: int, inputs: int, taps: int = 3, bias: bool = True) -> None:
            shapes[f"{name}.weight"] = (outputs, inputs, taps, taps)
            if bias:
                shapes[f"{name}.bias"] = (outputs,)

        for i, inputs in ((0, 3), (2, n), (4, n)):
            convolution(f"feature_extractor.{i}", n, inputs)
        blocks = [f"feature_extractor.{6 + i}" for i in range(self.front)]
        for block in blocks + [f"recon_trunk.{i}" for i in range(self.back)]:
            convolution(f"{block}.conv1", n, n)
            convolution(f"{block}.conv2", n, n)
        outer = (n, n, 2 * n, 4 * n, 8 * n)
        inner = (n, 2 * n, 4 * n, 8 * n, 8 * n)
        for depth in range(DEPTH):
            name = _level_name(depth)
            convolution(f"{name}.down.{min(depth, 1)}", inner[depth], outer[depth], 4, bias=False)
            shapes[f"{name}.up.1.weight"] = (2 * inner[depth], outer[depth], 4, 4)
        shapes[f"{_level_name(0)}.up.1.bias"] = (n,)
        for i, outputs, inputs in ((0, 4 * n, n), (3, 256, n), (6, 64, 64), (8, 3, 64)):
            convolution(f"recon_trunk.{self.back + i}", outputs, inputs)
        return shapes


def load_generator(path: str, device: torch.device, dtype: torch.dtype) -> Generator:
    """The generator in a file of weights; those of the kernel extractor, which lie beside it, are passed over.

    Raises ValueError, in one sentence, for anything else.
    """
    name = Path(path).name
    try:
        weights, _ = read_weights(Path(path))
        check_floating(weights)
    except ValueError:
        raise ValueError(f"{name} is damaged or no file of weights: use GOPRO_wVAE.pth of BKSE.") from None
    if not weights:
        raise ValueError(f"{name} holds other things than named weights: use GOPRO_wVAE.pth of BKSE.")
    ours = {key: value for key, value in weights.items() if not key.startswith("kernel_extractor.")}
    return Generator(ours, device, dtype)


def _count(shapes: Shapes, name: str, start: int) -> int:
    """Number of residual blocks in a row."""
    return next(i for i in itertools.count() if f"{name}.{start + i}.conv1.weight" not in shapes)


def _level_name(depth: int) -> str:
    return "adapter.model" + ".submodule" * depth
