"""What the stages did goes into the pictures that are saved after them, beside the workflow: settings and log lines.

The host's nodes that save write each entry of the prompt's `extra_pnginfo` under its own keyword. It is one dictionary
for all nodes of a prompt, in which the workflow is another entry: what the page opens stays as it is. A stage that the
host takes from its cache does not run. So what is known of a picture goes with the tensor, which is what the host
keeps, and is entered again by the next node that gets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import wraps

from comfy_api.latest import io
from torch import Tensor

from ..host.stage_log import stage_lines
from ..operators import Degradation

KEYWORD = "map-rps-stages"
_ATTRIBUTE = "maprps_stages"  # of a tensor: the entries of all stages that it came through


def save_stages(node: type[io.ComfyNode]) -> None:
    """Has the node enter its stages, and those that its inputs came through, where the host's nodes that save look.

    An entry: {"node": id, "settings": {input: value}, "stages": [log line]}. A node without a stage adds none.
    """
    define, execute = node.define_schema, node.execute.__func__

    def define_schema(cls) -> io.Schema:
        schema = define()
        schema.hidden = [io.Hidden.extra_pnginfo]
        return schema

    @wraps(execute)
    def recorded(cls, *args, **given) -> io.NodeOutput:
        with stage_lines() as lines:
            output = execute(cls, *args, **given)
        entries: list[dict] = []
        for tensor in _tensors(given.values()):
            _enter(entries, getattr(tensor, _ATTRIBUTE, ()))
        if lines:
            entries.append({"node": cls.define_schema().node_id, "settings": settings(cls, given), "stages": lines})
        for tensor in _tensors(output.args):
            if not hasattr(tensor, _ATTRIBUTE):  # else it is an input, handed on
                setattr(tensor, _ATTRIBUTE, entries)
        saved = cls.hidden and cls.hidden.extra_pnginfo
        if entries and saved is not None:
            _enter(saved.setdefault(KEYWORD, []), entries)
        return output

    node.define_schema, node.execute = classmethod(define_schema), classmethod(recorded)


def settings(node: type[io.ComfyNode], given: dict) -> dict:
    """Of what a node works with, all that can be said in a word."""
    values = {input.id: given.get(input.id, getattr(input, "default", None)) for input in node.define_schema().inputs}
    said = {name: value.describe() if isinstance(value, Degradation) else value for name, value in values.items()}
    return {name: value for name, value in said.items() if isinstance(value, (bool, int, float, str))}


def _enter(known: list[dict], entries: Iterable[dict]) -> None:
    """Each once, whatever ways it came by."""
    known += [entry for entry in entries if entry not in known]


def _tensors(values) -> Iterator[Tensor]:
    """The IMAGEs, MASKs and LATENTs."""
    for value in values:
        tensor = value.get("samples") if isinstance(value, dict) else value
        if isinstance(tensor, Tensor):
            yield tensor
