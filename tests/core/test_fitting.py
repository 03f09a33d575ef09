"""Presets as rules: any number of steps, any size, pictures and video; `~` keeps to trained sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import PRESETS, Canvas, flow_sigmas, make_plan, parse, preset
from fresco_core.cost import MODELS, model, plan_cost, trained_latents
from fresco_core.fitting import fitted

FROM_DEAR_TO_CHEAP = ("quality", "balanced", "fast", "turbo")
LEAST_FULL = {"quality": 3, "balanced": 3, "fast": 3, "turbo": 3, "distilled": 2, "auto": 3}
SIDES = st.integers(4, 64).map(lambda n: 64 * n)

sizes = st.one_of(
    st.tuples(st.just("flux.1-dev"), SIDES, SIDES, st.just(1)),
    st.tuples(st.just("flux.2-dev"), SIDES, SIDES, st.just(1)),
    st.tuples(st.just("wan-14b"), st.just(832), st.just(480), st.sampled_from([1, 81])),
    st.tuples(st.just("hunyuan-video"), st.just(1280), st.just(720), st.sampled_from([1, 45, 129])),
)


def plan_of(name, steps, canvas):
    return make_plan(preset(name), flow_sigmas(steps, 3.0), canvas)


@settings(max_examples=40)
@given(sizes, st.integers(4, 50))
def test_every_preset_fits_every_run_or_is_plain_and_says_why(size, steps):
    name, *sides = size
    known = model(name)
    canvas = known.canvas(*sides)
    fewest = canvas.trained[0]
    costs = []
    for rule in PRESETS:
        plan = plan_of(rule, steps, canvas)
        levels = [level for p in plan.passes for level in p.levels]
        assert plan.steps == steps and levels[-1] == 0
        assert (plan.reason is not None) == (plan.plain and rule != "off")
        assert all(canvas.allows(level) and (not level or canvas.pixels(level) >= fewest) for level in levels)
        assert plan.plain or levels.count(0) >= LEAST_FULL.get(rule, 1)
        if rule in FROM_DEAR_TO_CHEAP:
            costs.append(plan_cost(plan, known.architecture).flops)
    assert costs == sorted(costs, reverse=True), "from quality to turbo, none costs more than the one before"


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 200), st.integers(1, 200), st.integers(1, 60))
def test_presets_fit_canvases_of_unknown_models_too(name, height, width, steps):
    plan = plan_of(name, steps, Canvas(height, width))
    assert plan.steps == steps and (plan.reason is not None or not plan.plain or name == "off")


@pytest.mark.parametrize(
    "name,size,levels",
    [
        ("flux.1-dev", (512, 512), set()),
        ("flux.1-dev", (1024, 1024), {1}),
        ("flux.1-dev", (2048, 2048), {1}),
        ("flux.1-dev", (4096, 4096), {2}),
        ("hunyuan-video", (1280, 720, 129), {1}),
        ("wan-14b", (832, 480, 81), set()),
    ],
)
def test_a_draft_is_of_a_size_that_the_model_is_trained_for(name, size, levels):
    canvas = model(name).canvas(*size)
    plan = make_plan(parse("draft ~1/2 60%; refine 0.9 40%"), flow_sigmas(20, 3.0), canvas)
    assert {level for p in plan.passes for level in p.levels if level} == levels
    assert plan.plain == (not levels)
    if plan.plain:
        assert "trained for" in plan.reason and f"{canvas.pixels(1)} latent pixels a frame" in plan.reason
        assert not make_plan(parse("draft 1/2; refine 0.9"), flow_sigmas(20), canvas).plain


@pytest.mark.parametrize(
    "name,steps,counts",
    [("distilled", 4, [2, 2]), ("turbo", 4, [1, 3]), ("turbo", 5, [2, 3]), ("quality", 8, [2, 6])],
)
def test_few_steps(name, steps, counts):
    plan = plan_of(name, steps, model("flux.1-schnell").canvas(2048, 2048))
    levels = [level for p in plan.passes for level in p.levels]
    assert [levels.count(level) for level in sorted(set(levels), reverse=True)] == counts
    assert "which needs 4 steps" in plan_of("turbo", 3, plan.canvas).reason


@pytest.mark.parametrize(
    "text,trained,found",
    [
        ("draft ~1/4 30%, ~1/2 50%; refine 0.9 20% min x2", (1024, None), "draft 1/2 80%"),
        ("draft ~1/4 x3, ~1/2 x5; refine 0.9 x2", (1024, None), "draft 1/2 x8; refine 0.9 x2"),
        ("~1/4 until 0.8, ~1/2 until 0.5, full x9", (1024, None), "1/2 until 0.5, full x9"),
        ("~1/2, ~mixed 50%, full", (4096, None), "full"),
        ("~1/2, mixed 50%, full", (4096, None), "full"),
        ("~1/2, focus 50%, full", (4096, None), "full"),
        ("~1/2, focus 50%, full", (1024, None), "1/2, focus 50%, full"),
        ("draft full, focus 50%; refine 0.9", (4096, None), "draft full, focus 50%; refine 0.9"),
        ("draft ~1/2; refine 0.9", (0, 1000), "draft 1/4; refine 0.9"),
        ("draft ~1/2; refine 0.9", (500, 1000), "draft 1/2; refine 0.9"),
        ("~mixed 25%..75% 80%, full 20%", (0, 100), "mixed 25%..75% 80%, full 20%"),
        ("draft ~1/4, ~1/2; refine 0.9", (0, 100), "draft 1/4 min x2; refine 0.9"),
        ("draft ~1/4, ~1/2; refine 0.9", (0, 1024), "draft 1/4, 1/2; refine 0.9"),
        ("draft 1/4; refine 0.9", (4096, None), "draft 1/4; refine 0.9"),
        ("auto 80%, full 20%", (1024, None), "auto 1/2 80%, full 20%"),
        ("auto 80%, full 20%", (4096, None), "full"),
    ],
)
def test_marked_looks_are_fitted_and_others_stay(text, trained, found):
    printed = str(fitted(parse(text), Canvas(64, 64, trained=trained)))
    assert printed.startswith(found) and "~" not in printed


def test_networks_as_wide_as_a_published_one_share_its_trained_sizes():
    assert {m.canvas(1024, 1024).trained[0] > 0 for m in MODELS.values()} == {True}
    flux = model("flux.1-lite").architecture
    assert trained_latents(flux, 8) == (3438, 32812) and trained_latents(None, 8) == (0, None)
    assert model("flux.2-dev").canvas(1024, 1024).trained[0] < trained_latents(flux, 8)[0]
