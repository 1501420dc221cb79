"""The options of quickstart.py."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from .customize import DEGRADATIONS
from .environment import REPOSITORY

WORKFLOWS = REPOSITORY / "workflows"
_OF_WORKFLOWS = ("serve", "workflow")
_OF_DAMAGED = ("out", "enlarge", "mask", "reference", "server")  # options of --restore and --folder alone


def parse(arguments: list[str], description: str) -> argparse.Namespace:
    """What a person has chosen; `description` is the help text. What does not go together ends with exit status 2."""
    parser = argparse.ArgumentParser(
        "quickstart.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--serve", action="store_true", help="leave the server running, for use in a browser")
    parser.add_argument("--port", type=int, default=0, help="the server's port (default: a free one)")
    parser.add_argument(
        "--workflow", type=workflow_named, metavar="NAME", help="which of workflows/*.json to run (default: quickstart)"
    )
    photo = parser.add_mutually_exclusive_group()
    photo.add_argument(
        "--image", type=Path, metavar="FILE", help="your own photo, a good one: it is degraded, and then restored"
    )
    photo.add_argument("--restore", type=Path, metavar="FILE", help="your own photo that is damaged already")
    photo.add_argument(
        "--folder", type=Path, metavar="IN", help="the same for all photos of a folder and its subfolders"
    )
    parser.add_argument(
        "--degradation",
        choices=DEGRADATIONS,
        help="what happens to the photo, or has happened to a damaged one (default for that: found out)",
    )
    parser.add_argument("--factor", type=int, metavar="N", help="with --degradation sr: how many times smaller")
    parser.add_argument(
        "--noise-std",
        type=float,
        metavar="S",
        help="noise that is added, on the scale 0..1 (denoise: 0.1), or that a damaged photo has (default: found out)",
    )
    parser.add_argument(
        "--renoise",
        type=levels,
        metavar="A,B,C",
        help="renoise levels of the samples, 0..1; one for a damaged photo, from 0, faithful (default), to 1, sharp",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="sampling steps")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the noise and the samples")
    damaged = parser.add_argument_group("with --restore and --folder")
    damaged.add_argument(
        "--out", type=Path, metavar="OUT", help="the folder of the results (--restore: output/restored)"
    )
    damaged.add_argument(
        "--enlarge", type=int, choices=range(1, 17), metavar="N", help="how many times larger: 1 to 16"
    )
    damaged.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="a picture of the photo's size, white where scratches are to be filled in; for a folder also a folder of "
        "masks with the photos' names",
    )
    damaged.add_argument(
        "--reference",
        type=Path,
        metavar="FOLDER",
        help="photos of the same names without damage, for the PSNR (--restore: a file)",
    )
    damaged.add_argument(
        "--server",
        type=server_address,
        action="append",
        metavar="URL",
        help="a ComfyUI with this pack that runs already; several, each with its own --server, share the photos",
    )
    chosen = parser.parse_args(arguments)
    if wrong := what_is_wrong(chosen):
        parser.error(wrong)
    chosen.workflow = chosen.workflow or "quickstart"
    return chosen


def what_is_wrong(chosen: argparse.Namespace) -> str:
    """Why the options do not go together, in a sentence; empty where they do."""
    if chosen.factor is not None and chosen.degradation != "sr":
        return "--factor goes with --degradation sr"
    for file in (chosen.image, chosen.restore):
        if file and not file.is_file():
            return f"there is no file {file}"
    if not chosen.restore and not chosen.folder:
        strange = [name for name in _OF_DAMAGED if getattr(chosen, name)]
        return f"--{strange[0]} goes with --restore or --folder" if strange else ""
    if strange := [name for name in _OF_WORKFLOWS if getattr(chosen, name)]:
        return f"--{strange[0]} does not go with --restore and --folder"
    return wrong_with_damaged(chosen)


def wrong_with_damaged(chosen: argparse.Namespace) -> str:
    """The same for a damaged photo, or a folder of them."""
    if chosen.folder and not chosen.folder.is_dir():
        return f"there is no folder {chosen.folder}"
    if chosen.folder and not chosen.out:
        return "--folder needs --out, the folder of the results"
    if chosen.out and chosen.out.exists() and not chosen.out.is_dir():
        return f"--out {chosen.out} is a file: name a folder"
    if chosen.mask and not (chosen.mask.exists() if chosen.folder else chosen.mask.is_file()):
        return f"there is no mask {chosen.mask}"
    if chosen.reference and not (chosen.reference.is_dir() if chosen.folder else chosen.reference.is_file()):
        return f"there is no reference {chosen.reference}"
    if chosen.degradation == "inpaint" and not chosen.mask:
        return "--degradation inpaint needs --mask, which says where"
    if chosen.degradation == "sr" and chosen.enlarge:
        return "--enlarge and --degradation sr say the same: leave one out"
    if chosen.renoise and len(chosen.renoise) > 1:
        return "a damaged photo is restored at one level: give --renoise one number"
    return ""


def workflow_named(name: str) -> str:
    """The workflow `name`, or where there is none its quickstart (latent: latent_quickstart), for argparse."""
    names = sorted(file.stem for file in WORKFLOWS.glob("*.json"))
    found = [stem for stem in (name, f"{name}_quickstart") if stem in names]
    if not found:
        raise argparse.ArgumentTypeError(f"there is no workflow {name}; there are: {', '.join(names)}")
    return found[0]


def levels(text: str) -> list[float]:
    """'0.02,0.1' as numbers, for argparse."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers like 0.02,0.05,0.1") from None
    if not all(0 <= value <= 1 for value in values):
        raise argparse.ArgumentTypeError("renoise levels lie between 0 and 1")
    return values


def server_address(url: str) -> str:
    """127.0.0.1:8188/ as http://127.0.0.1:8188, for argparse."""
    whole = (url if "://" in url else f"http://{url}").rstrip("/")
    try:
        parts = urlsplit(whole)
        good = parts.scheme == "http" and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{url} is not an address like http://127.0.0.1:8188 (not https)")
    return whole
