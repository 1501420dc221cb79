import pytest
import torch
from torch.autograd import grad
from torch.fft import irfft2, rfft2

from maprps.estimation.blur_shapes import gaussian, path, point, straight
from maprps.estimation.few_edges import response
from maprps.estimation.patch_spectra import PatchSpectra, periodograms, smoothed

NOISE = 0.01


@pytest.fixture(scope="module")
def plane(photo):
    return photo("coffee")[0].mean(-1)


def blurred(plane, kernel):
    return irfft2(response(kernel, plane.shape) * rfft2(plane), s=plane.shape)


def test_white_noise_of_variance_v_has_power_v():
    power = periodograms(3 * torch.randn(224, 224), 32)
    assert float(power[:, 2:-2, 2:-2].mean()) == pytest.approx(9, rel=0.03)


def test_a_window_keeps_what_is_even_and_spreads_a_line():
    even, line = torch.ones(8, 8), torch.zeros(8, 8)
    torch.testing.assert_close(smoothed(even), even)
    line[3, 4] = 36.0
    spread = smoothed(line)
    assert spread[3, 4] == 16 and spread[3, 5] == spread[2, 4] == 4 and spread[4, 5] == 1


def test_gain_of_no_blur_is_one_and_that_of_a_shift_too():
    spectra = PatchSpectra(torch.randn(64, 64), 32)
    shift = torch.zeros(9, 9)
    shift[2, 7] = 1
    for kernel in (point(torch.zeros(()), 9), shift):
        gain = spectra.gain(kernel, 0.0)
        torch.testing.assert_close(gain, torch.ones_like(gain))


def test_what_is_turned_by_180_degrees_is_as_evident(plane):
    spectra, kernel = PatchSpectra(plane, 32), torch.rand(7, 7)
    assert spectra.evidence(kernel, NOISE**2) == pytest.approx(spectra.evidence(kernel.rot90(2), NOISE**2), rel=1e-12)


def test_evidence_is_largest_for_the_true_kernel(plane):
    kernels = {"none": point(torch.zeros(()), 15), "wide": gaussian(torch.tensor(0.7), 15)}
    kernels |= {
        f"{length} px at {angle}": path(straight(length, angle), 15)
        for length in (3.0, 6.0, 9.0)
        for angle in (0, 45, 90)
    }
    for name, kernel in kernels.items():
        y = blurred(plane, kernel) + NOISE * torch.randn(plane.shape)
        spectra = PatchSpectra(y, 32)
        evidence = {other: spectra.evidence(kernels[other], NOISE**2) for other in kernels}
        assert max(evidence, key=evidence.get) == name


def test_expected_evidence_touches_the_evidence(plane):
    """The bound of expectation maximization has the evidence's slope where the shares were taken."""
    spectra = PatchSpectra(plane + NOISE * torch.randn(plane.shape), 32)
    log_std, noise = torch.tensor(0.3, dtype=torch.float64), torch.tensor(NOISE**2)

    def at(step):
        return spectra.evidence(gaussian(log_std.detach() + step, 15), NOISE**2)

    shares = spectra.shares(spectra.gain(gaussian(log_std, 15)), noise)
    log_std.requires_grad_()
    (slope,) = grad(spectra.expected(shares, spectra.gain(gaussian(log_std, 15)), noise), log_std)
    assert float(slope) == pytest.approx((at(1e-4) - at(-1e-4)) / 2e-4, rel=0.02)
