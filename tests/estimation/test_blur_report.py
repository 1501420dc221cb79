import math

import pytest
import torch

from maprps.estimation.blur_report import describe_blur, extent
from maprps.estimation.blur_shapes import bent, disk, gaussian, path, point, straight
from maprps.estimation.shape_search import Fit, Shapes
from maprps.operators.anisotropic_blur import AnisotropicGaussianBlur

SIZE = 31


@pytest.mark.parametrize("angle", [0.0, 20.0, 90.0, 150.0])
def test_extent_of_an_anisotropic_gaussian_is_its_sigmas_and_angle(angle):
    kernel = AnisotropicGaussianBlur(41, 4.0, 1.5, angle).kernel()
    assert extent(kernel) == pytest.approx((4.0, 1.5, angle), rel=1e-3, abs=1e-3)


def shapes(**evidence):
    line = straight(20.0, 110.0)
    numbers = {
        "none": (point, torch.zeros(())),
        "gaussian": (gaussian, torch.tensor(2.0).log()),
        "disk": (disk, torch.tensor(4.0).log()),
        "line": (path, line),
        "path": (path, bent(line, 6, arc=0.3)),
    }
    return Shapes(**{name: Fit(*numbers[name], 1e-4, evidence.get(name, 0.0)) for name in numbers})


def text(name, size=SIZE, **evidence):
    known = shapes(**evidence)
    found = getattr(known, name)
    return describe_blur(found.draw(found.numbers, size), found, known)


def test_a_line_is_read_as_its_motion():
    assert "straight motion of 20 px at 110 degrees" in text("line", line=900.0)
    assert "well founded: evidence 900 above that of no blur, 400 above that of a disk" in text(
        "line", line=900.0, disk=500.0, path=920.0
    )
    assert "a guess" in text("line", line=50.0) and "well founded" not in text("line", line=50.0)


def test_an_angle_is_below_180_degrees():
    known = shapes(line=900.0)
    line = known.line._replace(numbers=straight(20.0, 179.8))
    assert "20 px at 0 degrees" in describe_blur(path(line.numbers, SIZE), line, known._replace(line=line))


def test_round_kernels_are_read_as_what_they_are():
    assert "round: a Gaussian of sigma 2.0" in text("gaussian", gaussian=900.0)
    assert "round: a lens out of focus (disk of radius 4.0)" in text("disk", disk=900.0)
    assert "straight motion of" not in text("disk", disk=900.0)
    assert "larger size" not in text("disk", disk=900.0)
    along, across, _ = extent(disk(torch.tensor(8.0).log(), 21))
    assert along == pytest.approx(8 / 2, rel=0.02) and math.isclose(along, across, rel_tol=1e-4)


def test_a_bent_path_is_read_as_shaken():
    assert "bent: a shaken camera" in text("path", path=900.0)


def test_what_is_wrong_with_a_kernel_is_said():
    assert "hardly any blur" in text("none")
    assert "use a larger size" in text("line", size=13, line=900.0)
