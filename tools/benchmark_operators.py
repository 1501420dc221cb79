"""How fast the operators are: beside a bare loop of what they cannot do without, and beside deepinv, in one run.

    pip install deepinv                       # or: pip install ".[benchmark]"; without it, its columns stay empty
    python -m tools.benchmark_operators       # 512 x 512 x 3, one CPU thread

Every line is one operator and A, A^T or, where A is not linear, A with the gradient through it. Ours, the bare loop and
every way that deepinv offers take turns in each round, so that all meet the same machine. Given are medians over the
rounds, in ms; a ratio is the median of the rounds' ratios, ours over theirs, and below 1 we are faster. Of deepinv's
ways the fastest counts, and its name is given.

deepinv's mirrored borders do not repeat the edge pixel, its bicubic reduction by convolution has other weights, its
single-pixel camera does not scramble pixels, and its phase retrieval gives squared magnitudes behind a random phase
plate: these do the same work with other numbers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

from maprps.linalg.fft import fast_size
from maprps.operators import LinearOperator, Operator
from maprps.operators.blur import GaussianBlur
from maprps.operators.colorization import Colorization
from maprps.operators.compressed_sensing import CompressedSensing
from maprps.operators.inpainting import Mask
from maprps.operators.kernel_blur import KernelBlur
from maprps.operators.motion_blur import MotionBlur
from maprps.operators.phase_retrieval import PhaseRetrieval
from maprps.operators.random_inpainting import RandomInpainting
from maprps.operators.resampling import SuperResolution, resampling_matrix

try:
    import deepinv
except ImportError as error:
    deepinv = None
    print(f"deepinv is left out, as it cannot be imported ({error}): pip install deepinv")

KERNEL = 61
FACTOR = 4
KEPT = 0.5

Run = Callable[[], Tensor]
Way = dict[str, Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", help="parts of names of lines")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{'operator':36s} {'':4s} {'ours':>7s} {'bare':>7s} {'ratio':>6s} {'deepinv':>8s} {'ratio':>6s}  its way")
    for name, build in LINES.items():
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        for what, ours, bare, theirs in build(arguments.size):
            print(f"{name:36s} {what:4s} {compare(ours, bare, theirs, arguments.rounds)}", flush=True)


def compare(ours: Run, bare: Run | None, theirs: Way, rounds: int) -> str:
    """Columns from `ours` on."""
    ways = {"ours": ours} | ({"bare": bare} if bare else {}) | theirs
    times: dict[str, list[float]] = {name: [] for name in ways}
    for measured in [False, False] + [True] * rounds:
        for name, run in ways.items():
            began = time.perf_counter()
            run()
            if measured:
                times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in times.items()}

    def against(name: str | None) -> str:
        if name is None:
            return f"{'-':>7s} {'-':>6s}"
        ratio = statistics.median(a / b for a, b in zip(times["ours"], times[name], strict=True))
        return f"{medians[name]:7.2f} {ratio:6.2f}"

    best = min(theirs, key=lambda name: medians[name], default=None)
    return f"{medians['ours']:7.2f} {against('bare' if bare else None)}  {against(best)}  {best or ''}"


def linear(operator: Operator, size: int, bare: tuple[Run | None, Run | None], physics: dict) -> list:
    """Lines of a linear operator. bare: for A and for A^T. physics: deepinv's operators by name."""
    assert isinstance(operator, LinearOperator)
    x = image(size)
    y = operator(x)
    theirs = [(p, p.A(x)) for p in physics.values()]  # a measurement of their shape
    forward = {name: (lambda p=p: p.A(x)) for name, p in physics.items()}
    backward = {name: (lambda p=p, v=v: p.A_adjoint(v)) for name, (p, v) in zip(physics, theirs, strict=True)}
    return [
        ("A", lambda: operator(x), bare[0], forward),
        ("A^T", lambda: operator.adjoint(y), bare[1], backward),
    ]


