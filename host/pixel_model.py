"""A pixel-space network as the host's MODEL."""

from __future__ import annotations

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.supported_models_base
import torch
from torch import Tensor, nn

from ..models import ADM, PixelNetwork
from ..models.preconditioning import DDPM, EDM, Scaling
from ..models.schedules import ddpm_sigmas


class PixelSpace(comfy.latent_formats.LatentFormat):
    """RGB in [-1, 1]: what the host calls latents are the pixels."""

    latent_channels = 3
    spacial_downscale_ratio = 1

    def __init__(self):
        self.latent_rgb_factors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


class PixelSampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """The network's own preconditioning, on the noise levels of DDPM's linear schedule.

    The levels give schedulers and `renoise` their published meaning; the network takes any sigma between them.
    """

    def __init__(self, model_config, preconditioning: DDPM | EDM):
        super().__init__(model_config)
        self.set_sigmas(ddpm_sigmas())
        self.preconditioning = preconditioning

    def timestep(self, sigma: Tensor) -> Tensor:
        return self.preconditioning.scaling(sigma).noise

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return self._scaling(sigma, noise).input * noise

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        scaling = self._scaling(sigma, model_input)
        return scaling.skip * model_input + scaling.output * model_output

    def _scaling(self, sigma: Tensor, x: Tensor) -> Scaling:
        return self.preconditioning.scaling(sigma.view(-1, *[1] * (x.ndim - 1)))


class _Config(comfy.supported_models_base.BASE):
    latent_format = PixelSpace
    trained_size = 256
    supported_inference_dtypes = [torch.float32]


class HostPixelNetwork(nn.Module):
    """The network as the host calls it; a predicted variance is dropped."""

    dtype = torch.float32

    def __init__(self, network: ADM):
        super().__init__()
        self.network = network

    @property
    def receptive_radius(self) -> int | None:
        """Pixels, as `ADMConfig.receptive_radius`."""
        return self.network.config.receptive_radius

    def forward(self, x: Tensor, timesteps: Tensor, **_) -> Tensor:
        return self.network(x, timesteps)[:, :3]


def as_host_model(pixel: PixelNetwork) -> comfy.model_patcher.ModelPatcher:
    """A MODEL that the host's samplers, guiders and patches work on, pixels standing in for latents."""
    config = _Config({"disable_unet_model_creation": True, "in_channels": 3})
    # The host estimates memory per pixel; this is the width at full resolution, on the scale of a 256-wide ADM.
    config.memory_usage_factor = 0.3 * pixel.config.model_channels / 256 / pixel.config.unshuffle**2
    model = comfy.model_base.BaseModel(config, model_type=comfy.model_base.ModelType.EPS)
    model.model_sampling = PixelSampling(config, pixel.preconditioning)
    model.diffusion_model = HostPixelNetwork(pixel.network).eval()
    return comfy.model_patcher.ModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def check_sampling(model: comfy.model_base.BaseModel) -> None:
    """Raises ValueError for a pixel model of this pack whose noise levels a patch has replaced by those of others."""
    if isinstance(model.diffusion_model, HostPixelNetwork) and not isinstance(model.model_sampling, PixelSampling):
        raise ValueError(
            "This pixel model knows its own noise levels, and a patch has replaced them: take the ModelSampling node "
            "(Discrete, Flux, SD3, ...) out from between 'Load Pixel Model (MAP-RPS)' and here."
        )
