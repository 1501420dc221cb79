"""The host's VAE between a model's latents and pixels: differentiable, never clamped, of any image size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from .frames import has_frame_axis, with_frame_axis, without_frame_axis
from .gradients import ordinary_copy
from .residency import resident_vae
from .tiles import blend_tiles

TILE = 64  # latents
OVERLAP = 16
DECODER_GRAPH = 8  # a graph through a decoder holds this many times what decoding does
CHECKPOINTED_DECODER_GRAPH = 3  # the same of a graph whose blocks are checkpointed


class HostVAE:
    """decode(z): latents as the model sees them [B, C, h, w] to pixels in [-1, 1] [B, 3, H, W]; encode(x): back.

    A VAE of video serves a model that was made on it, and has images of one frame.

    An image whose sides are no multiple of the VAE's ratio lies in the upper left of one whose sides are: padded by its
    border before encoding, cropped after decoding. Where a graph through the whole decoder would not fit the free
    memory, decoding goes tile by tile.

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
        self.patcher = resident_vae(vae)
        self.network = self.patcher.model
        self.ratio = vae.spacial_compression_decode()
        # process_input is affine; its inverse is what process_output does before it clamps.
        self.low, self.high = (float(vae.process_input(torch.tensor(v))) for v in (0.0, 1.0))
        self.tiled = False
        self.decodings = 0
        self._unchecked = {"decode", "encode"}

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self.vae.latent_channels, *(-(-n // self.ratio) for n in self.image_size)

    @property
    def is_identity(self) -> bool:
        """Whether latents are the pixels: the host's pixel_space."""
        return hasattr(self.network, "pixel_space_vae") and self.ratio == 1

    def memory(self, batch: int) -> int:
        """Bytes that a checkpointed gradient through the whole decoder takes."""
        channels, *size = self.latent_shape
        shape = (batch, channels, *[1] * has_frame_axis(self.format), *size)
        decoding = self.vae.memory_used_decode(shape, self.vae.vae_dtype)
        return CHECKPOINTED_DECODER_GRAPH * int(decoding)

    def decode(self, z: Tensor) -> Tensor:
        self.decodings += 1
        if self.tiled and max(z.shape[-2:]) > TILE:
            pixels = blend_tiles(self._decode_checkpointed, z, TILE, OVERLAP, self.ratio)
        else:
            pixels = self._decode(z)
        self._check_first("decode", pixels)
        height, width = self.image_size
        return pixels[..., :height, :width]

    def encode(self, x: Tensor) -> Tensor:
        _, h, w = self.latent_shape
        height, width = self.image_size
        x = pad(x, (0, w * self.ratio - width, 0, h * self.ratio - height), mode="replicate")
        x = self.low + (x + 1) / 2 * (self.high - self.low)
        latents = self.network.encode(with_frame_axis(x.to(self.vae.vae_dtype), self.format)).float()
        self._check_first("encode", latents)
        return without_frame_axis(self.format.process_in(latents))

    def _check_first(self, way: str, result: Tensor) -> None:
        """Only the first result of each, for a check waits for the GPU."""
        if way in self._unchecked:
            self._unchecked.discard(way)
            check_overflow(result)

    def _decode(self, z: Tensor) -> Tensor:
        latents = self.format.process_out(with_frame_axis(z, self.format))
        pixels = without_frame_axis(self.network.decode(latents.to(self.vae.vae_dtype)).float())
        return (pixels - self.low) * (2 / (self.high - self.low)) - 1

    def _decode_checkpointed(self, z: Tensor) -> Tensor:
        return checkpoint(self._decode, z, use_reentrant=False, preserve_rng_state=False)

    def spare_memory(self, batch: int, free: int) -> bool:
        """Chooses, for so many bytes free, whole images or tiles. Returns whether blocks have to be checkpointed.

        Those of a video's VAE cannot be, for they keep what they computed for the frames to come.
        """
        decoding = self.memory(batch) / CHECKPOINTED_DECODER_GRAPH
        if has_frame_axis(self.format):
            self.tiled = free < DECODER_GRAPH * decoding
            return False
        self.tiled = free < CHECKPOINTED_DECODER_GRAPH * decoding
        return free < DECODER_GRAPH * decoding


def check_overflow(result: Tensor) -> None:
    """Raises ValueError where what a VAE returned is not finite."""
    if not torch.isfinite(result.detach()).all():
        raise ValueError(
            "The VAE returned NaN or infinity: start ComfyUI with --fp32-vae, or check that the VAE's file is whole."
        )
