"""Reading files: every form weights come in, and what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from maprps.models import DDPM, ADMConfig, load_pixel_network

CONFIG = ADMConfig(model_channels=32, widths=(32, 64), blocks=(1, 1), attention=(False, True), out_channels=6)


@pytest.fixture
def state(random_network):
    return random_network(CONFIG).state_dict()


def nested(name):
    return lambda state: {name: state, "step": 7, "optimizer": {"lr": 0.1}}


def prefixed(prefix):
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


def averaged(state):
    return {"model": {name: torch.zeros_like(value) for name, value in state.items()}, "ema": state}


def lightning(state):
    return {"state_dict": prefixed("model.")(state) | {"betas": torch.zeros(1000)}, "epoch": 3}


FORMS = {
    "plain": dict,
    "state_dict": nested("state_dict"),
    "model": nested("model"),
    "averaged": averaged,
    "lightning": lightning,
    "module": prefixed("module."),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_pytorch_files(form, suffix, state, tmp_path):
    path = tmp_path / f"weights{suffix}"
    torch.save(FORMS[form](state), path)
    check(load_pixel_network(path), state)


def test_pytorch_files_of_the_old_format(state, tmp_path):
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    check(load_pixel_network(tmp_path / "old.pt"), state)


@pytest.mark.parametrize("form", ["plain", "module"])
def test_safetensors(form, state, tmp_path):
    save_file(FORMS[form](state), tmp_path / "weights.safetensors")
    check(load_pixel_network(str(tmp_path / "weights.safetensors")), state)


def check(loaded, state):
    assert loaded.config == CONFIG
    assert loaded.preconditioning == DDPM(steps=1000)
    assert not loaded.network.training
    assert not any(p.requires_grad for p in loaded.network.parameters())
    assert all(torch.equal(value, state[name]) for name, value in loaded.network.state_dict().items())
    x = torch.randn(1, 3, 4, 4, requires_grad=True)
    assert loaded(x, torch.tensor([0.5])).grad_fn is not None


def test_half_precision_files(state, tmp_path):
    """Stored in fp16, computed in float32 unless the caller asks otherwise."""
    half = {name: value.half() for name, value in state.items()}
    torch.save(half, tmp_path / "half.pt")
    for dtype in (torch.float32, torch.float16):
        network = load_pixel_network(tmp_path / "half.pt", dtype).network
        assert all(value.dtype == dtype for value in network.parameters())
        assert all(torch.equal(value, half[name].to(dtype)) for name, value in network.state_dict().items())


def without(*names):
    return lambda state: {name: value for name, value in state.items() if not name.startswith(names)}


def with_tensor(name, *shape):
    return lambda state: state | {name: torch.zeros(shape)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_tensor("label_emb.weight", 1000, 128), "class-conditional"),
        (with_tensor("input_blocks.0.0.weight", 32, 4, 3, 3), "images of 4 channels"),
        (with_tensor("input_blocks.0.0.weight", 32, 6, 3, 3), "images of 6 channels"),
        (with_tensor("out.2.weight", 8, 32, 3, 3), "predicts 8 channels"),
        (with_tensor("middle_block.1.qkv.weight", 144, 48, 1), "attends over 48 channels"),
        (with_tensor("input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight", 32, 32), "0 missing, 1 unknown"),
        (with_tensor("middle_block.0.in_layers.2.bias", 65), "1 of another shape.*middle_block.0.in_layers.2.bias"),
        (without("middle_block.2."), "10 missing.*'middle_block.2.emb_layers.1.bias'"),
        (without("input_blocks.3."), "missing, .*'input_blocks.3.0"),
        (without("output_blocks.3."), "not those of an ADM UNet"),
        (without("output_blocks.3.", "output_blocks.2."), "not those of an ADM UNet"),
        (without("output_blocks."), "not a guided-diffusion"),
        (without("time_embed."), "not a guided-diffusion"),
        (without(""), "not a guided-diffusion"),
        (lambda state: [state], "not a guided-diffusion"),
    ],
)
def test_other_networks_are_refused(change, message, state, tmp_path):
    path = tmp_path / "other.pt"
    torch.save(change(state), path)
    with pytest.raises(ValueError, match=f"^other.pt.*{message}"):
        load_pixel_network(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 100, 200_000])
def test_truncated_files(suffix, kept, state, tmp_path):
    path = tmp_path / f"cut{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=f"^cut{suffix} is damaged or incomplete"):
        load_pixel_network(path)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_no_code_in_a_file_is_run(protocol, state, tmp_path):
    path = tmp_path / "trap.ckpt"
    if protocol == "torch":
        torch.save({"state_dict": state, "hook": Trap(tmp_path / "sprung")}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=2))
    with pytest.raises(ValueError, match="^trap.ckpt holds Python objects.*convert it to .safetensors"):
        load_pixel_network(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["weights.bin", "weights", "weights.gguf"])
def test_other_file_types(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=f"^{name} is no weights file: use .safetensors, .pt"):
        load_pixel_network(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int64, torch.bool])
def test_weights_of_integers_are_refused(suffix, dtype, state, tmp_path):
    """They are codes, whose scale a state dict of these names does not hold."""
    name = "middle_block.0.in_layers.2.weight"
    path = tmp_path / f"int{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state | {name: state[name].to(dtype)}, path)
    with pytest.raises(ValueError, match=f"^int{suffix}: its weight '{name}' is of type.*use a file of float weights"):
        load_pixel_network(path)


ELSE = {
    "a web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "a web page ": b"\n\n<html><body>404</body></html>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n",
}


@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("kind", ELSE)
def test_what_a_download_brings_in_place_of_weights_is_named(suffix, kind, tmp_path):
    (tmp_path / f"page{suffix}").write_bytes(ELSE[kind])
    with pytest.raises(ValueError, match=f"^page{suffix} is {kind.strip()} in place of the weights: download"):
        load_pixel_network(tmp_path / f"page{suffix}")


@pytest.mark.parametrize("suffix, old", [(".pt", False), (".pt", True), (".safetensors", False)])
def test_whatever_the_bytes_are_it_is_one_sentence(suffix, old, state, tmp_path):
    """Text, noise, and files with some bytes changed: a network or a ValueError that names the file, nothing else, and
    none with torch's advice to let a file run code."""
    path = tmp_path / f"any{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=not old)
    whole, random = path.read_bytes(), np.random.RandomState(0)
    contents = [b"", b"hello", b"[1, 2, 3]", b"\x80\x02", b"PK\x03\x04", b"\x80\x02" + b"(" * 5000, bytes(2000)]
    contents += [random.bytes(n) for n in (1, 8, 9, 100, 10_000)] + [whole[: 2**k] for k in range(0, 20, 2)]
    for _ in range(100):
        changed = bytearray(whole)
        for place in random.randint(0, min(len(whole), 4000), 3) * random.choice([1, -1]):
            changed[place] = random.randint(256)
        contents.append(bytes(changed))
    for content in contents:
        path.write_bytes(content)
        try:
            load_pixel_network(path)
        except ValueError as error:
            assert str(error).startswith(path.name) and "weights_only" not in str(error) and "\n" not in str(error)


