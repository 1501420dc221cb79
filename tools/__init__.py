"""For developers only: training, studies, benchmarks and pictures, each run from the repository's root as

    python -m tools.NAME

Makes the pack importable as `maprps`, whatever its folder is called, the examples that it shares with the tests as
`labs`, and ComfyUI's modules where COMFYUI_PATH names its folder: on the CPU where there is no GPU.
"""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
NO_COMFYUI = "COMFYUI_PATH is not set: set it to the folder of a ComfyUI, whose modules this tool needs."


def _load_pack(name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec and spec.loader
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def _find_comfyui(folder: str) -> None:
    import torch

    if folder not in sys.path:
        sys.path.insert(0, folder)
    import comfy.cli_args

    comfy.cli_args.args.cpu = not torch.cuda.is_available()


class _NoComfyUI:
    """The last finder of modules: ends a tool that asks for ComfyUI's where nothing says where they are."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("comfy", "comfy_api"):
            sys.exit(NO_COMFYUI)


if "maprps" not in sys.modules:
    _load_pack("maprps")
sys.path.append(str(ROOT / "tests"))
if "COMFYUI_PATH" in os.environ:
    os.environ["COMFYUI_PATH"] = os.path.abspath(os.environ["COMFYUI_PATH"])  # a server works in a folder of its own
    _find_comfyui(os.environ["COMFYUI_PATH"])
else:
    sys.meta_path.append(_NoComfyUI)
