"""Presets as rules: any number of steps, any size, pictures and video; `~` keeps to trained sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import PRESETS, Canvas, ScheduleError, flow_sigmas, make_plan, parse, preset
from fresco_core.canvas.levels import THREE_QUARTERS
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import MODELS, TRAINED_PIXELS, UNKNOWN_PIXELS, model, trained_latents
from fresco_core.schedule.trained_size import fitted, shortened

FROM_DEAR_TO_CHEAP = ("quality", "balanced", "fast")
TOO_SMALL = {
    (512, 512): "3/4 of 512x512 is 384x384",
    (480, 640): "3/4 of 480x640 is 360x480",
    (520, 512): "3/4 of 520x512 is 408x384",
    (416, 744): "3/4 of 416x744 is 312x576",
    (640, 352): "3/4 of 640x352 is 480x288",
}
"""How the reason begins, by size; sides of broken blocks are rounded up to whole ones."""
LEAST_FULL = {"quality": 2, "balanced": 2, "fast": 2, "spectral": 3}
SIDES = st.integers(4, 64).map(lambda n: 64 * n)

sizes = st.one_of(
    st.tuples(st.just("flux.1-dev"), SIDES, SIDES, st.just(1)),
    st.tuples(st.just("flux.2-dev"), SIDES, SIDES, st.just(1)),
    st.tuples(st.just("wan-14b"), st.just(832), st.just(480), st.sampled_from([1, 81])),
    st.tuples(st.just("hunyuan-video"), st.just(1280), st.just(720), st.sampled_from([1, 45, 129])),
)


UNKNOWN = {"unknown": True, "family": "Strange", "trained": trained_latents(UNKNOWN_PIXELS, 8), "scale": 8}


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
    canvas = Canvas(height, width, **UNKNOWN)
    plan = plan_of(name, steps, canvas)
    assert plan.steps == steps and (plan.reason is not None or not plan.plain or name == "off")
    coarse = {level for p in plan.passes for level in p.levels} - {0}
    assert coarse <= {THREE_QUARTERS, 1}
    assert all(canvas.allows(level) and canvas.pixels(level) >= canvas.trained[0] for level in coarse)


@pytest.mark.parametrize(
    "name,size,levels",
    [
        ("flux.1-dev", (512, 512), set()),
        ("flux.1-dev", (1024, 1024), {1}),
        ("flux.1-dev", (2048, 2048), {1}),
        ("flux.1-dev", (4096, 4096), {2}),
        ("hunyuan-video", (1280, 720, 129), {1}),
        ("wan-14b", (832, 480, 81), {THREE_QUARTERS}),
        ("wan-14b", (640, 640, 81), {THREE_QUARTERS}),
        ("wan-14b", (848, 472, 81), {THREE_QUARTERS}),
        ("ltx-2", (640, 352, 121), set()),
    ],
)
def test_a_draft_is_of_a_size_that_the_model_is_trained_for(name, size, levels):
    canvas = model(name).canvas(*size)
    plan = make_plan(parse("draft ~1/2 60%; refine 0.9 40%"), flow_sigmas(20, 3.0), canvas)
    assert {level for p in plan.passes for level in p.levels if level} == levels
    assert plan.plain == (not levels)
    if plan.plain:
        assert plan.reason.startswith(TOO_SMALL[size[:2]]) and "below the 0.2" in plan.reason
        assert f"that {name} is trained for" in plan.reason
        assert not make_plan(parse("draft 1/2; refine 0.9"), flow_sigmas(20), canvas).plain


@pytest.mark.parametrize(
    "name,steps,counts",
    [
        ("balanced", 3, [1, 2]),
        ("balanced", 4, [2, 2]),
        ("fast", 5, [3, 2]),
        ("quality", 4, [2, 2]),
        ("quality", 6, [2, 4]),
    ],
)
def test_few_steps(name, steps, counts):
    plan = plan_of(name, steps, model("flux.1-schnell").canvas(2048, 2048))
    levels = [level for p in plan.passes for level in p.levels]
    assert [levels.count(level) for level in sorted(set(levels), reverse=True)] == counts
    assert "which needs 3 steps" in plan_of(name, 2, plan.canvas).reason


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
        ("draft ~1/4 50%; refine 0.9 50%", (2304, None), "draft 3/4 50%; refine 0.9 50%"),
        ("draft ~1/4 50%; refine 0.9 50%", (2305, None), "draft full 50%; refine 0.9 50%"),
        ("spectral 80%, full 20%", (2000, None), "spectral 3/4 80%, full 20%"),
        ("~1/2, ~mixed 50%, full", (2000, None), "3/4, full"),
        ("draft ~3/4 50%; refine 0.9 50%", (0, 100), "draft 3/4 50%; refine 0.9 50%"),
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



@pytest.mark.parametrize("rule", [*PRESETS, "draft 1/4; refine 0.9", "1/8 30%, 1/4 30%, full", "1/2, full"])
@pytest.mark.parametrize("side", [512, 832, 896, 1000, 1024, 2048, 4096])
def test_a_model_of_an_unknown_class_is_held_to_half_and_a_quarter_megapixel(rule, side):
    canvas = Canvas(side // 8, side // 8, **UNKNOWN)
    plan = plan_of(rule, 20, canvas) if rule in PRESETS else make_plan(parse(rule), flow_sigmas(20), canvas)
    levels = {level for p in plan.passes for level in p.levels}
    allowed = [level for level in (1, THREE_QUARTERS) if (side * 2**-level) ** 2 >= 250_000]
    if rule == "progressive" and side < 1000:
        allowed = [THREE_QUARTERS] if side >= 832 else []
    assert max(levels) == (0 if rule == "off" else max(allowed, default=0))
    if plan.plain and rule != "off":
        part, times = ("half", 1 / 2) if side == 1000 else ("3/4", 3 / 4)
        small = f"{part} of {side}x{side} is {side * times:.0f}x{side * times:.0f}"
        assert plan.reason.startswith(small) and "0.25 megapixels" in plan.reason
        assert "unknown class (Strange)" in plan.reason


@pytest.mark.parametrize(
    "name,size",
    [
        ("flux.1-dev", (480, 640)),
        ("flux.1-dev", (520, 512)),
        ("flux.2-dev", (512, 512)),
        ("wan-1.3b", (416, 744, 81)),
    ],
)
def test_between_the_trained_sizes_the_reason_is_in_pixels_of_the_picture(name, size):
    canvas = model(name).canvas(*size)
    reason = plan_of("balanced", 20, canvas).reason
    per_frame = " a frame" if len(size) == 3 else ""
    assert reason == (
        f"{TOO_SMALL[size[:2]]}, below the 0.22 megapixels{per_frame} that {name} is trained for; "
        "write '1/2' to go below it"
    )
    assert not make_plan(parse("draft 1/4; refine 0.9"), flow_sigmas(20), canvas).plain, "the user's own wish"


def test_the_reason_falls_back_on_latent_pixels_where_no_scale_is_known():
    reason = Canvas(8, 8, trained=(64, None)).too_small()
    assert reason.startswith("3/4 of 8x8 is 6x6 latent pixels, below the 64 latent pixels that the model")


@pytest.mark.parametrize("height, width", [(64, 36), (64, 34), (63, 37)])
def test_three_quarters_take_sides_of_any_length(height, width):
    schedule, sigmas = parse("draft 1/2 30%, 3/4 30%; refine 0.9"), flow_sigmas(10)
    plan = make_plan(schedule, sigmas, Canvas(height, width))
    assert {level for p in plan.passes for level in p.levels} == {0, THREE_QUARTERS, 1}


def test_three_quarters_are_padded_to_whole_blocks_and_tokens():
    canvas = Canvas(60, 104, patch=2)
    assert canvas.blocks(THREE_QUARTERS) == (24, 39), "45 rows are not a whole number of tokens"
    assert canvas.size(THREE_QUARTERS) == "78x45" and canvas.pixels(THREE_QUARTERS) == 78 * 45
    video = model("minimax-h3").canvas(864, 480, 56)
    assert (video.height, video.width) == (30, 54) and video.blocks(THREE_QUARTERS) == (12, 21)
    assert video.size(THREE_QUARTERS) == "672x384" and video.suits(THREE_QUARTERS)


def test_three_quarters_of_few_tokens_are_refused_where_they_are_as_many():
    assert Canvas(10, 10).tokens(THREE_QUARTERS) == 36 and not Canvas(10, 10).allows(THREE_QUARTERS)
    assert Canvas(8, 10).allows(THREE_QUARTERS) and Canvas(16, 16).allows(THREE_QUARTERS)
    schedule, sigmas = parse("draft 1/2 30%, 3/4 30%; refine 0.9"), flow_sigmas(10)
    with pytest.raises(ScheduleError, match="at 3/4 resolution.*10x10.*or no fewer in all; use full at the"):
        make_plan(schedule, sigmas, Canvas(10, 10))
