"""What a person sees: thin V3 nodes that read their inputs and call one function."""

from comfy_api.latest import ComfyExtension, io

from .apply_degradation import ApplyDegradation
from .blend import Blend
from .compose_degradations import ComposeDegradations
from .degradations import Denoising, GaussianBlur, Inpainting, SuperResolution
from .load_pixel_model import LoadPixelModel
from .map_estimation import MAPEstimation
from .metrics import Metrics
from .posterior_sampling import RenoisedPosteriorSampling
from .traversal import Traversal
from .uncertainty import Uncertainty

NODES: list[type[io.ComfyNode]] = [
    LoadPixelModel,
    Denoising,
    SuperResolution,
    GaussianBlur,
    Inpainting,
    ComposeDegradations,
    ApplyDegradation,
    MAPEstimation,
    RenoisedPosteriorSampling,
    Traversal,
    Blend,
    Uncertainty,
    Metrics,
]


class MapRpsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
