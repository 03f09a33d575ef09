"""The example graphs, and the official ones that are used most, run whole on tiny stand-ins."""

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from executed import declared, executed, first, list_nodes
from stand_ins import NODES, smaller, stood_in, trained_for_less

import nodes

PACK = Path(__file__).parents[2]
sys.path.append(str(PACK))  # last: the pack's own nodes/ must not stand before the host's
EXAMPLES = sorted(
    path.stem
    for path in (PACK / "workflows").glob("*.json")
    if path.stem not in ("fresco_demo", "fresco_compare", "fresco_bench")  # of the demo model: test_http
)
PACKAGE = "comfyui_workflow_templates_json"
MOST_USED = (
    "video_minimax_h3_i2v",
    "video_ltx2_3_i2v",
    "video_minimax_h3_r2v",
    "image_z_image_turbo",
    "video_minimax_h3_t2v",
    "image_krea2_turbo_t2i",
    "video_wan2_2_14B_i2v",
    "video_ltx2_5_i2v",
    "image_qwen_image_edit_2509",
    "image_firered_image_edit1_1",
    "image_qwen_image_edit_2511",
    "video_wan_animate2",
)
"""The twelve that were opened most, by the package's own counts."""


@pytest.fixture(autouse=True, scope="module")
def host():
    list_nodes()


def missing(prompt):
    """What this host does not have of what a prompt needs."""
    import comfy.supported_models

    from tools.templates.models import class_of

    kinds = {n["class_type"] for n in prompt.values()} - set(nodes.NODE_CLASS_MAPPINGS) - set(NODES)
    files = [str(v) for n in prompt.values() for v in n["inputs"].values()]
    models = {class_of(f).name for f in files if f.endswith(".safetensors") and class_of(f)}
    return kinds | {m for m in models if not hasattr(comfy.supported_models, m)}


def ran(prompt):
    """A prompt on stand-ins: (its samplers' runs, what its output nodes got)."""
    if lacking := missing(prompt):
        pytest.skip(f"this host has no {', '.join(sorted(lacking))}")
    with trained_for_less():
        return executed(smaller(stood_in(prompt)))


def whole(run):
    """A run's result has the canvas's size and no hole."""
    result = first(run.result)
    return tuple(result.shape[-2:]) == run.size and bool(torch.isfinite(result).all())


def pictures(kept):
    """(height, width) of what was kept."""
    shown = [v.get_components().images if hasattr(v, "get_components") else v for v in kept.values()]
    return [tuple(s.shape[-3:-1]) for s in shown]


def sizes_fit(runs, kept):
    """A picture that was kept has a whole number of pixels for each latent pixel of the last canvas; others
    may lie beside it, to compare with."""
    rows, columns = runs[-1].size
    times = {(height / rows, width / columns) for height, width in pictures(kept)}
    return any(down == across and down in (8, 16, 32) for down, across in times)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_is_coarse(name):
    prompt = json.loads((PACK / "workflows" / "api" / f"{name}.json").read_text("utf-8"))
    runs, kept = ran(prompt)
    assert runs and all(map(whole, runs))
    assert any(look < runs[0].size for look in runs[0].looks), "the first sampler is coarse"
    assert all(run.looks[-1] == run.size for run in runs), "every run ends at full size"
    assert sizes_fit(runs, kept)


def official(name):
    """A graph of the package with Fresco Apply in front of every sampler: (its row, its prompt)."""
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("NO TEMPLATES: install comfyui-workflow-templates to run the official graphs")
    from fresco_core import PRESETS
    from tools.templates.fronted import fronted
    from tools.templates.graph import flatten
    from tools.templates.prompt import as_prompt
    from tools.templates.survey import folder_of, judged
    from tools.templates.verdict import PRESET

    path = folder_of(sys.executable) / f"{name}.json"
    if not path.exists():
        pytest.skip(f"this version of {PACKAGE} has no {name}")
    document = json.loads(path.read_text("utf-8"))
    row = judged(name, document)
    front, count = fronted(document, PRESETS[PRESET])
    assert count >= len(row.samplers)  # some are bypassed
    return row, as_prompt(flatten(front), declared)


def test_fresco_apply_is_saved_as_it_declares_its_widgets():
    from tools.templates.prompt import widgets
    from tools.templates.widgets import WIDGETS

    assert [name for name, _ in widgets(declared("FrescoApply"), [])] == WIDGETS["FrescoApply"]


@pytest.mark.since((0, 33))  # older ones lack some of their nodes
@pytest.mark.parametrize("name", MOST_USED)
def test_an_official_graph_runs_as_the_survey_tells(name, caplog):
    row, prompt = official(name)
    with caplog.at_level("INFO"):
        runs, kept = ran(prompt)
    assert all(map(whole, runs)) and sizes_fit(runs, kept)
    told = {sampler.node.id: verdict for sampler, verdict in row.samplers}
    assert {run.node for run in runs} == set(told)
    said = "\n".join(r.message for r in caplog.records if r.message.startswith("Fresco"))
    for run in runs:
        coarse = [look for look in run.looks if look < run.size]
        assert run.looks[-1] == run.size
        faster = told[run.node].kind == "faster"
        if faster and any(side % 4 for side in run.size) and "half of" in said:
            faster = False  # at a SCALE-th of its size three quarters of it would break blocks
        assert bool(coarse) == faster, f"{run.node}: {run.size}, {run.looks}: {told[run.node].words}"
        if not coarse:
            assert "below the" in said or "already shows" in said, said


def test_the_official_graphs_are_those_that_are_used_most():
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("NO TEMPLATES: install comfyui-workflow-templates to run the official graphs")
    from tools.templates.survey import folder_of, survey

    rows = sorted(survey(folder_of(sys.executable))[0], key=lambda row: -row.usage)
    if importlib.metadata.version(PACKAGE) != "0.1.50":
        assert len({row.name for row in rows[:40]} & set(MOST_USED)) >= 6
        return
    assert tuple(row.name for row in rows[:12]) == MOST_USED
