"""What nodes really say, and what routes really answer, is whole in the languages that the page has."""

import json
import sys
from pathlib import Path

import pytest
import tiny
import torch
from node_runs import ksampled

sys.path.append(str(Path(__file__).parents[1]))  # last: its conftest is another one
from translations import translations  # noqa: E402

FEW = 6  # steps of a run
SCHEDULES = ("balanced", "draft 1/2; refine 0.6 via pixels", "draft 1/2 x18; refine x12", "mixed 50%, full")


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What the pack writes on nodes, and the host's temporary folder for one test."""
    import folder_paths
    from fresco_pack.nodes.host import versions

    words = []
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    monkeypatch.setattr(versions, "_show", lambda text, node_id: words.append(text))
    return words


def is_schedule(line):
    from fresco_pack.fresco_core import ScheduleError, parse

    try:
        parse(line)
    except ScheduleError:
        return False
    return True


def whole(texts):
    """Assert that every line of texts is translated, but for schedules in their own words."""
    lines = [*dict.fromkeys(line for text in texts for line in text.split("\n") if not is_schedule(line))]
    assert len(lines) > 3, "something is said"
    for language, found in translations(lines).items():
        assert [line for line, other in zip(lines, found) if other is None] == [], language


@pytest.mark.parametrize(
    "family,schedule",
    [
        ("flux", "draft 1/2 50%; refine 0.9 50%"),
        ("flux", "spectral 80%, full 20%"),
        ("flux", "1/2 40%, mixed 25%..75% low 40%, full"),
        ("flux", "draft 1/2 50%; refine keep sound"),
        ("flux", "balanced"),
        ("flux", "full"),
        ("flux", "1/2 min x9, full"),
        ("sd15", "1/2 40%, mixed 50% 40%, full"),
        ("wan", "draft half frames 1/2 60%; refine 40%"),
    ],
)
def test_what_fresco_apply_says(family, schedule, told):
    from fresco_pack.nodes.apply import FrescoApply

    model = tiny.build(family, size=(32, 32), **({"frames": 5} if family == "wan" else {}))
    inputs = {"schedule": schedule, "baseline_steps": 30, "live_heatmap": True}
    patched, _ = FrescoApply.execute(model.patcher, **inputs).args
    tiny.sample(patched, model, steps=FEW)
    assert len(told) >= 2
    whole(told)


def test_what_the_ksampler_and_the_schedule_say(told):
    from fresco_pack.fresco_core import ScheduleError
    from fresco_pack.nodes.schedule import FrescoSchedule

    model = tiny.build("flux", size=(32, 32))
    ksampled(model, steps=FEW, schedule="draft 1/2 50%; refine 50%")
    with pytest.raises(ScheduleError):
        ksampled(model, steps=FEW, schedule="draft 1/2 x3; refine x2")
    connected = {"model": model.patcher, "latent": model.latent}
    sound = {"model": model.patcher, "latent": {"samples": torch.zeros(1, 64, 1024)}}
    for given in ({}, {"model": model.patcher}, {"latent": model.latent}, connected, sound):
        for text in SCHEDULES:
            FrescoSchedule.execute("from text", text, "1/4", 0.5, 0.8, FEW, "simple", **given)
    whole(told)


def test_what_convergence_and_compare_say(told):
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.compare import FrescoCompare
    from fresco_pack.nodes.convergence import FrescoConvergence

    model = tiny.build("flux", size=(32, 32))
    latent, trace = ksampled(model, steps=FEW, schedule="1/2 50%, full")
    patched, runs = FrescoApply.execute(model.patcher).args
    other = {"samples": torch.zeros(2, 16, 8, 8)}
    given = (
        (trace, {"samples": other, "step": 99, "image": torch.zeros(3, 64, 64, 3)}),
        (trace, {"samples": {"samples": latent["samples"] + 1.0}}),
        (runs, {}),
        (runs, {"samples": latent}),
        (ksampled(model, steps=1)[1], {}),
        (ksampled(model, steps=FEW, denoise=0.0)[1], {}),
        (ksampled(model, steps=FEW, sampler_name="dpm_adaptive")[1], {}),
    )
    for which, inputs in given:
        told += FrescoConvergence.execute(which, **inputs).ui.get("note", ())
    assert len(told) > 8
    tiny.sample(patched, model, steps=FEW)
    told += FrescoConvergence.execute(runs, image=torch.rand(1, 64, 64, 3)).ui["note"]
    picture = torch.rand(2, 48, 64, 3)
    for a, b in ((None, None), (trace, None), (trace, trace), (runs, trace)):
        for pictures in (picture, picture[:1]):
            FrescoCompare.execute(image_a=pictures, image_b=pictures / 2, trace_a=a, trace_b=b)
    whole(told)


def test_what_the_routes_answer(tmp_path, monkeypatch):
    import folder_paths
    from fresco_pack.nodes.server import plan_route, presets_route

    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path))
    line = {"preset": "from text", "steps": FEW}
    plans = (
        {**line, "text": "draf 1/2"},
        {**line, "text": "1/2 x9, full"},
        {**line, "text": "1/2, full", "edit": {"kind": "boundary", "stage": 5, "step": 1}},
        {**line, "text": "1/2, full", "edit": {"kind": "start", "pass": 5, "sigma": 0.5}},
        {**line, "text": "1/2, full", "edit": 3},
        {"preset": "missing"},
        {"steps": 0},
        {"steps": "many"},
        {"known": 3},
        {"size": [1]},
        [],
        {"steps": float("nan")},
    )
    kept = (
        {"name": "balanced", "schedule": "full"},
        {"name": "1/2", "schedule": "full"},
        {"name": "?", "schedule": "full"},
        {"name": "mine", "schedule": "half"},
        {"name": "mine", "do": "forget"},
        {"name": 3},
        {"name": "mine", "do": "sell"},
    )
    answers = [plan_route.reply(json.dumps(request).encode()) for request in plans]
    answers += [presets_route.reply(json.dumps(request).encode()) for request in kept]
    answers.append(plan_route.reply(b"{"))
    errors = [json.loads(body)["error"] for _, body in answers]
    assert len(set(errors)) == len(plans) + len(kept) + 1
    whole(errors)
