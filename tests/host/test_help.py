"""Every node explains itself: a help page with its pictures, and a word in the README."""

import re
from pathlib import Path

from maprps.nodes.newer_hosts import SEARCH

ROOT = Path(__file__).absolute().parents[2]
DOCS = ROOT / "web" / "docs"
PICTURE = re.compile(r"!\[[^]]+\]\(([^)]+)\)")


def own_nodes(server):
    nodes = {i: info for i, info in server.object_info().items() if info["python_module"].endswith("ComfyUI-MAP-RPS")}
    assert nodes
    return nodes


def test_every_node_has_a_help_page_with_its_pictures(server):
    for node_id in own_nodes(server):
        page = server.get_bytes(f"/extensions/ComfyUI-MAP-RPS/docs/{node_id}.md").decode()
        for picture in PICTURE.findall(page):
            data = server.get_bytes(f"/extensions/ComfyUI-MAP-RPS/docs/{picture}")
            assert data.startswith(b"\xff\xd8\xff") and len(data) <= 25_000


def test_every_degradation_has_a_picture_of_what_it_does(server):
    makers = {node_id for node_id, info in own_nodes(server).items() if info["output"][0] == "DEGRADATION"}
    for node_id in makers - {"MAPRPS_DegradationPreset"}:  # which makes those of other nodes
        assert PICTURE.search((DOCS / f"{node_id}.md").read_text(encoding="utf-8")), node_id


def test_no_help_page_and_no_picture_is_left_over(server):
    pages = {page.stem: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    assert pages.keys() == own_nodes(server).keys()
    shown = {DOCS / picture for page in pages.values() for picture in PICTURE.findall(page)}
    assert shown == {path for path in (DOCS / "images").iterdir()}


def test_the_readme_names_every_node(server):
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    names = [info["display_name"].removesuffix(" (MAP-RPS)") for info in own_nodes(server).values()]
    assert [name for name in names if f"*{name}*" not in readme] == []


def test_help_pages_name_every_input_and_output(server):
    for node_id, info in own_nodes(server).items():
        page = (DOCS / f"{node_id}.md").read_text(encoding="utf-8")
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        outputs = [name for name, kind in zip(info["output_name"], info["output"], strict=True) if name != kind]
        missing = [name for name in (*inputs, *outputs) if f"`{name}`" not in page]
        assert missing == [], node_id


def test_every_input_and_output_has_a_tooltip(server):
    for node_id, info in own_nodes(server).items():
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        assert [name for name, spec in inputs.items() if not (spec[1:] and spec[1].get("tooltip"))] == [], node_id
        assert all(info["output_tooltips"]), node_id


TYPED = ["upscale", "enlarge", "restore", "old photo", "sharpen", "unblur", "scratch", "denoise", "DPS", "DDRM"]


def test_newer_hosts_find_nodes_by_what_people_type(server):
    nodes = own_nodes(server)
    assert set(SEARCH) <= set(nodes)
    aliases = [info["search_aliases"] or [] for info in nodes.values() if "search_aliases" in info]
    for words in [*TYPED, "inverse problem"]:
        assert not aliases or any(words in found for found in aliases), words


def test_options_that_few_need_are_folded_away_on_newer_hosts(server):
    inputs = own_nodes(server)["MAPRPS_RenoisedPosteriorSampling"]["input"]["optional"]
    folded = {name for name, spec in inputs.items() if len(spec) > 1 and spec[1].get("advanced")}
    assert folded == {"guidance", "guidance_scale", "sampler", "scale", "tile"}
