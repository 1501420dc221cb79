"""Many different runs on one server, good, cancelled and failed, and what memory it holds on to.

    python -m tools.soak                  # 200 runs
    python -m tools.soak --runs 50 --seed 1

Needs COMFYUI_PATH, and psutil, which ComfyUI brings. Each run is a shipped workflow on a small piece of its photo, with
another seed, noise and re-noise level, at times another degradation. Every seventh is cancelled after some progress;
every tenth fails in its last stage, which is given what does not fit. Prints resident memory as it goes, and then its
slope over the last half.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

import psutil
from labs.golden import small_prompt, workflows

from maprps.launch.client import Client, PromptError
from maprps.launch.customize import use_degradation, use_numbers
from maprps.launch.server import Server

from .server import tests_server

CANCELLED, FAILED = 7, 10  # every how many runs
REPORT = 10
OTHERS = (None, "sr", "deblur", "denoise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tests_server() as (client, server):
        soak(client, server, chosen.runs, random.Random(chosen.seed))


def soak(client: Client, server: Server, runs: int, chance: random.Random) -> None:
    assert server.process is not None
    process, ends, resident = psutil.Process(server.process.pid), Counter[str](), []
    began = time.monotonic()
    print("   run    MiB  minutes  how the runs ended")
    for number in range(1, runs + 1):
        prompt = mixed_prompt(client, chance)
        after = chance.randint(1, 6) if number % CANCELLED == 0 else 0
        if number % FAILED == 0:
            spoil(prompt)
        ends[run(client, prompt, after)] += 1
        resident.append(process.memory_info().rss / 2**20)
        if number % REPORT == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"{number:6d} {resident[-1]:6.0f} {minutes:8.1f}  {dict(ends)}", flush=True)
    half = resident[len(resident) // 2 :]
    print(f"last half: {min(half):.0f} to {max(half):.0f} MiB, {100 * slope(half):+.1f} MiB in 100 runs")


def mixed_prompt(client: Client, chance: random.Random) -> dict:
    file = chance.choice(list(workflows()))
    prompt = small_prompt(client, file)
    degraded = sum(node["class_type"] == "MAPRPS_ApplyDegradation" for node in prompt.values())
    if degraded == 1 and (name := chance.choice(OTHERS)):
        use_degradation(prompt, client.object_info(), name, None, "")
    use_numbers(prompt, noise_std=chance.uniform(0.01, 0.1), renoise=None, steps=None, seed=chance.getrandbits(63))
    for node in prompt.values():
        if "renoise" in node["inputs"]:
            node["inputs"]["renoise"] = round(chance.uniform(0.02, 0.3), 3)
    return prompt


def spoil(prompt: dict) -> None:
    """Gives the last stage a measurement, or a mask, of another size."""
    size = {"width": 40, "height": 24}
    for node in prompt.values():
        if "estimate" in node["inputs"] and "measurement" in node["inputs"]:
            node["inputs"]["measurement"] = ["other", 0]
        if node["class_type"] == "MAPRPS_RestorePhoto":
            node["inputs"]["mask"] = ["other mask", 0]
    prompt["other"] = {"class_type": "EmptyImage", "inputs": {**size, "batch_size": 1, "color": 0}}
    prompt["other mask"] = {"class_type": "SolidMask", "inputs": {**size, "value": 1.0}}


def run(client: Client, prompt: dict, cancel_after: int) -> str:
    """How it ended. cancel_after: this many reports of progress, 0 for never."""
    reports = 0

    def watch(kind: str, _: dict | bytes) -> None:
        nonlocal reports
        reports += kind == "progress"
        if reports == cancel_after > 0:
            client.interrupt()

    try:
        client.submit(prompt).outputs(watch)
        return "good"
    except PromptError as error:
        return error.kind


def slope(values: list[float]) -> float:
    """Of the line through the values that fits best, by the step."""
    steps = [step - (len(values) - 1) / 2 for step in range(len(values))]
    return sum(step * value for step, value in zip(steps, values, strict=True)) / sum(step * step for step in steps)


if __name__ == "__main__":
    main()
