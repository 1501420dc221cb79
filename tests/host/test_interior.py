"""What of ComfyUI's interior the pack rests on, in one list; a name that the host it runs on lacks is named here."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
HOST_MODULES = ("comfy", "comfy_api", "comfy_execution", "folder_paths", "latent_preview")

INTERIOR = """
comfy.conds.CONDList
comfy.conds.CONDRegular
comfy.controlnet.ControlBase
comfy.controlnet.ControlNet
comfy.hooks.EnumHookType.Weight
comfy.k_diffusion.sampling.BrownianTreeNoiseSampler
comfy.k_diffusion.sampling.default_noise_sampler
comfy.latent_formats.LatentFormat
comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel
comfy.model_base.BaseModel
comfy.model_base.ModelType.EPS
comfy.model_base.ModelType.V_PREDICTION
comfy.model_management.OOM_EXCEPTION
comfy.model_management.get_free_memory
comfy.model_management.get_torch_device
comfy.model_management.intermediate_device
comfy.model_management.load_models_gpu
comfy.model_management.loaded_models
comfy.model_management.sage_attention_enabled
comfy.model_management.soft_empty_cache
comfy.model_management.throw_exception_if_processing_interrupted
comfy.model_management.unet_dtype
comfy.model_management.unet_manual_cast
comfy.model_management.unet_offload_device
comfy.model_patcher.ModelPatcher
comfy.model_patcher.create_model_options_clone
comfy.model_sampling.CONST
comfy.model_sampling.EPS
comfy.model_sampling.ModelSamplingDiscrete
comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
comfy.patcher_extension.WrappersMP.PREPARE_SAMPLING
comfy.patcher_extension.add_wrapper
comfy.samplers.CFGGuider.predict_noise
comfy.samplers.Sampler
comfy.samplers.get_area_and_mult
comfy.sd.CLIP
comfy.sd.VAE
comfy.supported_models_base.BASE
comfy.utils.ProgressBar
comfy.utils.common_upscale
comfy.utils.repeat_to_batch_size
comfy_api.latest.ComfyExtension
comfy_api.latest.io.Boolean.Input
comfy_api.latest.io.Clip.Input
comfy_api.latest.io.Combo.Input
comfy_api.latest.io.ComfyNode
comfy_api.latest.io.Conditioning.Input
comfy_api.latest.io.Custom
comfy_api.latest.io.Float.Input
comfy_api.latest.io.Float.Output
comfy_api.latest.io.Guider.Output
comfy_api.latest.io.Hidden.extra_pnginfo
comfy_api.latest.io.Image.Input
comfy_api.latest.io.Image.Output
comfy_api.latest.io.Input
comfy_api.latest.io.Int.Input
comfy_api.latest.io.Latent.Input
comfy_api.latest.io.Latent.Output
comfy_api.latest.io.Mask.Input
comfy_api.latest.io.Mask.Output
comfy_api.latest.io.Model.Input
comfy_api.latest.io.Model.Output
comfy_api.latest.io.NodeOutput
comfy_api.latest.io.NumberDisplay.slider
comfy_api.latest.io.Output
comfy_api.latest.io.Sampler.Output
comfy_api.latest.io.Schema
comfy_api.latest.io.String.Input
comfy_api.latest.io.String.Output
comfy_api.latest.io.Vae.Input
comfy_api.latest.io.Vae.Output
comfy_api.latest.io.WidgetInput
comfy_api.latest.ui.PreviewImage
comfy_execution.utils.get_executing_context
folder_paths.get_filename_list
folder_paths.get_full_path_or_raise
latent_preview.prepare_callback
"""
"""Every name of the host's that code in host/ and nodes/ uses, in alphabetical order."""

PARAMETERS = {  # of what the pack calls with these names
    "comfy.model_management.load_models_gpu": ["models", "memory_required"],
    "comfy.model_patcher.ModelPatcher": ["model", "load_device", "offload_device"],
    "comfy.samplers.CFGGuider.sample": ["noise", "latent_image", "sampler", "sigmas", "disable_pbar", "seed"],
    "comfy.samplers.get_area_and_mult": ["conds", "x_in", "timestep_in"],
    "comfy.samplers.CFGGuider.predict_noise": ["x", "timestep", "model_options", "seed"],
    "comfy.sd.VAE": ["sd", "device", "dtype"],
    "latent_preview.prepare_callback": ["model", "steps"],
}


def used(file: Path) -> set[str]:
    """Dotted names of the host's that a file uses."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    known, found = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.name.split(".")[0]: alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module.split(".")[0] in HOST_MODULES:
            known |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        names, inner = [], node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if names and isinstance(inner, ast.Name) and inner.id in known:
            found.add(".".join([known[inner.id], *names]))
    return {name for name in found if name.split(".")[0] in HOST_MODULES}


def find(name: str):
    """The object of a dotted name. AttributeError where the host has none."""
    module, attributes = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            attributes.insert(0, last)
    for attribute in attributes:
        found = getattr(found, attribute)
    return found


def test_the_list_is_what_the_code_uses():
    files = [*(ROOT / "host").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]
    names = set().union(*map(used, files))
    whole = {name for name in names if not any(other.startswith(name + ".") for other in names)}
    assert sorted(whole) == INTERIOR.split()


@pytest.mark.parametrize("name", INTERIOR.split())
def test_the_host_has(name):
    find(name)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_host_takes_these_parameters(name):
    parameters = list(inspect.signature(find(name)).parameters)
    assert [parameter for parameter in PARAMETERS[name] if parameter not in parameters] == []
