"""The host's VAE between a model's latents and pixels: differentiable, never clamped, of any image size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import pad

from .frames import has_frame_axis, with_frame_axis, without_frame_axis
from .gradients import ordinary_copy
from .residency import resident_vae
from .statistics import Statistics, sample
from .tiles import WHOLE, Cut, Piece, choose, cuts_of, piecewise

SIZES = 128, 96, 64, 32  # latents, of a tile
OVERLAP, MARGIN = 16, 6  # one of the tiny VAE is then off by less than 2e-4 of the range
DECODER_GRAPH = 8  # a graph through a decoder holds this many times what decoding does
CHECKPOINTED_DECODER_GRAPH = 3  # the same of a graph whose blocks are checkpointed


class HostVAE:
    """decode(z): latents as the model sees them [B, C, h, w] to pixels in [-1, 1] [B, 3, H, W]; encode(x): back.

    A VAE of video serves a model that was made on it, and has images of one frame.

    An image whose sides are no multiple of the VAE's ratio lies in the upper left of one whose sides are: padded by its
    border before encoding, cropped after decoding. What would not fit the memory goes picture by picture or tile by
    tile, as `plan` decides; with gradients it may have to where it does not without.

    Without gradients it is the host's own network, in inference mode. What else a gradient needs is made when the first
    one is taken (`before_gradients`).

    Raises ValueError, in one sentence, for a VAE of sound, or one that does not go with the model.
    """

    def __init__(self, vae, model, image_size: tuple[int, int]):
        vae.throw_exception_if_invalid()
        latent_format = model.model.latent_format
        if vae.latent_dim != latent_format.latent_dimensions:
            kind = {1: "sound", 2: "images", 3: "video"}[vae.latent_dim]
            raise ValueError(f"This VAE is one for {kind}: connect the VAE that belongs to the model.")
        if vae.latent_channels != latent_format.latent_channels:
            raise ValueError(
                f"The VAE's latents have {vae.latent_channels} channels and the model's {latent_format.latent_channels}"
                ": connect the VAE that belongs to the model."
            )
        self.vae, self.format, self.image_size = vae, ordinary_copy(latent_format), image_size
        self.patcher, self.network = vae.patcher, vae.patcher.model
        self.ratio = vae.spacial_compression_decode()
        # process_input is affine; its inverse is what process_output does before it clamps.
        self.low, self.high = (float(vae.process_input(torch.tensor(v))) for v in (0.0, 1.0))
        self.cut = self.gradient_cut = WHOLE
        self.tiled = False  # whether anything went in tiles
        self.decodings = 0
        self.has_room = False  # whether the host was asked for a gradient's memory since it was planned
        self._prepare: Callable[[], None] | None = None
        self._unchecked = {"decode", "encode"}

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self.vae.latent_channels, *(-(-n // self.ratio) for n in self.image_size)

    @property
    def is_identity(self) -> bool:
        """Whether latents are the pixels: the host's pixel_space."""
        return hasattr(self.network, "pixel_space_vae") and self.ratio == 1

    def plan(self, batch: int, free: int, tile: int = 0, frugal: bool = False) -> None:
        """Chooses, for so many images and bytes, what is taken whole; tile: pixels of a tile's side, 0 for what fits.

        frugal: after that was too much.
        """
        sizes = [max(tile // self.ratio, 2 * OVERLAP)] if tile else SIZES
        cuts = cuts_of(self.latent_shape[1:], sizes, lambda _: OVERLAP, MARGIN, 1, by_hand=tile > 0)
        self.cut = choose(cuts, lambda cut: self._decoding(batch, cut) <= free, frugal)
        self.gradient_cut = choose(cuts, lambda cut: self._differentiating(batch, cut) <= free, frugal)
        self.tiled = self.has_room = False

    def memory(self, batch: int, gradients: bool) -> int:
        """Bytes that decoding takes, or with gradients one through it if that is more, cut as planned."""
        decoding = self._decoding(batch, self.cut)
        return max(decoding, self._differentiating(batch, self.gradient_cut)) if gradients else decoding

    def keep_weights(self) -> None:
        """From here on the weights stay where they are between a forward and a backward pass."""
        self.patcher = resident_vae(self.vae)
        self.network = self.patcher.model

    @contextmanager
    def before_gradients(self, prepare: Callable[[], None]) -> Iterator[None]:
        """Within, prepare() is called before the first gradient is taken, if one is."""
        self._prepare = prepare
        try:
            yield
        finally:
            self._prepare = None

    def prepare(self) -> None:
        """What is done before the first gradient, once."""
        if self._prepare is not None:
            prepare, self._prepare = self._prepare, None
            prepare()

    def is_short(self, batch: int, free: int) -> bool:
        """Whether blocks have to be checkpointed for a gradient. Those of tiles never are, for a tile's statistics are
        gone when they are run again; those of a video's VAE cannot be, for they keep what they computed for the frames
        to come."""
        cut = self.gradient_cut
        return not cut.size and not has_frame_axis(self.format) and free < DECODER_GRAPH * self._decoding(batch, cut)

    def decode(self, z: Tensor) -> Tensor:
        self.decodings += 1
        pixels = self._piecewise(self._decode, z, leave=self.ratio)
        self._check_first("decode", pixels)
        height, width = self.image_size
        return pixels[..., :height, :width]

    def encode(self, x: Tensor) -> Tensor:
        _, h, w = self.latent_shape
        height, width = self.image_size
        x = pad(x, (0, w * self.ratio - width, 0, h * self.ratio - height), mode="replicate")
        latents = self._piecewise(self._encode, x, enter=self.ratio)
        self._check_first("encode", latents)
        return latents

    def _piecewise(self, network: Callable[[Tensor], Tensor], x: Tensor, enter: int = 1, leave: int = 1) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            self.prepare()
            return self._in_pieces(network, x, self.gradient_cut, enter, leave)
        with torch.inference_mode():
            result = self._in_pieces(network, x, self.cut, enter, leave)
        return result if torch.is_inference_mode_enabled() else result.clone()

    def _in_pieces(self, network: Callable[[Tensor], Tensor], x: Tensor, cut: Cut, enter: int, leave: int) -> Tensor:
        if not cut.size:
            return piecewise(lambda part, _: network(part), x, cut, enter, leave)
        self.tiled = True
        return torch.cat([self._in_tiles(network, one, cut, enter, leave) for one in x.split(1)])

    def _in_tiles(self, network: Callable[[Tensor], Tensor], x: Tensor, cut: Cut, enter: int, leave: int) -> Tensor:
        statistics = Statistics(self.network)
        statistics.read(network, sample(x, enter * cut.size))

        def normalized(part: Tensor, _: Piece) -> Tensor:
            with statistics.applied():
                return network(part)

        return piecewise(normalized, x, cut, enter, leave)

    def _check_first(self, way: str, result: Tensor) -> None:
        """Only the first result of each, for a check waits for the GPU."""
        if way in self._unchecked:
            self._unchecked.discard(way)
            check_overflow(result)

    def _decode(self, z: Tensor) -> Tensor:
        latents = self.format.process_out(with_frame_axis(z, self.format))
        pixels = without_frame_axis(self.network.decode(latents.to(self.vae.vae_dtype)).float())
        return (pixels - self.low) * (2 / (self.high - self.low)) - 1

    def _encode(self, x: Tensor) -> Tensor:
        x = self.low + (x + 1) / 2 * (self.high - self.low)
        latents = self.network.encode(with_frame_axis(x.to(self.vae.vae_dtype), self.format)).float()
        return without_frame_axis(self.format.process_in(latents))

    def _differentiating(self, batch: int, cut: Cut) -> int:
        """Bytes that a gradient takes, with blocks checkpointed where that can be."""
        return (DECODER_GRAPH if cut.size else CHECKPOINTED_DECODER_GRAPH) * self._decoding(batch, cut)

    def _decoding(self, batch: int, cut: Cut) -> int:
        """Bytes that decoding the largest piece takes."""
        channels, *size = self.latent_shape
        images, *size = cut.largest(batch, *size)
        shape = (images, channels, *[1] * has_frame_axis(self.format), *size)
        return int(self.vae.memory_used_decode(shape, self.vae.vae_dtype))


def check_overflow(result: Tensor) -> None:
    """Raises ValueError where what a VAE returned is not finite."""
    if not torch.isfinite(result.detach()).all():
        raise ValueError(
            "The VAE returned NaN or infinity: start ComfyUI with --fp32-vae, or check that the VAE's file is whole."
        )
