"""Renews what tests/host/test_golden.py compares with, after a change that is meant to change results.

    python -m tools.renew_golden                    # every workflow that needs no download
    python -m tools.renew_golden denoising          # one of them

Needs COMFYUI_PATH. Prints by how much each picture has changed, in levels of 8 bits; look at the new thumbnails in
tests/host/golden before committing them.
"""

from __future__ import annotations

import argparse

import numpy as np
from labs.golden import differences, keep, kept, small_prompt, thumbnails, workflows

from .server import tests_server


def main() -> None:
    files = {file.stem: file for file in workflows()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(files)}; default: all")
    names = parser.parse_args().names or [*files]
    with tests_server() as (client, _):
        for name in names:
            renew(name, thumbnails(client, small_prompt(client, files[name])))


def renew(name: str, pictures: dict[str, np.ndarray]) -> None:
    changes = differences(pictures, kept(name))
    keep(name, pictures)
    print(f"{name}: " + ", ".join(f"{picture} {change:.3f}" for picture, change in changes.items()), flush=True)


if __name__ == "__main__":
    main()
