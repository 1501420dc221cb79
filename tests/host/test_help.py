"""Every node explains itself: a help page with its pictures, and names in Chinese."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]


def own_nodes(server):
    nodes = {i: info for i, info in server.object_info().items() if info["python_module"].endswith("ComfyUI-MAP-RPS")}
    assert nodes
    return nodes


def test_every_node_has_a_help_page_with_its_pictures(server):
    for node_id in own_nodes(server):
        page = server.get_bytes(f"/extensions/ComfyUI-MAP-RPS/docs/{node_id}.md").decode()
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page):
            data = server.get_bytes(f"/extensions/ComfyUI-MAP-RPS/docs/{picture}")
            assert data.startswith(b"\xff\xd8\xff") and len(data) <= 25_000


def test_help_pages_name_every_input_and_output(server):
    for node_id, info in own_nodes(server).items():
        page = (ROOT / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        outputs = [name for name, kind in zip(info["output_name"], info["output"], strict=True) if name != kind]
        missing = [name for name in (*inputs, *outputs) if f"`{name}`" not in page]
        assert missing == [], node_id


def test_every_node_is_translated(server):
    translated = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
    nodes = own_nodes(server)
    assert list(translated) == [node_id for node_id in nodes]
    for node_id, info in nodes.items():
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        assert list(translated[node_id].get("inputs", {})) == list(inputs), node_id
        assert len(translated[node_id]["outputs"]) == len(info["output"]), node_id
