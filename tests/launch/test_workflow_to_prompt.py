"""The page's workflow form to the server's prompt form, rule by rule."""

import pytest

from maprps.launch.workflow_to_prompt import WorkflowError, default_inputs, missing_nodes, to_prompt

INFO = {
    "Load": {"input": {"required": {"image": [["a.png", "b.png"], {"image_upload": True}]}}},
    "Blur": {
        "input": {
            "required": {"image": ["IMAGE"], "size": ["INT", {"default": 5}]},
            "optional": {"boundary": ["COMBO", {"options": ["reflect", "wrap"]}], "mask": ["MASK"]},
        },
        "display_name": "Blur it",
    },
    "Sample": {
        "input": {
            "required": {
                "image": ["IMAGE"],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
                "steps": ["INT", {"default": 16}],
                "note": ["STRING", {"forceInput": True}],
                "scale": ["FLOAT", {"default": 1.0}],
            }
        }
    },
    "Save": {"input": {"required": {"images": ["IMAGE"], "prefix": ["STRING", {"default": "x"}]}}},
}


def node(node_id, kind, values=(), inputs=(), outputs=("IMAGE",), **more):
    """inputs: (name, type, link or None)."""
    return {
        "id": node_id,
        "type": kind,
        "inputs": [{"name": n, "type": t, "link": link} for n, t, link in inputs],
        "outputs": [{"name": t, "type": t} for t in outputs],
        "widgets_values": list(values),
        **more,
    }


def chain(**blur):
    """Load -> Blur -> Save, with changes to the Blur node."""
    middle = node(2, "Blur", [9, "wrap"], [("image", "IMAGE", 1), ("mask", "MASK", None)]) | blur
    return {
        "nodes": [
            node(1, "Load", ["b.png", "image"], outputs=("IMAGE", "MASK")),
            middle,
            node(3, "Save", ["out"], [("images", "IMAGE", 2)]),
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]],
    }


def test_values_and_links():
    prompt = to_prompt(chain(), INFO)
    assert prompt["1"]["inputs"] == {"image": "b.png"}
    assert prompt["2"]["inputs"] == {"image": ["1", 0], "size": 9, "boundary": "wrap"}
    assert prompt["3"]["inputs"] == {"images": ["2", 0], "prefix": "out"}


def test_title_is_the_nodes_or_its_display_name():
    prompt = to_prompt(chain(), INFO)
    assert [prompt[i]["_meta"]["title"] for i in "123"] == ["Load", "Blur it", "Save"]
    assert to_prompt(chain(title="Mine"), INFO)["2"]["_meta"]["title"] == "Mine"


@pytest.mark.parametrize("control", ["fixed", "randomize"])
def test_value_after_a_seed_is_its_control(control):
    workflow = {"nodes": [node(1, "Sample", [7, control, 32, 2.5])], "links": []}
    assert to_prompt(workflow, INFO)["1"]["inputs"] == {"seed": 7, "steps": 32, "scale": 2.5}


def test_seed_by_name_has_a_control_unless_the_node_says_no():
    info = {"Old": {"input": {"required": {"seed": ["INT", {}], "steps": ["INT", {}]}}}}
    workflow = {"nodes": [node(1, "Old", [7, "fixed", 32])], "links": []}
    assert to_prompt(workflow, info)["1"]["inputs"] == {"seed": 7, "steps": 32}
    info["Old"]["input"]["required"]["seed"][1]["control_after_generate"] = False
    workflow["nodes"][0]["widgets_values"] = [7, 32]
    assert to_prompt(workflow, info)["1"]["inputs"] == {"seed": 7, "steps": 32}


def test_linked_widget_keeps_its_place_among_the_values():
    workflow = {
        "nodes": [
            node(1, "Sample", [7, "fixed", 32, 2.5], [("steps", "INT", 1)]),
            node(2, "PrimitiveNode", [20, "fixed"], outputs=("INT",)),
        ],
        "links": [[1, 2, 0, 1, 0, "INT"]],
    }
    assert to_prompt(workflow, INFO)["1"]["inputs"] == {"seed": 7, "steps": 20, "scale": 2.5}


def test_values_by_name():
    workflow = {"nodes": [node(1, "Sample") | {"widgets_values": {"scale": 3.0, "seed": 1}}], "links": []}
    assert to_prompt(workflow, INFO)["1"]["inputs"] == {"seed": 1, "scale": 3.0}


def test_input_newer_than_the_workflow_takes_its_default():
    assert to_prompt(chain(widgets_values=[9]), INFO)["2"]["inputs"]["boundary"] == "reflect"


def test_values_of_another_version_are_refused():
    with pytest.raises(WorkflowError, match=r"node 2 \(Blur\)"):
        to_prompt(chain(widgets_values=[9, "wrap", "more"]), INFO)


def test_text_that_the_page_shows_in_a_node_is_no_input():
    workflow = {"nodes": [node(1, "Show", ["shown by the page"])], "links": []}
    assert to_prompt(workflow, {"Show": {"input": {"required": {"source": ["*"]}}}})["1"]["inputs"] == {}


def test_list_value_is_marked_as_no_link():
    assert to_prompt(chain(widgets_values=[[3, 5]]), INFO)["2"]["inputs"]["size"] == {"__value__": [3, 5]}


def test_muted_node_vanishes_with_its_links():
    prompt = to_prompt(chain(mode=2), INFO)
    assert set(prompt) == {"1", "3"}
    assert prompt["3"]["inputs"] == {"prefix": "out"}


def test_bypassed_node_hands_on_the_input_of_its_outputs_type():
    inputs = [
        {"name": "mask", "type": "MASK", "link": None},
        {"name": "image", "type": "IMAGE", "link": 1},
    ]
    prompt = to_prompt(chain(mode=4, inputs=inputs), INFO)
    assert set(prompt) == {"1", "3"}
    assert prompt["3"]["inputs"]["images"] == ["1", 0]


def test_reroutes_are_followed_and_notes_left_out():
    reroute = node(2, "Reroute", inputs=[("", "*", 1)], outputs=("*",))
    workflow = chain(**reroute)
    workflow["nodes"] += [node(4, "Note", ["hello"]), node(5, "MarkdownNote", ["# hello"])]
    prompt = to_prompt(workflow, INFO)
    assert set(prompt) == {"1", "3"}
    assert prompt["3"]["inputs"]["images"] == ["1", 0]


def test_subgraph_is_refused_by_name():
    workflow = chain(type="1b2c")
    workflow["definitions"] = {"subgraphs": [{"id": "1b2c", "name": "Restore"}]}
    with pytest.raises(WorkflowError, match="'Restore'"):
        to_prompt(workflow, INFO)


def test_unknown_nodes_are_named():
    workflow = chain(type="Nowhere")
    assert missing_nodes(workflow, INFO) == ["Nowhere"]
    with pytest.raises(WorkflowError, match="Nowhere"):
        to_prompt(workflow, INFO)


def test_prompt_form_is_refused():
    with pytest.raises(WorkflowError, match="as the page saves it"):
        to_prompt({"1": {"class_type": "Load", "inputs": {}}}, INFO)


def test_default_inputs_are_the_widgets():
    assert default_inputs(INFO["Sample"]) == {"seed": 0, "steps": 16, "scale": 1.0}
    assert default_inputs(INFO["Load"]) == {"image": "a.png"}
