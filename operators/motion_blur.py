"""Deblurring of a photo taken with a moving or shaking camera."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..linalg.seeded import uniform
from .boundary import check_boundary
from .convolution import Blur

SAMPLES = 2000  # of the path; at the greatest length of 255 px that is one every eighth of a pixel
SHAKE = 2.0  # root mean square turn by tremor over the whole exposure, in radians
PULL = 6.0  # turning rate back to the start, per length of the path and per length away from it
JERKS = 2.0  # expected number of sudden reversals


@dataclass(frozen=True)
class MotionBlur(Blur):
    """Convolution with the path that the camera drew during the exposure, `length` px long and run at constant speed.

    intensity: 0 is a straight line at `angle` degrees, counter-clockwise as one sees the image. Above it, up to 1, the
    path sets out in that direction and then wanders as in Boracchi and Foi, "Modeling the performance of image
    restoration from motion blur", IEEE TIP 2012: a particle with inertia, under random tremor, a pull towards where it
    began, and rare sudden reversals, each in proportion to the intensity. Deblurring by diffusion models has used
    kernels of that kind since DPS (61 px, intensity 0.5). The law of the path is this project's own, so one seed gives
    other kernels here than there, but the same on every machine; see `trajectory`.

    The path is centred on its mean, so that nothing is shifted, and spread over the four pixels around each point.
    """

    length: float = 40.0
    angle: float = 0.0
    intensity: float = 0.5
    seed: int = 0
    boundary: str = "reflect"

    def __post_init__(self) -> None:
        if not 0 <= self.length <= 255:
            raise ValueError(f"The motion's length is {self.length}: use 0 to 255 pixels.")
        if not math.isfinite(self.angle):
            raise ValueError(f"The motion's angle is {self.angle}: use a number of degrees.")
        if not 0 <= self.intensity <= 1:
            raise ValueError(f"The motion's intensity is {self.intensity}: use 0 (straight) to 1 (shaky).")
        check_boundary(self.boundary)

    def kernel(self) -> Tensor:
        path = trajectory(self.length, self.angle, self.intensity, self.seed)
        corner = np.floor(path).astype(np.int64)
        part = path - corner
        radius = int(np.abs(path).max()) + 1
        weights = np.zeros((2 * radius + 1, 2 * radius + 1))
        for right in (0, 1):
            for down in (0, 1):
                share = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
                np.add.at(weights, (corner[:, 1] + down + radius, corner[:, 0] + right + radius), share)
        return torch.from_numpy(weights / SAMPLES)

    def describe(self) -> str:
        way = f"a line at {self.angle:g} degrees"
        if self.intensity > 0:
            way = f"intensity {self.intensity:g}, seed {self.seed}"
        return f"motion blur, {self.length:g} px, {way}, {self.boundary} boundary"


def trajectory(length: float, angle: float, intensity: float, seed: int) -> np.ndarray:
    """Points [SAMPLES, 2], x to the right and y down, in pixels about their mean, equally far apart along the path.

    With t from 0 to 1, q = intensity and z(t) the way from the start in units of the length, as a complex number, the
    speed is z' = exp(i phi) and the direction obeys, by Euler steps,
        d phi = q SHAKE dW  +  q PULL Im(-z conj(z')) dt  +  reversals,
    where the second term turns the particle towards its start, and reversals come at a rate of q JERKS and turn it by
    pi and up to half a radian more or less.
    """
    step = 1 / SAMPLES
    tremor, chance, turn = uniform(seed, 3, SAMPLES).tolist()
    place, heading, points = 0j, complex(math.cos(math.radians(angle)), -math.sin(math.radians(angle))), []
    for i in range(SAMPLES):
        points.append(place + heading * step / 2)
        place += heading * step
        pull = -PULL * (place * heading.conjugate()).imag * step
        bend = intensity * (SHAKE * math.sqrt(12 * step) * (tremor[i] - 0.5) + pull)
        if chance[i] < intensity * JERKS * step:
            bend += math.pi + turn[i] - 0.5
        heading *= complex(math.cos(bend), math.sin(bend))
    path = length * np.array(points)
    path -= path.mean()
    return np.stack((path.real, path.imag), 1)
