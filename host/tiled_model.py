"""The host's model piece by piece, each piece with its own part of the conditioning."""

from __future__ import annotations

import copy
from collections.abc import Callable

import comfy.conds
import comfy.controlnet
import comfy.model_base
import comfy.model_patcher
import comfy.samplers
import comfy.utils
import torch
from torch import Tensor

from .pixel_model import HostPixelNetwork
from .tiles import Cut, Piece, cuts_of, piecewise

MULTIPLE = 64
"""Pixels, of which the strides of the host's networks are divisors."""
LARGEST = 1024
"""Pixels a side that models of today are made for, but for those in `TRAINED`."""
TRAINED = {768: 512, 1024: 768}
"""The same by the width of the prompts of a UNet: Stable Diffusion 1 and 2."""
EXACT_SIZES = 1536, 1024, 768
"""Pixels a side, of a network whose tiles are as good as the whole."""


def network_cuts(model: comfy.model_patcher.ModelPatcher, picture: tuple[int, int], ratio: int, tile: int) -> list[Cut]:
    """Ways to cut pictures of this height and width in latents, from the fastest to the most sparing.

    ratio: pixels of a latent's side. tile: of a tile's side, 0 for what suits the model. A network with a finite
    receptive field has tiles that see half of it beyond what they are used for: what the embedded prior sees farther
    away changes its result by less than 5e-6, at any noise level. Such tiles are at least twice as large as what they
    share. Any other network has tiles of the size that it was trained on, where it is at its best, and of which a
    quarter is shared with a neighbour.
    """
    network = model.model.diffusion_model
    radius = network.receptive_radius if isinstance(network, HostPixelNetwork) else None
    if radius is not None:
        multiple = network.network.config.multiple
        margin = -(-radius // (2 * multiple)) * multiple
        shared = 2 * margin + multiple
        sizes = [tile // multiple * multiple] if tile else EXACT_SIZES
        sizes = [max(size, 2 * shared) for size in sizes]
        return cuts_of(picture, sizes, lambda _: shared, margin, multiple, by_hand=tile > 0)
    multiple = max(MULTIPLE // ratio, 1)
    size = max((tile or trained_size(model)) // ratio // multiple, 2) * multiple
    return cuts_of(picture, [size], lambda size: size // 4, 0, multiple, by_hand=tile > 0)


def trained_size(model: comfy.model_patcher.ModelPatcher) -> int:
    """Pixels a side of the pictures that the model knows best."""
    config = model.model.model_config
    size = getattr(config, "trained_size", None)
    return size or TRAINED.get(config.unet_config.get("context_dim"), LARGEST)


class TiledPrediction:
    """Takes the host's place where it evaluates a model under its conditioning (its wrapper of CALC_COND_BATCH).

    Masks, areas, ControlNets and what a model sees beside the latents, such as the picture of an inpainting model, are
    cut like the latents. An area becomes a mask of the same weights: the model sees the whole tile. Raises ValueError
    for GLIGEN, whose boxes have to lie inside what the model sees.
    """

    def __init__(self, cut: Cut):
        self.cut = cut
        self._controls: dict[tuple, comfy.controlnet.ControlBase] = {}

    def __call__(
        self,
        evaluate: Callable,
        model: comfy.model_base.BaseModel,
        conds: list[list[dict] | None],
        x: Tensor,
        sigma: Tensor,
        model_options: dict,
    ) -> list[Tensor]:
        weights = [[_weights(entry, x, sigma) for entry in entries or ()] for entries in conds]

        def predict(part: Tensor, piece: Piece) -> Tensor:
            own = [
                None if entries is None else self._cropped(entries, masks, x, piece)
                for entries, masks in zip(conds, weights, strict=True)
            ]
            return torch.cat(evaluate(model, own, part, sigma[piece.items], model_options), dim=1)

        return list(piecewise(predict, x, self.cut).chunk(len(conds), dim=1))

    def _cropped(self, entries: list[dict], masks: list[Tensor | None], x: Tensor, piece: Piece) -> list[dict]:
        """The conditioning of a piece, without what has no weight there."""
        cropped = []
        for entry, mask in zip(entries, masks, strict=True):
            own = {**entry, "model_conds": {k: _part(c, x, piece) for k, c in entry["model_conds"].items()}}
            if mask is not None:
                for key in ("area", "mask_strength", "strength"):  # which are in the mask
                    own.pop(key, None)
                own["mask"] = piece.of(mask)
                if not own["mask"].any():
                    continue
            if "control" in entry:
                own["control"] = self._control(entry["control"], x, piece)
            cropped.append(own)
        return cropped

    def _control(self, control: comfy.controlnet.ControlBase, x: Tensor, piece: Piece) -> comfy.controlnet.ControlBase:
        """The same network with the part of its picture; kept, with what it makes of that part."""
        key = (id(control), *((span.start, span.stop) for span in piece))
        if key not in self._controls:
            own = copy.copy(control)
            own.cond_hint = own.control_input = None
            own.cond_hint_original = _hint(control, control.cond_hint_original, x, piece)
            own.extra_concat_orig = [_hint(control, image, x, piece) for image in control.extra_concat_orig]
            if control.previous_controlnet is not None:
                own.previous_controlnet = self._control(control.previous_controlnet, x, piece)
            self._controls[key] = own
        return self._controls[key]


def _weights(entry: dict, x: Tensor, sigma: Tensor) -> Tensor | None:
    """How much the host lets a prompt count at each latent of the whole, [B, ..., h, w]; None where that is the same
    everywhere."""
    if "gligen" in entry:
        raise ValueError(
            f"GLIGEN does not work in tiles: set 'tile' to {max(x.shape[-2:]) * MULTIPLE}, which is more than the "
            "picture, or leave GLIGEN out."
        )
    if "area" not in entry and "mask" not in entry:
        return None
    keys = "area", "mask", "mask_strength", "strength"
    asked = {key: entry[key] for key in keys if key in entry}
    made = comfy.samplers.get_area_and_mult({**asked, "model_conds": {}, "uuid": None}, x, sigma)
    weights = torch.zeros_like(x)
    inside = weights
    if made.area is not None:
        dims = len(made.area) // 2
        for i, (size, start) in enumerate(zip(made.area[:dims], made.area[dims:], strict=True)):
            inside = inside.narrow(i + 2, start, size)
    inside.copy_(made.mult)
    return weights[:, 0]


def _part(cond: comfy.conds.CONDRegular, x: Tensor, piece: Piece) -> comfy.conds.CONDRegular:
    """What the host gives to the network beside x: where it has x's shape it is cut like x."""
    spans = [*[slice(0, 1)] * (x.ndim - 4), piece.rows, piece.columns]
    area = [*(span.stop - span.start for span in spans), *(span.start for span in spans)]
    whole = cond.process_cond(batch_size=len(x), area=area)
    if isinstance(whole.cond, Tensor):
        return whole._copy_with(whole.cond[piece.items])
    if isinstance(whole, comfy.conds.CONDList):
        return whole._copy_with([tensor[piece.items] for tensor in whole.cond])
    return whole


def _hint(control: comfy.controlnet.ControlBase, image: Tensor, x: Tensor, piece: Piece) -> Tensor:
    """The part of a picture that the host would stretch over the whole."""
    ratio = control.compression_ratio
    if control.vae is not None:
        ratio *= control.vae.spacial_compression_encode()
    height, width = (ratio * n for n in x.shape[-2:])
    image = comfy.utils.common_upscale(image, width, height, control.upscale_algorithm, "center")
    if len(image) > 1:
        image = comfy.utils.repeat_to_batch_size(image, len(x))[piece.items]
    return Piece(slice(0, len(image)), piece.rows, piece.columns).of(image, ratio)
