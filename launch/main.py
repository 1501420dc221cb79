"""What quickstart.py does once it runs on a Python that can."""

import argparse
import copy
import json
import os
import shutil
import signal
import sys
import time

from . import check, timing
from .client import Client, PromptError
from .customize import customize
from .environment import REPOSITORY, Setup
from .options import WORKFLOWS, parse
from .own_server import PACK, nodes_of, own_server
from .restore import restore
from .results import save_images, texts
from .server import Server
from .terminal import Problem, Progress, clear_status, say, seconds, use_utf8
from .workflow_to_prompt import WorkflowError, to_prompt

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
        chosen = parse(arguments, description)
        if chosen.restore or chosen.folder:
            return restore(chosen, chosen.out or OUTPUT / "restored")
        return show(chosen)
    except (Problem, WorkflowError) as problem:
        clear_status()
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


def show(chosen: argparse.Namespace) -> int:
    """Starts the server, runs the workflow and shows what came out."""
    started = time.monotonic()
    server, setup = own_server(chosen.port, OUTPUT if chosen.serve else None)
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
    object_info = nodes_of(client, server)
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
