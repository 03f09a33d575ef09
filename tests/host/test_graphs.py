"""The shipped graphs on a booted server: what the host says of each API twin, and their browser's form."""

import json
import sys
from pathlib import Path

import pytest
from comfyui_version import __version__

PACK = Path(__file__).parents[2]
sys.path.append(str(PACK))  # last: the pack's own nodes/ must not stand before the host's
NAMES = sorted(path.stem for path in (PACK / "workflows").glob("*.json"))
REDO = "run python -m tools.graphs OBJECT_INFO.json, docs/development.md"
NEWEST = (0, 33)
NEWER = {"pre_cfg", "resolution_steps", "bit_depth"}  # inputs that older hosts do not have, and ignore
OLD = ("fresco_demo", "fresco_compare", "fresco_flux", "fresco_bench")  # drawn by hand
RUN = ("fresco_demo", "fresco_compare", "fresco_bench")  # need no file
ABSENT = (" not in [", "Invalid image file")  # what the host says of files that it does not have


def read(*parts):
    return json.loads((PACK / "workflows").joinpath(*parts).read_text("utf-8"))


@pytest.fixture(scope="module")
def info(server):
    return server.get("/object_info")


def declared(info, kind):
    return {**info[kind]["input"].get("required", {}), **info[kind]["input"].get("optional", {})}


def test_every_graph_has_its_api_twin():
    assert sorted(path.stem for path in (PACK / "workflows" / "api").glob("*.json")) == NAMES
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_the_api_twin_fits_the_hosts_nodes(info, name):
    prompt = read("api", f"{name}.json")
    for node in prompt.values():
        inputs = declared(info, node["class_type"])
        names = {name.partition(".")[0] for name in node["inputs"]}  # what a choice brings is behind a dot
        assert names - NEWER <= set(inputs), node["class_type"]
        assert set(info[node["class_type"]]["input"].get("required", {})) <= set(node["inputs"])
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                source = info[prompt[value[0]]["class_type"]]["output"][value[1]]
                taken = str(inputs[key][0]).split(",")
                assert source in taken or taken == ["*"], f"{node['class_type']}.{key}: {source}"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in RUN])
def test_the_host_misses_nothing_but_the_files(server, name):
    prompt = read("api", f"{name}.json")
    kinds = {n["inputs"]["type"] for n in prompt.values() if n["class_type"] == "CLIPLoader"}
    if kinds - set(server.get("/object_info/CLIPLoader")["CLIPLoader"]["input"]["required"]["type"][0]):
        pytest.skip(f"this host has no text encoder for {kinds}")
    refused = server.refusal(prompt)
    assert refused, "no model is there"
    for node, words in refused.items():
        files = [v for v in prompt[node]["inputs"].values() if str(v).endswith((".safetensors", ".png"))]
        assert files and any(part in words for part in ABSENT), f"{prompt[node]['class_type']}: {words}"
        others = {k: v for k, v in prompt[node]["inputs"].items() if v not in files}
        assert not any(f"{key}:" in words for key in others), words


@pytest.mark.parametrize("name", NAMES)
def test_the_browsers_form_is_the_same_graph(name):
    """Read by the survey's own reader, which knows nothing of how the graphs were written."""
    from tools.templates.graph import flatten

    prompt = read("api", f"{name}.json")
    graph = {k: node for k, node in flatten(read(f"{name}.json")).items() if node.kind != "MarkdownNote"}
    assert {k: node.kind for k, node in graph.items()} == {k: n["class_type"] for k, n in prompt.items()}
    for key, node in graph.items():
        links = {n: [link.node, link.slot] for n, link in node.links.items()}
        values = {n: v for n, v in node.values.items() if n not in links and n != "upload"}
        assert {**values, **links} == prompt[key]["inputs"], node.kind


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OLD])
def test_an_example_is_faster_tells_its_files_and_has_a_note(name):
    from tools.templates.survey import judged

    document = read(f"{name}.json")
    row = judged(name, document)
    assert row.kind == "faster" and row.gain > 1.2
    assert all("FrescoApply" in sampler.model.through for sampler, _ in row.samplers)
    named = {v for n in document["nodes"] for v in n["widgets_values"] if str(v).endswith(".safetensors")}
    told = {m["name"]: m for n in document["nodes"] for m in n["properties"].get("models", [])}
    assert named == set(told) and named
    assert all(m["url"].endswith("/" + m["name"]) and m["directory"] for m in told.values())
    assert any(n["type"] == "MarkdownNote" and len(n["widgets_values"][0]) > 80 for n in document["nodes"])
    boxes = [(*n["pos"], *n["size"]) for n in document["nodes"]]
    for i, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, *_ in boxes[i + 1 :]:
            assert not (x <= other_x < x + w and y <= other_y < y + h), "two nodes lie on each other"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OLD])
def test_the_examples_are_what_their_descriptions_write(info, name):
    if tuple(int(n) for n in __version__.split(".")[:2]) < NEWEST:
        pytest.skip(f"the graphs have the inputs of ComfyUI {NEWEST[0]}.{NEWEST[1]}, not {__version__}'s")
    from tools.graphs.examples import build

    graph = build(name, info)
    assert json.loads(json.dumps(graph.saved())) == read(f"{name}.json"), REDO
    assert json.loads(json.dumps(graph.prompt)) == read("api", f"{name}.json"), REDO
