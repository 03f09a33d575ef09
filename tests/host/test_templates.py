"""The official graphs of the host's template package: how many Fresco speeds up, and why not the others.

The counts are of one version of the package (PACKAGE); another one has other graphs, and is held to the same
share of them.
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import comfy.samplers
import comfy.supported_models
import pytest
import torch
from comfyui_version import __version__
from host_models import ROWS
from test_all_models import AVAILABLE, built

PACK = Path(__file__).parents[2]
sys.path.append(str(PACK))  # last: the pack's own nodes/ must not stand before the host's

NEWEST = (0, 33)
PACKAGE = "comfyui_workflow_templates_json"
READ = "0.1.50"  # the version of it that the counts below are of
GRAPHS, FASTER, GOOD, FAIR = 206, 150, 174, 190
USED, BELOW = "77%", 25  # of the use; faster with drafts below the sizes that models are held to
NOT_FASTER = {
    "audio alone": 14,
    "small picture": 13,
    "draft and refine already": 12,
    "three-dimensional": 5,
    "one step": 5,
    "starts low": 3,
    "too few steps": 2,
    "sampler": 1,
    "draft and refine already and one step": 1,
}
"""By cause. Audio alone, one step and three dimensions are good ones, and so are a start with little noise
and a graph that drafts by itself; what is left to gain are drafts below the sizes that video models are
held to."""


@pytest.fixture(autouse=True, scope="module")
def newest():
    if tuple(int(n) for n in __version__.split(".")[:2]) < NEWEST:
        pytest.skip(f"the survey is of ComfyUI {'.'.join(map(str, NEWEST))} and newer, not {__version__}")


@pytest.fixture(scope="module")
def report(newest, tmp_path_factory):
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("NO TEMPLATES: install comfyui-workflow-templates to survey the official graphs")
    out = tmp_path_factory.mktemp("templates")
    done = subprocess.run(
        [sys.executable, "-m", "tools.templates", sys.executable, "--out", out, "--write", out / "fronted"],
        cwd=PACK,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((out / "templates.json").read_text("utf-8"))
    found["told"] = done.stdout
    found["folder"], found["version"] = out / "fronted", importlib.metadata.version(PACKAGE)
    return found


def test_the_counts_are_what_is_told(report):
    if report["version"] != READ:
        share = report["counts"].get("faster", 0) / report["graphs"]
        assert share >= FASTER / GRAPHS - 0.05, f"{share:.0%} faster of {PACKAGE} {report['version']}"
        return
    causes = Counter(" and ".join(r["causes"]) for r in report["rows"] if r["kind"] != "faster")
    assert report["graphs"] == GRAPHS and report["counts"]["faster"] == FASTER
    assert dict(causes) == NOT_FASTER and sum(NOT_FASTER.values()) == GRAPHS - FASTER
    assert report["good"] == GOOD, "faster, or plain for audio alone, one step, three dimensions"
    assert report["fair"] == FAIR, "and for a start with little noise, or a draft of the graph's own"
    assert f"({USED} of the use)" in report["told"] and f"would speed up {BELOW} of them" in report["told"]


def test_the_engine_still_refuses_what_the_survey_takes_for_refused(flux):
    """Where one of these fails, the survey's verdict._before_planning has to learn it."""
    from fresco_pack.nodes.engine.target import unsupported

    shape = (1, 16, 16, 16)
    assert unsupported(flux.patcher, shape) is None
    assert "neither pictures nor video" in unsupported(flux.patcher, (1, 64, 1000))


def test_nothing_is_refused_and_all_files_are_known(report):
    assert report["counts"].get("refused", 0) == 0
    for row in report["rows"]:
        for sampler in row["samplers"]:
            assert sampler["class"] is not None, f"{row['name']}: no class is told for '{sampler['file']}'"
            assert sampler["verdict"] != "plain" or sampler["words"], "plain runs say why"
            if sampler["verdict"] == "faster":
                assert 0 < sampler["tokens"] < sampler["full_tokens"]


def test_every_sampler_of_the_copies_has_fresco_in_front(report):
    from tools.templates.fronted import APPLY, CONSUMERS, graphs_of

    assert len(list(report["folder"].glob("*.json"))) == report["graphs"]
    seen = 0
    for path in sorted(report["folder"].glob("*.json")):
        for graph in graphs_of(json.loads(path.read_text("utf-8"))):
            nodes = {n["id"]: n for n in graph["nodes"]}
            links = [
                tuple(link.values())[:6] if isinstance(link, dict) else tuple(link[:6])
                for link in graph["links"]
                if link
            ]
            assert len({link[0] for link in links}) == len(links), f"{path.name}: a link id twice"
            into = {link[0]: link for link in links}
            for node in nodes.values():
                for name in CONSUMERS.get(node["type"], ()):
                    entry = next((i for i in node["inputs"] if i["name"] == name), None)
                    if entry is None or entry.get("link") is None:
                        continue
                    _, origin, _, target, slot, _ = into[entry["link"]]
                    assert nodes[origin]["type"] == APPLY and target == node["id"], path.name
                    assert node["inputs"][slot] is entry
                    fresco = nodes[origin]["inputs"][0]["link"]
                    assert into[fresco][3:5] == (origin, 0), f"{path.name}: Fresco Apply has no model"
                    seen += 1
    assert seen >= 300


