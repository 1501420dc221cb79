"""What a measurement knows of an image, and what it does not."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from .contact_sheet import contact_sheet


def seen_sheet(image: Tensor, unseen: Tensor) -> Tensor:
    """IMAGE [1, height, width, 3]: an image, the part that its measurement knows, and the part that it does not.

    image, unseen: [H, W, C]. The unseen part, which has both signs, is drawn around mid-grey and as strong as fits: the
    caption says by how much.
    """
    top = float(np.quantile(unseen.abs().numpy(force=True), 0.995))
    gain = 0.5 / top if top > 1e-4 else 1.0
    return contact_sheet(
        [image, image - unseen, 0.5 + gain * unseen], ["image", "seen", f"unseen\naround grey, x {gain:.2g}"]
    )
