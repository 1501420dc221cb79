"""Nodes for the tests alone; the `server` fixture loads every pack in this folder beside the real one."""

import time

import comfy.model_management
import comfy.utils
from comfy_api.latest import ComfyExtension, io

import nodes


class Wait(io.ComfyNode):
    """Counts to `steps`, a twentieth of a second each, with progress; fails at the step `fail_at`."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="MAPRPS_TEST_Wait",
            category="test",
            inputs=[
                io.Image.Input("image"),
                io.Int.Input("steps", default=2),
                io.Int.Input("fail_at", default=-1, min=-1),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, steps, fail_at):
        bar = comfy.utils.ProgressBar(steps)
        for step in range(steps):
            comfy.model_management.throw_exception_if_processing_interrupted()
            if step == fail_at:
                raise ValueError(f"failed at step {step}")
            time.sleep(0.05)
            bar.update(1)
        return io.NodeOutput(image)


class SmallPhoto(io.ComfyNode):
    """96 x 64 pixels of what Example Photo gives, so that a workflow that takes its place runs in seconds."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="MAPRPS_TEST_SmallPhoto",
            category="test",
            inputs=[io.String.Input("photo")],
            outputs=[io.Image.Output(), io.Mask.Output(), io.String.Output()],
        )

    @classmethod
    def execute(cls, photo):
        image, mask, credit = nodes.NODE_CLASS_MAPPINGS["MAPRPS_ExamplePhoto"].execute(photo).args
        return io.NodeOutput(image[:, 40:104, 60:156], mask[:, 40:104, 60:156], credit)


class TestNodes(ComfyExtension):
    async def get_node_list(self):
        return [Wait, SmallPhoto]


async def comfy_entrypoint():
    return TestNodes()