def test_the_widgets_are_the_hosts_own(report):
    """Against the declarations of the host's classes, which name each input."""
    import asyncio

    import nodes
    from tools.templates.widgets import WIDGETS

    asyncio.run(nodes.init_builtin_extra_nodes())
    theirs = {k: n for k, n in nodes.NODE_CLASS_MAPPINGS.items() if not k.startswith("Fresco")}
    known = {kind: theirs[kind] for kind in WIDGETS if kind in theirs}
    assert len(known) >= 0.9 * len(WIDGETS)
    for kind, node in known.items():
        declared = node.INPUT_TYPES()
        names = []
        for name, spec in {**declared.get("required", {}), **declared.get("optional", {})}.items():
            options = spec[1] if len(spec) > 1 else {}
            plain = isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
            if plain and not options.get("forceInput"):
                names += [name, ""] if options.get("control_after_generate") else [name]
        assert names == WIDGETS[kind], kind


def told():
    from tools.templates.models import CLASSES, PICTURES

    return [name for name, known in CLASSES.items() if known.makes == PICTURES and name in AVAILABLE]


@pytest.mark.parametrize("name", [name for name in AVAILABLE if name in told()])
def test_what_is_told_of_a_model_is_what_the_host_and_the_pack_say(name):
    from fresco_pack.nodes.families import canvas_of, family_of, pixels_of
    from fresco_pack.nodes.host.model import parameterisation_of

    from tools.templates.models import CLASSES

    model, known = built(name), CLASSES[name]
    family = family_of(model.model)
    canvas = canvas_of(model.model, ROWS[name].shape)
    assert known.family == (family.name if family and family.trained else None)
    assert known.pixels == pixels_of(model.model)
    assert known.patch == canvas.patch or name == "HiDreamO1"
    assert known.canvas(1024, 1024, 1).trained == canvas.trained
    sampling = model.get_model_object("model_sampling")
    assert repr(known.parameterisation) == repr(parameterisation_of(sampling))


@pytest.mark.parametrize("scheduler", ["simple", "normal", "sgm_uniform", "beta", "karras", "exponential",
                                       "kl_optimal", "linear_quadratic", "ddim_uniform"])  # fmt: skip
@pytest.mark.parametrize("name", ["ZImage", "QwenImage", "WAN21_T2V", "SDXL"])
def test_the_grids_are_the_hosts_own(name, scheduler):
    from tools.templates.models import CLASSES
    from tools.templates.timetable import grid

    sampling = built(name).get_model_object("model_sampling")
    for steps in (4, 8, 20):
        theirs = comfy.samplers.calculate_sigmas(sampling, scheduler, steps)
        ours = grid(CLASSES[name].table, scheduler, steps)
        assert len(ours) == len(theirs)
        torch.testing.assert_close(torch.tensor(ours), theirs, rtol=0.01, atol=4e-3)


@pytest.mark.parametrize("name", ["ZImage", "QwenImage"])
def test_the_grid_of_beta57_is_the_hosts_beta_with_its_shape(name):
    from tools.templates.models import CLASSES
    from tools.templates.timetable import grid

    sampling = built(name).get_model_object("model_sampling")
    theirs = comfy.samplers.beta_scheduler(sampling, 8, alpha=0.5, beta=0.7)
    ours = torch.tensor(grid(CLASSES[name].table, "beta57", 8))
    torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=0.01, atol=4e-3)


def test_two_samplers_of_wans_experts_are_one_run_for_fresco_experts(report):
    """The official graph: twenty steps in all, of which neither sampler alone has room for a draft."""
    row = next(r for r in report["rows"] if r["name"] == "video_wan2_2_14B_t2v")
    (one,) = row["experts"]
    first, second = (s["sigmas"] for s in row["samplers"])
    assert one["sigmas"] == first + second[1:] and len(one["sigmas"]) == 21
    paired = [r for r in report["rows"] if r["experts"]]
    assert len(paired) >= 8
    for row in paired:
        files = {s["file"] for s in row["samplers"]}
        assert len(files) > 1 and all(e["sigmas"][-1] == 0.0 for e in row["experts"])
    refiner = next(r for r in report["rows"] if r["name"] == "sdxl_simple_example")
    assert refiner["experts"] == [], "SDXL's refiner is another class: two runs"


def test_the_grids_of_scheduler_nodes_are_the_hosts_own():
    from comfy_extras.nodes_flux import Flux2Scheduler
    from comfy_extras.nodes_ideogram4 import Ideogram4Scheduler
    from comfy_extras.nodes_lt import LTXVScheduler

    from tools.templates.timetable import flux2_grid, ideogram_grid, ltxv_grid

    for steps, width, height in ((4, 1024, 1024), (20, 1328, 800), (8, 2048, 2048)):
        theirs = Flux2Scheduler.execute(steps, width, height).args[0]
        torch.testing.assert_close(torch.tensor(flux2_grid(steps, width, height)), theirs)
        theirs = Ideogram4Scheduler.execute(steps, width, height, 0.5, 1.75).args[0]
        ours = torch.tensor(ideogram_grid(steps, width, height, 0.5, 1.75))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    latent = {"samples": torch.zeros(1, 128, 13, 16, 24)}
    theirs = LTXVScheduler.execute(20, 2.05, 0.95, True, 0.1, latent).args[0]
    ours = torch.tensor(ltxv_grid(20, 13 * 16 * 24, 2.05, 0.95, 0.1))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
