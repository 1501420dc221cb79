"""A small random network in the form of the released weights of BKSE."""

import torch


def small_network(width=4, front=2, back=1, scale=0.3):
    """Random weights, by the names of the released checkpoints; the kernel extractor has more."""
    generator = torch.Generator().manual_seed(0)
    weights = {}

    def add(name, *shape, bias=True):
        fan_in = shape[1] * shape[2] * shape[3]
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * scale * (2 / fan_in) ** 0.5
        if bias:
            weights[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)

    def block(name):
        add(f"{name}.conv1", width, width, 3, 3)
        add(f"{name}.conv2", width, width, 3, 3)

    for i, inputs in ((0, 3), (2, width), (4, width)):
        add(f"feature_extractor.{i}", width, inputs, 3, 3)
    for i in range(front):
        block(f"feature_extractor.{6 + i}")
    outer = [width * n for n in (1, 1, 2, 4, 8)]
    inner = [width * n for n in (1, 2, 4, 8, 8)]
    for depth in range(5):
        name = "adapter.model" + ".submodule" * depth
        add(f"{name}.down.{0 if depth == 0 else 1}", inner[depth], outer[depth], 4, 4, bias=False)
        add(f"{name}.up.1", 2 * inner[depth], outer[depth], 4, 4, bias=False)
    weights["adapter.model.up.1.bias"] = torch.zeros(width)
    for i in range(back):
        block(f"recon_trunk.{i}")
    for i, outputs, inputs in ((0, 4 * width, width), (3, 256, width), (6, 64, 64), (8, 3, 64)):
        add(f"recon_trunk.{back + i}", outputs, inputs, 3, 3)
    weights["kernel_extractor.model.1.weight"] = torch.zeros(1)
    return weights