def blur(boundary: str, kernel: Tensor, size: int) -> list:
    """A kernel of KERNEL x KERNEL px. The bare pair of transforms covers what the kernel reaches beyond the border."""
    x = image(size)
    full = size if boundary == "circular" else fast_size(size + KERNEL - 1)
    spread = torch.zeros(full, full)
    spread[:KERNEL, :KERNEL] = kernel
    response = rfft2(spread.roll((-(KERNEL // 2), -(KERNEL // 2)), (0, 1)))
    conjugate = response.conj().resolve_conj()
    bare = (
        lambda: irfft2(rfft2(x, s=(full, full)) * response, s=(full, full)),
        lambda: irfft2(rfft2(x, s=(full, full)) * conjugate, s=(full, full)),
    )
    physics = {}
    if deepinv:
        taps = kernel.float()[None, None]
        if boundary == "circular":
            physics["BlurFFT"] = deepinv.physics.BlurFFT((3, size, size), taps)
        physics["Blur"] = deepinv.physics.Blur(taps, padding=boundary)
        physics["Blur, use_fft"] = deepinv.physics.Blur(taps, padding=boundary, use_fft=True)
    operator = KernelBlur.from_array(kernel, boundary).build(3, size, size)
    return linear(operator, size, bare, physics)


def gaussian_blur(size: int) -> list:
    lines = blur("reflect", GaussianBlur(KERNEL, 3.0).kernel(), size)
    operator, x = GaussianBlur(KERNEL, 3.0).build(3, size, size), image(size)
    assert isinstance(operator, LinearOperator)
    ours = (lambda: operator(x), lambda: operator.adjoint(x))
    return [(what, own, *others) for own, (what, _, *others) in zip(ours, lines, strict=True)]


def motion_kernel() -> Tensor:
    """In the middle of KERNEL x KERNEL px."""
    path = MotionBlur(40.0, 30.0, 0.5, 1).kernel()
    kernel = path.new_zeros(KERNEL, KERNEL)
    corner = [(KERNEL - n) // 2 for n in path.shape]
    kernel[corner[0] : corner[0] + len(path), corner[1] : corner[1] + path.shape[1]] = path
    return kernel


def super_resolution(size: int) -> list:
    """The bare products are of dense matrices."""
    x, small = image(size), image(size // FACTOR)
    matrix = resampling_matrix(size, FACTOR, "bicubic").float()
    across = matrix.T.contiguous()
    bare = (lambda: matrix @ x @ across, lambda: across @ small @ matrix)
    physics = {}
    if deepinv:
        made = deepinv.physics.Downsampling
        physics["Downsampling"] = made((3, size, size), "bicubic", FACTOR, padding="reflect")
        physics["Downsampling, circular"] = made((3, size, size), "bicubic", FACTOR, padding="circular")
        physics["DownsamplingMatlab"] = deepinv.physics.DownsamplingMatlab(FACTOR)
    return linear(SuperResolution(FACTOR).build(3, size, size), size, bare, physics)


def mask(size: int) -> list:
    x, operator = image(size), RandomInpainting(KEPT).build(3, size, size)
    assert isinstance(operator, Mask)
    known = operator.known.float()
    physics = {"Inpainting": deepinv.physics.Inpainting((3, size, size), known[0])} if deepinv else {}
    return linear(operator, size, (lambda: x * known, lambda: x * known), physics)


def colorization(size: int) -> list:
    physics = {"Decolorize": deepinv.physics.Decolorize()} if deepinv else {}
    return linear(Colorization().build(3, size, size), size, (None, None), physics)


def compressed_sensing(block: int, size: int) -> list:
    physics = {}
    if deepinv and not block:
        kept = int(KEPT * size**2)
        physics["SinglePixelCamera"] = deepinv.physics.SinglePixelCamera(kept, (3, size, size), fast=True)
    return linear(CompressedSensing(1 / KEPT, block).build(3, size, size), size, (None, None), physics)


def phase_retrieval(size: int) -> list:
    """The gradient of <A(x), v> in x, with A(x) on the way."""
    operator = PhaseRetrieval().build(3, size, size)
    x, v = image(size), torch.rand(1, *operator.measurement_shape)
    forward, backward = {}, {}
    if deepinv:
        made = deepinv.physics.StructuredRandomPhaseRetrieval
        theirs = made((3, size, size), operator.measurement_shape, 1)
        u = torch.rand_like(theirs.A(x))
        forward["StructuredRandomPhaseRetrieval"] = lambda: theirs.A(x)
        backward["StructuredRandomPhaseRetrieval"] = lambda: pull_back(theirs.A, x, u)
    return [("A", lambda: operator(x), None, forward), ("grad", lambda: pull_back(operator, x, v), None, backward)]


def pull_back(function: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad((function(x) * v).sum(), x)[0]


def image(size: int) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))


LINES: dict[str, Callable[[int], list]] = {
    "blur 61x61, circular": lambda size: blur("circular", motion_kernel(), size),
    "blur 61x61, reflect": lambda size: blur("reflect", motion_kernel(), size),
    "Gaussian blur 61x61, reflect": gaussian_blur,
    "super-resolution x4, bicubic": super_resolution,
    "random mask": mask,
    "colorization": colorization,
    "compressed sensing x2, whole image": lambda size: compressed_sensing(0, size),
    "compressed sensing x2, blocks of 32": lambda size: compressed_sensing(32, size),
    "phase retrieval": phase_retrieval,
}


if __name__ == "__main__":
    main()
