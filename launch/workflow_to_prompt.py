"""Turns a workflow as the page saves it into the prompt that the server's /prompt takes.

The page does this in the browser; a script that queues a shared workflow has to do it itself. The rules are those of
the page: widget values are stored by position in the order of the node's inputs, a seed is followed by its "control
after generate", muted nodes and the links from them vanish, bypassed nodes hand their inputs on.
"""

_MUTED, _BYPASSED = 2, 4
_NOTES = ("Note", "MarkdownNote")
_VIRTUAL = (*_NOTES, "Reroute", "PrimitiveNode")
_WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
_UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload")


class WorkflowError(ValueError):
    """A workflow that cannot be turned into a prompt; the text says which node and why."""


def to_prompt(workflow: dict, object_info: dict) -> dict:
    """The prompt (API form) of a workflow (the page's form), given the server's /object_info.

    WorkflowError: the workflow is not in the page's form, uses a node the server does not have, a subgraph, or stored
    values that do not fit the node's inputs.
    """
    if "nodes" not in workflow:
        raise WorkflowError("this is not a workflow as the page saves it (it has no list of nodes)")
    nodes = {node["id"]: node for node in workflow["nodes"]}
    _check_known(workflow, object_info)
    graph = _Graph(nodes, workflow["links"])
    running = {i: n for i, n in nodes.items() if n["type"] not in _VIRTUAL and n.get("mode") not in (_MUTED, _BYPASSED)}
    prompt = {}
    for node_id, node in running.items():
        inputs = widget_values(node, object_info[node["type"]])
        for slot in node.get("inputs", []):
            if slot.get("link") is None:
                continue
            source = graph.source(slot["link"])
            if source is None:
                inputs.pop(slot["name"], None)
            else:
                inputs[slot["name"]] = source
        title = node.get("title") or object_info[node["type"]].get("display_name") or node["type"]
        prompt[str(node_id)] = {"inputs": inputs, "class_type": node["type"], "_meta": {"title": title}}
    return prompt


def missing_nodes(workflow: dict, object_info: dict) -> list[str]:
    """The node types of the workflow that the server does not have, sorted."""
    types = {node["type"] for node in workflow["nodes"]}
    return sorted(types - set(object_info) - set(_VIRTUAL) - set(_subgraphs(workflow)))


def widget_values(node: dict, info: dict) -> dict:
    """The values of a node's widgets by input name."""
    values = node.get("widgets_values") or []
    names = list(_widget_names(info))
    if isinstance(values, dict):
        return {name: _value(values[name]) for name, _ in names if name in values}
    slots = [slot for name, extra in names for slot in [name, *[None] * extra]]
    if slots and len(values) > len(slots):  # the page gives some nodes without widgets one to show text in
        raise WorkflowError(
            f"node {node['id']} ({node['type']}) stores {len(values)} values but has {len(slots)} widgets: it was "
            "saved with another version of the node"
        )
    # A value the node has got since the workflow was saved takes its default, as in the page.
    stored = {name: _value(value) for name, value in zip(slots, values, strict=False) if name is not None}
    return default_inputs(info) | stored


def default_inputs(info: dict) -> dict:
    """What a node's widgets hold when it is put into a graph, by input name."""
    widgets = dict(_widget_names(info))
    return {name: _value(_default(spec)) for name, spec in _inputs(info) if name in widgets}


class _Graph:
    """Follows links back through nodes that are not run."""

    def __init__(self, nodes: dict, links: list):
        self.nodes = nodes
        self.links = {link[0]: (link[1], link[2]) for link in links}

    def source(self, link_id: int):
        """[node id, output], the plain value of a PrimitiveNode, or None where the link ends in nothing."""
        if link_id not in self.links:
            return None
        node_id, output = self.links[link_id]
        node = self.nodes[node_id]
        if node.get("mode") == _MUTED:
            return None
        if node["type"] == "PrimitiveNode":
            return _value(node["widgets_values"][0])
        if node["type"] == "Reroute":
            return self._through(node["inputs"][0])
        if node.get("mode") == _BYPASSED:
            return self._bypass(node, output)
        return [str(node_id), output]

    def _bypass(self, node: dict, output: int):
        """A bypassed node's output is its input of the same type: the one of the same position, else the first."""
        inputs = node.get("inputs", [])
        kind = node["outputs"][output]["type"]
        for slot in inputs[output : output + 1] + inputs:
            if slot["type"] == kind:
                return self._through(slot)
        return None

    def _through(self, slot: dict):
        return None if slot.get("link") is None else self.source(slot["link"])


def _check_known(workflow: dict, object_info: dict) -> None:
    subgraphs = _subgraphs(workflow)
    for node in workflow["nodes"]:
        if node["type"] in subgraphs:
            name = subgraphs[node["type"]]
            raise WorkflowError(f"node {node['id']} is the subgraph '{name}': unpack it in the page and save again")
    if missing := missing_nodes(workflow, object_info):
        raise WorkflowError(f"the server has no node named {', '.join(missing)}")


def _subgraphs(workflow: dict) -> dict[str, str]:
    return {s["id"]: s.get("name", s["id"]) for s in workflow.get("definitions", {}).get("subgraphs", [])}


def _inputs(info: dict):
    """(name, spec) of a node's inputs in the page's order."""
    for group in ("required", "optional"):
        specs = info["input"].get(group, {})
        for name in info.get("input_order", {}).get(group, specs):
            yield name, specs[name]


def _widget_names(info: dict):
    """(name, number of further stored values) of the inputs that are widgets."""
    for name, spec in _inputs(info):
        kind, options = spec[0], spec[1] if len(spec) > 1 else {}
        if isinstance(kind, list):
            kind = "COMBO"
        if kind.startswith("COMFY_DYNAMICCOMBO"):
            raise WorkflowError(f"input '{name}' is a dynamic combo, which is not supported")
        if kind not in _WIDGETS or options.get("forceInput"):
            continue
        seed = options.get("control_after_generate", kind == "INT" and name in ("seed", "noise_seed"))
        control = 0 if not seed else 2 if kind == "COMBO" else 1  # a combo has a filter text beside the control
        yield name, control + any(options.get(upload) for upload in _UPLOADS)  # the upload button stores its name


def _default(spec: list):
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if "default" in options:
        return options["default"]
    choices = kind if isinstance(kind, list) else options.get("options")
    if choices:
        return choices[0]
    return {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}.get(kind if isinstance(kind, str) else "")


def _value(value):
    """A list would be read as a link; the server unwraps this form."""
    return {"__value__": value} if isinstance(value, list) else value
