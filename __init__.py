"""MAP-RPS: image restoration for ComfyUI by MAP estimation and re-noised posterior sampling.

Nothing is imported here until ComfyUI asks for the nodes, so the rooms below (operators, solvers, models) can be
used and tested without a ComfyUI.
"""

WEB_DIRECTORY = "./web"  # help pages, web/docs/<node id>.md, and what the page runs, web/*.js


async def comfy_entrypoint():
    """What ComfyUI calls to get the pack's nodes: returns a ComfyExtension."""
    from .nodes import MapRpsExtension

    return MapRpsExtension()
