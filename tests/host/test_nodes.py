"""The nodes themselves: what they show, what they report on the way, what they refuse."""

import pytest
import torch
from labs.gaussian import PowerLawPrior
from labs.host_models import analytic_model

from maprps.launch.client import PromptError
from maprps.nodes.traversal import Traversal
from maprps.operators.resampling import SuperResolution


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def restoring(**traversal):
    """A grey square is made noisy and restored: estimate, walk, samples and their spread, each with its text shown."""
    given = {"degradation": ["noise", 0], "noise_std": 0.05}
    common = {"model": ["model", 0], "measurement": ["measure", 0], **given}
    small = {**common, "estimate": ["map", 0], "steps": 2}
    prompt = {
        "image": node("EmptyImage", width=16, height=16, batch_size=1, color=0x808080),
        "model": node("MAPRPS_LoadPixelModel", model_name="MAP-RPS embedded prior"),
        "noise": node("MAPRPS_Denoising"),
        "measure": node("MAPRPS_ApplyDegradation", image=["image", 0], **given),
        "map": node("MAPRPS_MAPEstimation", **common, steps=2),
        "walk": node("MAPRPS_Traversal", **{**small, **traversal}),
        "samples": node("MAPRPS_RenoisedPosteriorSampling", **small, samples=2),
        "spread": node("MAPRPS_Uncertainty", images=["samples", 0]),
    }
    for name, output in (("map", 1), ("walk", 3), ("spread", 2)):
        prompt[f"{name} text"] = node("PreviewAny", source=[name, output])
    return prompt


def test_reports_can_be_shown_as_text(server):
    outputs = server.run(restoring(levels="0, 0.1, 0.3"))
    shown = {name: outputs[f"{name} text"]["text"][0] for name in ("map", "walk", "spread")}
    assert shown["map"].startswith("1 model call, ")  # which is exact for denoising
    assert [line.split(":")[0] for line in shown["walk"].splitlines()] == ["renoise 0", "renoise 0.1", "renoise 0.3"]
    assert "over 2 samples" in shown["spread"]


@pytest.mark.parametrize("sampler", ["few steps", "every step (paper)"])
def test_traversal_has_one_progress_bar(server, sampler, counts_to):
    """Of equally long levels and of unequal ones; level 0 takes no steps."""
    run = server.submit(restoring(levels="0.002, 0, 0.004", sampler=sampler))
    bar = []
    run.outputs(
        lambda kind, data: (
            bar.append((data["value"], data["max"])) if kind == "progress" and data["node"] == "walk" else None
        )
    )
    steps = {"few steps": 2, "every step (paper)": 6}[sampler]
    assert counts_to([step for step, _ in bar], steps)
    assert {total for _, total in bar} == {steps}


def test_only_samplers_draw_another_seed_after_each_run(server):
    info = server.object_info()
    draws = {
        name: info[name]["input"]["optional"]["seed"][1]["control_after_generate"]
        for name in info
        if name.startswith("MAPRPS_") and "seed" in info[name]["input"].get("optional", {})
    }
    assert draws == {
        "MAPRPS_RestorePhoto": False,
        "MAPRPS_MotionBlur": False,
        "MAPRPS_RandomInpainting": False,
        "MAPRPS_CompressedSensing": False,
        "MAPRPS_NonlinearBlur": False,
        "MAPRPS_DegradationPreset": False,
        "MAPRPS_ApplyDegradation": False,
        "MAPRPS_MAPEstimation": False,
        "MAPRPS_RenoisedPosteriorSampling": True,
        "MAPRPS_LatentMAPEstimation": False,
        "MAPRPS_LatentRenoisedPosteriorSampling": True,
        "MAPRPS_Traversal": True,
    }


def test_photo_without_a_painted_mask_is_told_where_to_paint(server, photos):
    name = server.upload_image("unpainted.png", next(p for p in photos if p.stem == "cat").read_bytes())
    prompt = {
        "load": node("LoadImage", image=name),
        "holes": node("MAPRPS_Inpainting", mask=["load", 1]),
        "measure": node("MAPRPS_ApplyDegradation", image=["load", 0], degradation=["holes", 0]),
        "show": node("PreviewImage", images=["measure", 1]),
    }
    with pytest.raises(PromptError, match="Open in MaskEditor") as failed:
        server.run(prompt)
    assert failed.value.node_id == "holes"


@pytest.mark.parametrize("known", [True, False], ids=["reference", "no reference"])
def test_contact_sheet_begins_with_what_was_given(known):
    """Reference and measurement, 16 and 8 pixels wide, come as wide as the levels, pixel by pixel as squares."""
    estimate, reference = torch.rand(2, 1, 16, 16, 3)
    measurement = torch.rand(1, 8, 8, 3)
    with torch.inference_mode():
        sheet = Traversal.execute(
            analytic_model(PowerLawPrior(size=16)),
            SuperResolution(2, "box"),
            measurement,
            estimate,
            reference if known else None,
            levels="0",
        ).result[2]
    given = [reference, measurement, estimate] if known else [measurement, estimate]
    places = [left(sheet, image) for image in given]
    assert places == sorted(places)


def left(sheet, image):
    """Where the image, enlarged to 192 pixels, begins in the only row of the sheet."""
    factor = 192 // image.shape[1]
    block = image[0].repeat_interleave(factor, 0).repeat_interleave(factor, 1)
    corners = (sheet[0] == block[0, 0]).all(dim=-1).nonzero().tolist()
    (place,) = [x for y, x in corners if torch.equal(sheet[0, y : y + 192, x : x + 192], block)]
    return place
