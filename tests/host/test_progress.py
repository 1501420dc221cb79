"""What a node says of itself while it runs."""

import pytest
import torch

from maprps.host import progress

ESTIMATE = torch.zeros(1)


@pytest.fixture
def said(monkeypatch):
    """What is said, with seconds that pass as one says: said.clock += 1."""

    class Said(list):
        clock = 0.0

    said = Said()
    monkeypatch.setattr(progress.time, "monotonic", lambda: said.clock)
    monkeypatch.setattr(progress, "say", said.append)
    return said


def test_the_rest_takes_as_long_as_the_steps_before(said):
    steps = []
    report = progress.with_text("stage", lambda *given: steps.append(given))
    for step in range(1, 5):
        said.clock += 3
        report(step, 4, ESTIMATE)
    assert said == ["stage: step 1 of 4, 9 s left", "stage: step 2 of 4, 6 s left", "stage: step 3 of 4, 3 s left",
                    "stage: 4 steps, 12 s"]  # fmt: skip
    assert [given[:2] for given in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_part_of_longer_work_knows_how_long_its_own_steps_take(said):
    report = progress.with_text("stage", lambda *_: None)
    for step in (18, 19, 20):
        said.clock += 120
        report(step, 20, ESTIMATE)
    assert said == ["stage: step 18 of 20, 4 min left", "stage: step 19 of 20, 2 min left", "stage: 3 steps, 6 min"]


def test_a_single_step(said):
    report = progress.with_text("stage", lambda *_: None)
    said.clock += 3
    report(1, 1, ESTIMATE)
    assert said == ["stage: 1 step, 3 s"]


def test_steps_that_come_fast_are_left_out_but_for_the_last(said):
    report = progress.with_text("stage", lambda *_: None)
    said.clock = 1.0
    for step in range(1, 101):
        said.clock += 0.01
        report(step, 100, ESTIMATE)
    assert len(said) == 3 and said[-1].startswith("stage: 100 steps")


def test_nothing_is_said_where_no_server_runs_the_node():
    progress.say("nobody hears")


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def test_both_stages_say_on_their_node_how_far_they_are(server):
    """Where the page does not take it for a value of the node."""
    older = server.get("/system_stats")["system"]["comfyui_version"].startswith("0.3.")
    run = server.submit(
        {
            "photo": node("EmptyImage", width=32, height=32, batch_size=1, color=0x808080),
            "restore": node("MAPRPS_RestorePhoto", image=["photo", 0], damage="noise", renoise=0.1),
            "show": node("PreviewImage", images=["restore", 0]),
        }
    )
    texts = [data[8:].decode() for kind, data in run.events() if kind == "text"]
    assert all(text.startswith("restore") for text in texts)  # the node's id
    stages = {text.removeprefix("restore").split(":")[0] for text in texts}
    assert stages == (set() if older else {"MAP estimation", "posterior sampling"})
    assert older or any("steps, " in text for text in texts)
