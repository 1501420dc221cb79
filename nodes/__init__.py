"""What a person sees: thin V3 nodes that read their inputs and call one function."""

from comfy_api.latest import ComfyExtension, io

from .apply_degradation import ApplyDegradation
from .blend import Blend
from .checks import check_inputs
from .custom_sampling import PosteriorGuiderNode, PosteriorSamplerNode
from .degradation_info import DegradationInfo
from .degradations import DEGRADATION_NODES
from .estimate_blur import EstimateBlur
from .estimate_noise import EstimateNoise
from .example_photo import ExamplePhoto
from .keep_measured import KeepMeasured
from .load_latent_example import LoadLatentExample
from .load_pixel_model import LoadPixelModel
from .map_estimation import LatentMAPEstimation, MAPEstimation
from .metrics import Metrics
from .newer_hosts import offer
from .posterior_sampling import LatentRenoisedPosteriorSampling, RenoisedPosteriorSampling
from .restore_photo import RestorePhoto
from .saved_stages import save_stages
from .traversal import Traversal
from .uncertainty import Uncertainty

NODES: list[type[io.ComfyNode]] = [
    RestorePhoto,
    LoadPixelModel,
    *DEGRADATION_NODES,
    EstimateNoise,
    EstimateBlur,
    DegradationInfo,
    ApplyDegradation,
    MAPEstimation,
    RenoisedPosteriorSampling,
    LoadLatentExample,
    LatentMAPEstimation,
    LatentRenoisedPosteriorSampling,
    PosteriorSamplerNode,
    PosteriorGuiderNode,
    Traversal,
    Blend,
    KeepMeasured,
    Uncertainty,
    Metrics,
    ExamplePhoto,
]

for node in NODES:
    offer(node)
    check_inputs(node)
    save_stages(node)


class MapRpsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
