"""What the schedule editor's route answers."""

import json

import pytest
import tiny

TWO_PASSES = "draft 1/2 60%; refine 0.75 40%"


@pytest.fixture
def ask():
    from fresco_pack.nodes.server.plan_preview import answer

    def call(**request):
        given = {"preset": "from text", "text": TWO_PASSES, "steps": 20, **request}
        return json.loads(json.dumps(answer(given)))

    return call


def test_a_schedule_is_drawn_for_flux_until_the_node_knows_better(ask):
    drawn = ask()
    assert drawn["text"] == TWO_PASSES and drawn["assumed"] == [
        "model",
        "size",
        "sigmas",
    ]
    assert [s["level"] for s in drawn["steps"]] == [1] * 12 + [0] * 8
    assert [s["tokens"] for s in drawn["steps"]] == [1024] * 12 + [4096] * 8
    assert drawn["stages"] == [
        {"pass": 0, "level": 1, "mixed": False, "first": 0, "end": 12},
        {"pass": 1, "level": 0, "mixed": False, "first": 12, "end": 20},
    ]
    assert drawn["steps"][12]["sigma"] == 0.75 and drawn["full_tokens"] == 20 * 4096
    assert drawn["gain"] == pytest.approx(drawn["full_flops"] / drawn["flops"], abs=1e-3)
    assert 1.6 < drawn["gain"] < 1.9 and drawn["gain_over_baseline"] is None
    assert ask(baseline_steps=40)["gain_over_baseline"] == pytest.approx(2 * drawn["gain"], abs=2e-3)
    assert ask(size=[2048, 1024])["full_tokens"] == 20 * 8192


@pytest.mark.parametrize(
    "edit,text",
    [
        ({"kind": "boundary", "stage": 0, "step": 8}, "draft 1/2 40%; refine 0.75 60%"),
        ({"kind": "boundary", "stage": 0, "step": 99}, "draft 1/2 95%; refine 0.75 5%"),
        ({"kind": "level", "stage": 0, "level": 2}, "draft 1/4 60%; refine 0.75 40%"),
        ({"kind": "start", "pass": 1, "sigma": 0.9}, "draft 1/2 60%; refine 0.9 40%"),
    ],
)
def test_edits_change_the_one_line(ask, edit, text):
    drawn = ask(edit=edit)
    assert drawn["text"] == text
    again = ask(preset="from text", text=text)
    assert again["steps"] == drawn["steps"], "what the node is left with draws the same"


@pytest.mark.parametrize(
    "request_,words",
    [
        ({"preset": "from text", "text": "half, full"}, "unknown word 'half'"),
        (
            {"preset": "from text", "text": "draft 1/2 x4; refine 0.75 x4"},
            "sets 8 steps, but the sampler has 20",
        ),
        ({"edit": {"kind": "level", "stage": 1, "level": 1}}, "never becomes full"),
        ({"text": "1/2"}, "never becomes full: in a run that ends clean"),
        ({"text": "draft 1/2 x10; refine 50%", "steps": 40}, "that is 30; expected 40 together"),
        ({"preset": "best"}, "unknown preset 'best'"),
    ],
)
def test_a_schedule_that_cannot_be_says_why(ask, request_, words):
    answered = ask(**request_)
    assert words in answered["error"] and "balanced" in answered["presets"] and "steps" not in answered


@pytest.mark.parametrize(
    "request_,words",
    [
        ([], "found list"),
        ({"steps": 0}, "steps: found 0; expected a whole number from 1 to 10000"),
        ({"steps": True}, "steps: found True"),
        ({"steps": 20, "draft_share": float("nan")}, "draft_share: found nan"),
        ({"text": 7}, "text: found 7"),
        ({"draft_level": "1/3"}, "draft_level: found '1/3'; expected one of 3/4, 1/2"),
        ({"size": [0, 64]}, "size: found 0"),
        ({"edit": {"kind": "delete"}}, "kind: found 'delete'; expected one of boundary"),
        ({"known": {"canvas": [8, 8]}}, "canvas: found [8, 8]; expected a list of 5 numbers"),
        ({"known": {"canvas": [8, 8, 1, 2, 1], "sigmas": ["a"], "sigma_max": 1}}, "sigmas: found 'a'"),
    ],
)
def test_what_is_not_a_request_is_refused(request_, words):
    from fresco_pack.nodes.server.plan_preview import answer
    from fresco_pack.nodes.server.request_fields import RequestError

    with pytest.raises(RequestError) as error:
        answer(request_)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["flux.1-dev", "flux.2-dev", "qwen-image", "wan-14b"])
