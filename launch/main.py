"""What quickstart.py does once it runs on a Python that can."""

import argparse
import copy
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from . import check, environment, timing
from .client import Client, PromptError
from .customize import DEGRADATIONS, customize
from .environment import PRIVATE, REPOSITORY, Setup
from .results import save_images, texts
from .server import Server
from .terminal import Problem, Progress, clear_status, say, seconds, use_utf8
from .workflow_to_prompt import WorkflowError, to_prompt

PACK = "ComfyUI-MAP-RPS"
WORKFLOWS = REPOSITORY / "workflows"
OUTPUT = REPOSITORY / "output"


def main(arguments: list[str], description: str) -> int:
    """Runs the command line; `description` is its help text. Returns the exit status."""
    use_utf8()
    # Threads that spin for long while they wait slow each other down several times over where other programs want the
    # cores too. Short spinning keeps what it is good for. (GNU's OpenMP, as in PyTorch for Linux; others ignore it.)
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    try:
        if arguments[:1] == ["check"]:
            return check.check(arguments[1:])
        if arguments[:1] == ["test"]:
            return check.test(arguments[1:])
        return show(parse(arguments, description))
    except (Problem, WorkflowError) as problem:
        clear_status()
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


def parse(arguments: list[str], description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "quickstart.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--serve", action="store_true", help="leave the server running, for use in a browser")
    parser.add_argument("--port", type=int, default=0, help="the server's port (default: a free one)")
    parser.add_argument(
        "--workflow", type=workflow_named, default="quickstart", metavar="NAME", help="which of workflows/*.json to run"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="your own photo, to be degraded and restored")
    parser.add_argument("--degradation", choices=DEGRADATIONS, help="what happens to the photo")
    parser.add_argument("--factor", type=int, metavar="N", help="with --degradation sr: how many times smaller")
    parser.add_argument(
        "--noise-std", type=float, metavar="S", help="noise that is added, on the scale 0..1 (denoise: 0.1)"
    )
    parser.add_argument("--renoise", type=levels, metavar="A,B,C", help="renoise levels of the samples, 0..1")
    parser.add_argument("--steps", type=int, metavar="N", help="sampling steps")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the noise and the samples")
    chosen = parser.parse_args(arguments)
    if chosen.factor is not None and chosen.degradation != "sr":
        parser.error("--factor goes with --degradation sr")
    if chosen.image and not chosen.image.is_file():
        parser.error(f"there is no file {chosen.image}")
    return chosen


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


def show(chosen: argparse.Namespace) -> int:
    """Starts the server, runs the workflow and shows what came out."""
    started = time.monotonic()
    setup = environment.prepare()
    accelerator = environment.has_accelerator(setup.python)
    if not accelerator:
        say("PyTorch finds no GPU here: running on the CPU.")
    server = Server(
        setup.python,
        setup.comfyui,
        PRIVATE / "server",
        {PACK: REPOSITORY},
        output=OUTPUT if chosen.serve else None,
        models=setup.models,
        cpu=not accelerator,
        port=chosen.port,
    )
    say(f"Starting ComfyUI from {setup.comfyui} ...")
    try:
        client = server.start()
        say(f"ComfyUI is up after {seconds(time.monotonic() - started)}.")
        for photo in (WORKFLOWS / "photos").glob("*.png"):
            shutil.copy(photo, server.workspace / "input")
        if chosen.serve:
            say(f"\n    {server.url}/?template={chosen.workflow}&source={PACK}\n")
        run(client, server, setup, chosen)
        if chosen.serve:
            say("The page stays open; end it with Ctrl-C.")
            server.wait()
    finally:
        server.stop()
    return 0


def run(client: Client, server: Server, setup: Setup, chosen: argparse.Namespace) -> None:
    """Runs the workflow with the person's choices, saves its pictures and prints its texts."""
    object_info = client.object_info()
    if not any(node.startswith("MAPRPS_") for node in object_info):
        why = "\n".join(line for line in server.log_text().splitlines() if PACK in line)
        raise Problem(f"ComfyUI could not load the nodes:\n{why}\nThe whole log: {server.log}")
    workflow = json.loads((WORKFLOWS / f"{chosen.workflow}.json").read_text(encoding="utf-8"))
    prompt = to_prompt(workflow, object_info)
    shipped = copy.deepcopy(prompt)
    customize(prompt, object_info, client, setup.python, chosen)
    pixels = timing.pixels(prompt, server.workspace / "input")
    if pixels and (expected := timing.expected(chosen.workflow, pixels) or 0) > 30:
        say(f"This will take about {seconds(expected)}, judged by the last run.")
    titles = {node_id: node["_meta"]["title"] for node_id, node in prompt.items()}
    started = time.monotonic()
    try:
        # The workflow goes into the saved pictures, so that the page can open them; it has to be the one that was run.
        outputs = client.submit(prompt, workflow if prompt == shipped else None).outputs(Progress(titles))
    except PromptError as error:
        where = f" at the node '{titles[error.node_id]}'" if error.node_id in titles else ""
        what = error.details if error.kind == "invalid" else f"The traceback is in the server's log: {server.log}"
        raise Problem(f"The workflow stopped{where}: {error.message}\n{what}") from None
    took = time.monotonic() - started
    if pixels:
        timing.record(chosen.workflow, pixels, took)
    say(f"Done in {seconds(took)}.\n")
    for text, title in texts(outputs, titles).items():
        say(f"{title}\n{text}\n")
    for file in sorted(save_images(client, outputs, OUTPUT)):
        say(f"  {file.relative_to(REPOSITORY)}")
