"""The proximal step through a decoder D without a gradient of it: taken in pixels, then encoded.

    z = center + E(x+) - E(D(center)),      x+ = argmin_x |y - A(x)|^2 / (2 s^2) + |x - D(center)|^2_V / (2 variance)

What encoding and decoding alone change cancels. With J the Jacobian of D and E one of its left inverses, this is the
Gauss-Newton step, variance J^T A^T (s^2 I + variance A J J^T A^T)^-1 (y - A(D(center))), where V is J J^T. That has no
more rank than there are latents, which is less than there are pixels; what lies outside its range, encoding takes away.
So V is the stationary covariance of what lies inside: the power of J J^T over the share of a picture that D can show.
Both are read off, by frequency, for brightness and for two differences of colors, from one random probe of each of D
and E o D.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..linalg.cosine_basis import CosineBasis
from ..linalg.dot import dot
from ..linalg.rings import pooled
from ..linalg.stationary import Stationary
from .mean_jacobian import PROBE
from .noise import Noise
from .opponent import opponent
from .problem import Problem, identity
from .proximal import stationary_proximal

LEAST_SHARE = 0.1
"""Of a frequency that D can show: below that the measurement of it is noise."""


class Encoding:
    """The proximal step of a problem with a decoder and an encoder; D and E are probed at the latents given, [B, C, h,
    w]. Costs three decodings and two encodings, and each step a decoding and two encodings."""

    def __init__(self, problem: Problem, latents: Tensor):
        assert problem.encoder is not None
        self._decode, self._encode = problem.decoder, problem.encoder
        self.pixels = replace(problem, decoder=identity, encoder=None)
        self._unit = self._probed(latents)

    def covariance(self, variance: float | Tensor) -> Stationary:
        """What latents of that variance, a number or [B, 1, 1, 1], come to in pixels."""
        return replace(self._unit, power=variance * self._unit.power)

    def proximal(self, center: Tensor, variance: float | Tensor) -> Tensor:
        """About argmin_z |y - A(D(z))|^2 / (2 s^2) + |z - center|^2 / (2 variance), from center, [B, C, h, w]."""
        return self._moved(center, variance)[0]

    def corrected(self, center: Tensor, variance: float | Tensor) -> tuple[Tensor, Tensor]:
        """The same, decoded, and encoded again to make up for what encoding had changed; and the root mean square
        residual of what was decoded, in units of the noise, [B]. At high noise levels that is not needed: what a step
        misses there, the next ones mend."""
        z, target = self._moved(center, variance)
        decoded = self._decode(z)
        return z + target - self._encode(decoded), self.pixels.relative_residual(decoded)

    def _moved(self, center: Tensor, variance: float | Tensor) -> tuple[Tensor, Tensor]:
        """center + E(x+) - E(D(center)), and E(x+)."""
        decoded = self._decode(center)
        moved = stationary_proximal(self.pixels, decoded, self.covariance(variance))
        target = self._encode(self._up_to_noise(decoded, moved))
        return center + target - self._encode(decoded), target

    def _up_to_noise(self, x: Tensor, moved: Tensor) -> Tensor:
        """The first point from x to moved whose residual is as large as the noise, or moved (Morozov's discrepancy
        principle): V counts every pattern as one that D shows, and so trusts y too much. Exact for a linear A."""
        residual = self.pixels.residual(x)
        change = residual - self.pixels.residual(moved)
        noise = self.pixels.noise_std**2 * self.pixels.operator.measured
        square, slope, excess = dot(change, change), dot(residual, change), dot(residual, residual) - noise
        root = (slope**2 - square * excess).sqrt()  # NaN where the line does not come as near as that
        part = (excess / (slope + root)).nan_to_num(1.0).clamp(0, 1)
        return torch.lerp(x, moved, part)

    def _probed(self, z: Tensor) -> Stationary:
        noise = Noise(0, [0] * len(z), 0)  # one probe for all images, so that none depends on its batch
        x = self._decode(z)
        shown = self._decode(z + PROBE * noise.like(z)) - x
        pattern = PROBE / 2 * noise.like(x)
        kept = self._decode(z + self._encode(x + pattern) - self._encode(x)) - x

        basis = CosineBasis.of(x)
        probed = Stationary(basis, torch.ones_like(x), opponent(x))
        shown, kept, pattern = (probed.modes(image) for image in (shown, kept, pattern))
        products = torch.stack([torch.ones_like(x), shown.square(), kept * pattern, pattern.square()])
        count, shown_power, kept_share, pattern_power = pooled(basis.rings.sums(products))
        power = shown_power / count / PROBE**2
        share = (kept_share / pattern_power).clamp(LEAST_SHARE, 1)
        return replace(probed, power=basis.rings.between(power / share))