@pytest.mark.parametrize("share", [0.05, 0.3125, 0.5, 0.625, 1.0])
def test_costs_between_the_known_ones_are_exact(name, share):
    from fresco_pack.fresco_core.cost.registry import MODELS
    from fresco_pack.nodes.server.plan_preview import flops_at, step_flops

    model = MODELS[name]
    canvas = model.canvas(1024, 768)
    points = tuple(map(tuple, step_flops(model.architecture, canvas)))
    tokens = max(int(canvas.tokens(0) * share), 1)
    assert flops_at(points, tokens) == model.architecture.step_flops(tokens)


def test_presets_are_drawn_by_name(ask):
    from fresco_pack.fresco_core import PRESETS, parse

    drawn = {name: ask(preset=name)["text"] for name in ask()["presets"]}
    assert drawn == {name: str(parse(text)) for name, text in PRESETS.items()}


def test_a_known_model_keeps_presets_to_its_trained_sizes(ask):
    from fresco_pack.fresco_core import FLOW, flow_sigmas
    from fresco_pack.fresco_core.cost.registry import MODELS
    from fresco_pack.nodes.server.plan_preview import known_setting

    flux = MODELS["flux.1-dev"]

    def levels(side, preset, edit=None):
        known = known_setting(flux.canvas(side, side), flow_sigmas(20), FLOW, 1.0, flux.architecture)
        drawn = ask(preset=preset, known=known, edit=edit)
        return drawn, {step["level"] for step in drawn["steps"]}

    assert levels(4096, "balanced")[1] == {2, 0} and levels(1024, "fast")[1] == {1, 0}
    small, seen = levels(512, "balanced")
    assert seen == {0} and "trained for" in small["reason"] and small["text"].startswith("draft ~1/4")
    edited, _ = levels(1024, "fast", {"kind": "boundary", "stage": 0, "step": 10})
    assert edited["text"] == "draft 1/2 50% to refine; refine 50%"


def test_a_stage_that_keeps_noise_is_drawn_coarse_where_its_range_allows_it(ask):
    from fresco_pack.fresco_core import FLOW, flow_sigmas
    from fresco_pack.fresco_core.cost.registry import MODELS
    from fresco_pack.nodes.server.plan_preview import known_setting

    wan = MODELS["wan-14b"]
    grid = flow_sigmas(20, 5.0)[:11]
    known = known_setting(wan.canvas(1280, 720), grid, FLOW, 1.0, wan.architecture)
    drawn = ask(text="1/2", steps=10, known=known)
    within = [int(sigma / (2.0 - sigma) >= grid[-1]) for sigma in grid[:-1]]
    assert [s["level"] for s in drawn["steps"]] == within and 0 < sum(within) < 10 and drawn["text"] == "1/2"
    assert drawn["ends"] == [round(grid[-1], 4)]
    assert [s["sigma"] for s in drawn["steps"]] == [round(sigma, 4) for sigma in grid[:-1]]


def test_levels_that_the_run_settles_are_drawn_as_bounds(ask):
    drawn = ask(preset="spectral")
    assert drawn["open"] and not ask()["open"] and [s["level"] for s in drawn["stages"]] == [1, 0]
    assert (
        ask(preset="spectral", edit={"kind": "level", "stage": 0, "level": 1})["text"]
        == "1/2 80%, full 20% min x3"
    )


def test_mixed_steps_are_drawn_with_their_share(ask):
    drawn = ask(preset="progressive")
    mixed = [s["fine"] for s in drawn["steps"] if s["fine"]]
    assert mixed and mixed == sorted(mixed)
    assert [s["mixed"] for s in drawn["stages"]] == [False, True, False]
    assert drawn["full_tokens"] / drawn["tokens"] > drawn["gain"] > 1.0, "the prompt's tokens cost as ever"