def test_names_that_are_no_strings_are_passed_over(state, tmp_path):
    torch.save({0: torch.zeros(3), None: torch.zeros(3), **state}, tmp_path / "named.pt")
    check(load_pixel_network(tmp_path / "named.pt"), state)


@pytest.mark.parametrize("old", [False, True])
def test_weights_that_the_file_does_not_hold_are_refused(state, old, tmp_path):
    """One number as a tensor of any size takes no room in a file, and all of it once it is used."""
    path = tmp_path / "large.pt"
    torch.save({"w": torch.zeros(1).expand(30_000, 1000, 1000)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(ValueError, match="^large.pt asks for more weights than it holds"):
        load_pixel_network(path)


@pytest.mark.parametrize("header", ["{", "[1]", "1", "[" * 100_000, '{"preconditioning": "edm"}'])
def test_headers_that_are_none(header, state, tmp_path):
    save_file(state, tmp_path / "header.safetensors", metadata={"maprps": header})
    with pytest.raises(ValueError, match="^header.safetensors"):
        load_pixel_network(tmp_path / "header.safetensors")


@pytest.mark.parametrize("name", ["time_embed.0.weight", "input_blocks.0.0.weight", "out.2.weight"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 0, 0, 0)])
def test_weights_with_another_number_of_axes(name, shape, state, tmp_path):
    torch.save(state | {name: torch.zeros(shape)}, tmp_path / "axes.pt")
    with pytest.raises(ValueError, match="^axes.pt: "):
        load_pixel_network(tmp_path / "axes.pt")
