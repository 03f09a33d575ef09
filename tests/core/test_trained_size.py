"""Presets as rules: any number of steps, any size, pictures and video; `~` keeps to trained sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import PRESETS, Canvas, flow_sigmas, make_plan, parse, preset
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import MODELS, TRAINED_PIXELS, UNKNOWN_PIXELS, model, trained_latents
from fresco_core.schedule.trained_size import fitted, shortened

FROM_DEAR_TO_CHEAP = ("quality", "balanced", "fast")
LEAST_FULL = {"quality": 3, "balanced": 2, "fast": 2, "spectral": 3}
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
    assert costs == sorted(costs, reverse=True), "from quality to fast, none costs more than the one before"


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
        width, height = size[:2]
        assert plan.reason.startswith(
            f"half of {width}x{height} is {width // 2}x{height // 2}, below the 0.22 megapixels"
        )
        assert f"that {name} is trained for" in plan.reason
        assert not make_plan(parse("draft 1/2; refine 0.9"), flow_sigmas(20), canvas).plain


@pytest.mark.parametrize(
    "name,steps,counts",
    [("balanced", 3, [1, 2]), ("balanced", 4, [2, 2]), ("fast", 5, [3, 2]), ("quality", 4, [1, 3])],
)
def test_few_steps(name, steps, counts):
    plan = plan_of(name, steps, model("flux.1-schnell").canvas(2048, 2048))
    levels = [level for p in plan.passes for level in p.levels]
    assert [levels.count(level) for level in sorted(set(levels), reverse=True)] == counts
    assert "which needs 4 steps" in plan_of("quality", 3, plan.canvas).reason


@pytest.mark.parametrize(
    "text,trained,found",
    [
        ("draft ~1/4 30%, ~1/2 50%; refine 0.9 20% min x2", (1024, None), "draft 1/2 80%"),
        ("draft ~1/4 x3, ~1/2 x5; refine 0.9 x2", (1024, None), "draft 1/2 x8; refine 0.9 x2"),
        ("~1/4 until 0.8, ~1/2 until 0.5, full x9", (1024, None), "1/2 until 0.5, full x9"),
        ("~1/2, ~mixed 50%, full", (4096, None), "full"),
        ("~1/2, mixed 50%, full", (4096, None), "full"),
        ("draft ~1/2; refine 0.9", (0, 1000), "draft 1/4; refine 0.9"),
        ("draft ~1/2; refine 0.9", (500, 1000), "draft 1/2; refine 0.9"),
        ("~mixed 25%..75% 80%, full 20%", (0, 100), "mixed 25%..75% 80%, full 20%"),
        ("draft ~1/4, ~1/2; refine 0.9", (0, 100), "draft 1/4 min x2; refine 0.9"),
        ("draft ~1/4, ~1/2; refine 0.9", (0, 1024), "draft 1/4, 1/2; refine 0.9"),
        ("draft 1/4; refine 0.9", (4096, None), "draft 1/4; refine 0.9"),
        ("spectral 80%, full 20%", (1024, None), "spectral 1/2 80%, full 20%"),
        ("spectral 80%, full 20%", (4096, None), "full"),
    ],
)
def test_marked_looks_are_fitted_and_others_stay(text, trained, found):
    printed = str(fitted(parse(text), Canvas(64, 64, trained=trained)))
    assert printed.startswith(found) and "~" not in printed


@pytest.mark.parametrize(
    "text,steps,found",
    [
        ("~1/4 30%, 1/2 30%, full 40%", 3, "~1/4 30%, 1/2 30%, full 40%"),
        ("~1/4 30%, 1/2 30%, full 40%", 2, "1/2 60%, full 40%"),
        ("~1/4 30%, ~1/2, full 40%", 1, "full"),
        ("~1/4, mixed 50% x9, full", 2, "mixed 50% x9, full"),
        ("1/4, ~1/2, full", 2, "1/4, ~1/2, full"),
        (
            "draft ~1/4 until 0.9, 1/2 until 0.5, full; refine min x3",
            3,
            "draft 1/2 until 0.5, full; refine min x3",
        ),
    ],
)
def test_first_looks_that_have_no_step_are_left_out_and_the_others_keep_their_amounts(text, steps, found):
    assert str(shortened(parse(text), steps)) == found


def test_every_published_model_has_its_trained_sizes_in_latent_pixels():
    assert {m.canvas(1024, 1024).trained[0] > 0 for m in MODELS.values()} == {True}
    assert trained_latents(TRAINED_PIXELS, 8) == (3438, 32812)
    assert trained_latents((100, None), 8) == (2, None)
    assert model("flux.2-dev").canvas(1024, 1024).trained == trained_latents(TRAINED_PIXELS, 16)


UNKNOWN = {"unknown": True, "family": "Strange", "trained": trained_latents(UNKNOWN_PIXELS, 8), "scale": 8}


@pytest.mark.parametrize("rule", [*PRESETS, "draft 1/4; refine 0.9", "1/8 30%, 1/4 30%, full", "1/2, full"])
@pytest.mark.parametrize("side", [512, 832, 896, 1000, 1024, 2048, 4096])
def test_a_model_of_an_unknown_class_is_held_to_half_and_a_quarter_megapixel(rule, side):
    canvas = Canvas(side // 8, side // 8, **UNKNOWN)
    plan = plan_of(rule, 20, canvas) if rule in PRESETS else make_plan(parse(rule), flow_sigmas(20), canvas)
    levels = {level for p in plan.passes for level in p.levels}
    assert max(levels) <= 1
    assert max(levels) == (rule != "off" and (side // 2) ** 2 >= 250_000)
    if plan.plain and rule != "off":
        assert plan.reason.startswith(f"half of {side}x{side} is ") and "0.25 megapixels" in plan.reason
        assert "unknown class (Strange)" in plan.reason


@pytest.mark.parametrize(
    "name,size",
    [
        ("flux.1-dev", (768, 1024)),
        ("flux.1-dev", (896, 896)),
        ("flux.2-dev", (512, 512)),
        ("wan-1.3b", (480, 832, 81)),
    ],
)
def test_between_the_trained_sizes_the_reason_is_in_pixels_of_the_picture(name, size):
    canvas = model(name).canvas(*size)
    reason = plan_of("balanced", 20, canvas).reason
    width, height = size[:2]
    per_frame = " a frame" if len(size) == 3 else ""
    assert reason == (
        f"half of {width}x{height} is {width // 2}x{height // 2}, below the 0.22 megapixels{per_frame} that "
        f"{name} is trained for; write '1/2' to go below it"
    )
    assert not make_plan(parse("draft 1/4; refine 0.9"), flow_sigmas(20), canvas).plain, "the user's own wish"


def test_the_reason_falls_back_on_latent_pixels_where_no_scale_is_known():
    reason = Canvas(8, 8, trained=(64, None)).too_small()
    assert reason.startswith("half of 8x8 is 4x4 latent pixels, below the 64 latent pixels that the model")
