"""Every shipped workflow that needs no download makes what it made when its thumbnails were kept.

After a change that is meant to change results, `python -m tools.renew_golden` keeps new ones.
"""

import random

import pytest
from labs.golden import GOLDEN, differences, kept, small_prompt, thumbnails, workflows

from maprps.tools.soak import mixed_prompt

TOLERANCE = 0.05
"""Mean over a thumbnail, in levels of 8 bits. One thread or two, with vector instructions or without, on ComfyUI 0.3.75
or 0.33: at most 0.002 of it was seen. A noise_std that is 5 percent off is more than 0.06, where there is one."""
pytestmark = pytest.mark.slow
FILES = {file.stem: file for file in workflows()}


@pytest.mark.parametrize("name", FILES)
def test_results_are_what_they_were(server, name):
    found = differences(thumbnails(server, small_prompt(server, FILES[name])), kept(name))
    assert {picture: change for picture, change in found.items() if change > TOLERANCE} == {}


def test_a_changed_result_is_seen(server):
    """Of a noise_std 5 percent off at both stages; the damaged photo stays."""
    prompt = small_prompt(server, FILES["denoising"])
    for node in prompt.values():
        if node["class_type"] in ("MAPRPS_MAPEstimation", "MAPRPS_RenoisedPosteriorSampling"):
            node["inputs"]["noise_std"] = 0.105
    found = differences(thumbnails(server, prompt), kept("denoising"))
    assert [picture for picture, change in found.items() if change > TOLERANCE] == ["2_map 1", "3_sample 1"]


def test_a_soak_can_mix_all_of_them(server):
    """Also those that damage no photo, or damage it in several ways, where there is no one degradation to change."""
    for seed in range(80):
        assert mixed_prompt(server, random.Random(seed))


def test_none_is_left_over():
    assert {file.stem for file in GOLDEN.iterdir()} == FILES.keys()