@pytest.mark.parametrize("client", ["a page", None])
def test_a_run_tells_its_setting_to_the_page_that_asked_for_it_and_to_no_other(apply, monkeypatch, client):
    """The host sends what is for nobody to every open page."""
    import sys
    from types import SimpleNamespace

    from fresco_pack.nodes.server.known_setting import telling

    sent, model = [], tiny.build("flux", size=(16, 16))
    instance = SimpleNamespace(client_id=client, send_sync=lambda *given: sent.append(given))
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=instance))
    monkeypatch.setitem(sys.modules, "server", server)
    tiny.sample(apply(model.patcher, "1/2 x2, full x2", seen=telling("12:3")), model, steps=4)
    assert [(event, told["node"], to) for event, told, to in sent] == (
        [("fresco_known", "12:3", "a page")] if client else []
    )


def test_sigmas_that_are_no_numbers_are_told_to_no_page(apply, monkeypatch):
    """kl_optimal divides by zero where it has one step, and browsers read no NaN."""
    import json
    from types import SimpleNamespace

    from fresco_pack.nodes.host import versions
    from fresco_pack.nodes.schedule import FrescoSchedule
    from fresco_pack.nodes.server.known_setting import telling

    sent, model = [], tiny.build("flux", size=(16, 16))
    inputs = ("balanced", "", "1/2", 0.6, 0.75, 1, "kl_optimal")
    output = FrescoSchedule.execute(*inputs, model=model.patcher, latent=model.latent)
    assert json.dumps(output.ui, allow_nan=False) and not output.ui["fresco_known"]
    assert "are not all finite" in output.args[2]
    server = SimpleNamespace(client_id="a page", send_sync=lambda *given: sent.append(given))
    monkeypatch.setattr(versions, "page_server", lambda: server)
    for scheduler, count in (("kl_optimal", 0), ("simple", 1)):
        run = apply(model.patcher, "off", [], seen=telling("12:3"))
        tiny.sample(run, model, steps=1, scheduler=scheduler)
        assert len(sent) == count


@pytest.mark.parametrize("family", ["flux", "sdxl"])
def test_after_a_run_the_drawing_is_of_the_model_itself(ask, family):
    from fresco_pack.nodes.schedule import FrescoSchedule

    model = tiny.build(family, size=(32, 32))
    inputs = ("from text", TWO_PASSES, "1/2", 0.6, 0.75, 20, "simple")
    output = FrescoSchedule.execute(*inputs, model=model.patcher, latent=model.latent)
    drawn = ask(known=output.ui["fresco_known"][0])
    assert drawn["assumed"] == [] and drawn["canvas"] == [32, 32, 1]
    assert f"{drawn['tokens']} image tokens instead of {drawn['full_tokens']}" in output.args[2]
    other = ask(known=output.ui["fresco_known"][0], steps=12)
    assert other["assumed"] == ["sigmas"] and len(other["steps"]) == 12


@pytest.mark.parametrize("family", ["flux", "sdxl"])
def test_mixed_steps_are_drawn_and_told_as_the_model_takes_them(ask, family):
    from fresco_pack.nodes.schedule import FrescoSchedule

    model, text = tiny.build(family, size=(32, 32)), "1/2 x8, mixed 50% x4, full x8"
    inputs = ("from text", text, "1/2", 0.6, 0.75, 20, "simple")
    output = FrescoSchedule.execute(*inputs, model=model.patcher, latent=model.latent)
    drawn, words = ask(text=text, known=output.ui["fresco_known"][0]), output.args[2]
    full = drawn["full_tokens"] // 20
    parted = [s["tokens"] < full for s in drawn["steps"]]
    told = "(mixed steps at full resolution: UNetModel takes no mixed sequences yet)" in words
    if family == "flux":
        assert parted == [True] * 12 + [False] * 8 and not told
        assert f": {drawn['gain']:.2f}x less than 20 full steps" in words
    else:
        assert parted == [True] * 8 + [False] * 12 and told
