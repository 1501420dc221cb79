"""An analytic prior as a MODEL of the host, in each of the host's parametrizations. Needs comfy."""

from __future__ import annotations

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models_base
import torch
from comfy.model_base import ModelType
from torch import Tensor, nn

PARAMETRIZATIONS = {
    "eps": ModelType.EPS,
    "v": ModelType.V_PREDICTION,
    "edm": ModelType.EDM,
    "flow": ModelType.FLOW,
}


class AnalyticNetwork(nn.Module):
    """Returns what a trained network of the parametrization would, from denoise(x, sigma).

    Its one weight is 1 and multiplies the output, so that there is something to load and to differentiate through.
    """

    dtype = torch.float32

    def __init__(self, denoise, parametrization: str, noise_scale: float = 1.0):
        super().__init__()
        self.denoise, self.parametrization, self.noise_scale = denoise, parametrization, noise_scale
        self.weight = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, x: Tensor, timesteps: Tensor, transformer_options: dict, **_) -> Tensor:
        self.calls += 1
        frames = x.ndim == 5
        x = x.squeeze(2) if frames else x
        sigma = transformer_options["sigmas"].view(-1, 1, 1, 1)
        output = self.weight * getattr(self, f"_{self.parametrization}")(x, sigma)
        return output.unsqueeze(2) if frames else output

    def _eps(self, scaled: Tensor, sigma: Tensor) -> Tensor:
        x = scaled * (sigma**2 + 1).sqrt()
        return (x - self.denoise(x, sigma.flatten())) / sigma

    def _v(self, scaled: Tensor, sigma: Tensor) -> Tensor:
        root = (sigma**2 + 1).sqrt()
        x = scaled * root
        return (x / root**2 - self.denoise(x, sigma.flatten())) * root / sigma

    def _edm(self, scaled: Tensor, sigma: Tensor) -> Tensor:
        root = (sigma**2 + 1).sqrt()
        x = scaled * root
        return (self.denoise(x, sigma.flatten()) - x / root**2) * root / sigma

    def _flow(self, state: Tensor, t: Tensor) -> Tensor:
        return (state - self.denoise(state / (1 - t), (self.noise_scale * t / (1 - t)).flatten())) / t


def analytic_model(
    denoise,
    parametrization: str = "eps",
    channels: int = 3,
    dimensions: int = 2,
    shift: float = 1.0,
    noise_scale: float = 1.0,
) -> comfy.model_patcher.ModelPatcher:
    """A MODEL whose denoiser is denoise(x, sigma), x = x0 + sigma * eps in [B, channels, H, W].

    dimensions: 3 for latents with a frame axis. shift, noise_scale: of a flow, whose state is (1 - t) x0 + t * scale *
    eps, where the host knows a scale.
    """

    class Format(comfy.latent_formats.LatentFormat):
        latent_channels = channels
        latent_dimensions = dimensions

    class Config(comfy.supported_models_base.BASE):
        latent_format = Format
        sampling_settings = {"shift": shift, "noise_scale": noise_scale}

    config = Config({"disable_unet_model_creation": True, "in_channels": channels})
    model = comfy.model_base.BaseModel(config, model_type=PARAMETRIZATIONS[parametrization])
    model.diffusion_model = AnalyticNetwork(denoise, parametrization, noise_scale)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=torch.device("cpu"))
