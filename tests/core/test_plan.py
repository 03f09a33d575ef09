import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fresco_core.canvas.noise_level import FLOW, VE
from fresco_core.canvas.size import Canvas
from fresco_core.sampling import flow_sigmas
from fresco_core.schedule.plan import PlannedPass
from fresco_core.schedule.planning import check_end, make_plan
from fresco_core.schedule.steps import FULL_STEP, Step
from fresco_core.schedule.wording import ScheduleError
from fresco_core.text.grammar import parse
from fresco_core.text.in_words import plan_in_words
from fresco_core.text.presets import preset

CANVAS = Canvas(64, 64)


def plan(text, steps=20, canvas=CANVAS, **kwargs):
    return make_plan(parse(text), flow_sigmas(steps), canvas, **kwargs)


def test_counts_and_sigmas_of_the_two_pass_example():
    p = plan("draft 1/2 x12; refine 0.75 x8")
    draft, refine = p.passes
    assert draft.levels == (1,) * 12 and refine.levels == (0,) * 8 and p.steps == 20
    assert draft.sigmas == pytest.approx(np.linspace(1, 0, 13)) and refine.sigmas == pytest.approx(
        np.linspace(0.75, 0, 9)
    )
    assert p.tokens() == 12 * 256 + 8 * 1024 and p.full_tokens() == 20 * 1024
    assert "12 at 1/2 resolution (256 tokens)" in plan_in_words(p) and "1.82x fewer" in plan_in_words(p)


def test_a_single_pass_keeps_the_hosts_grid_exactly():
    grid = [float(np.float32(s)) for s in flow_sigmas(13, shift=3.1)]
    p = make_plan(parse("1/2 until 0.55, full"), grid, CANVAS)
    assert p.passes[0].sigmas == tuple(grid)
    assert p.passes[0].levels == tuple(int(s > 0.55) for s in grid[:-1])


@given(
    st.sampled_from(
        [
            "draft 1/2 60%; refine 0.75 40%",
            "draft 1/2; refine 0.75",
            "draft 1/2 x2; refine 0.75",
            "draft 1/4 15%, 1/2 35%; refine 0.7",
            "1/4, 1/2, full",
            "1/2 33%, full 67%",
        ]
    ),
    st.integers(4, 60),
)
def test_steps_are_divided_to_the_last_one(text, steps):
    schedule = parse(text)
    p = make_plan(schedule, flow_sigmas(steps), CANVAS)
    assert p.steps == steps and not p.plain
    used = [level for planned in p.passes for level in planned.levels]
    assert {phase.look.level for phase in schedule.phases} == set(used)
    for planned in p.passes:
        assert len(planned.sigmas) == planned.steps + 1
        assert all(a > b for a, b in zip(planned.sigmas, planned.sigmas[1:]))
        assert list(planned.levels) == sorted(planned.levels, reverse=True)
    assert p.passes[-1].sigmas[-1] == 0.0 and used[-1] == 0


@pytest.mark.parametrize("shift", [1.0, 3.1, 8.0, None], ids=lambda s: "exploding" if s is None else str(s))
@pytest.mark.parametrize("steps", [3, 4, 8, 20, 50])
def test_a_draft_to_refine_ends_where_the_next_pass_begins(shift, steps):
    exploding = [*np.geomspace(14.6, 0.03, steps), 0.0]
    grid, kind = (exploding, VE) if shift is None else (flow_sigmas(steps, shift=shift), FLOW)
    for start in ("", "0.9 "):
        whole, ended = (
            make_plan(parse(f"draft 1/2 50%{to}; refine {start}50% min x2"), grid, CANVAS, kind)
            for to in ("", " to refine")
        )
        draft, refine = ended.passes
        assert draft.sigmas[-1] == refine.sigmas[0] <= whole.passes[1].sigmas[0]
        assert refine == whole.passes[1] or not start, "a start that is given stays"
        assert draft.looks == whole.passes[0].looks and draft.sigmas[0] == whole.passes[0].sigmas[0]
        assert all(a > b for a, b in zip(draft.sigmas, draft.sigmas[1:]))
    if steps > 4:
        text = "draft 1/2 x2 to refine; refine 0.9 1/2 x2 to refine; refine 0.8"
        three = make_plan(parse(text), grid, CANVAS, kind).passes
        assert [p.sigmas[-1] for p in three[:2]] == [p.sigmas[0] for p in three[1:]]


@pytest.mark.parametrize("steps", [2, 4, 10])
def test_where_a_draft_ends_the_noise_is_three_times_the_picture_a_step_behind_it_at_the_most(steps):
    starts = {}
    for shift in (1.0, 2.0, 8.0, 12.0):
        sigmas = flow_sigmas(2 * steps, shift=shift)
        start = make_plan(parse("draft 1/2 50% to refine; refine"), sigmas, CANVAS).passes[1].sigmas[0]
        starts[shift] = start / (1.0 - start)
    assert starts[8.0] == pytest.approx(3 * steps) == pytest.approx(starts[12.0])
    assert starts[2.0] == pytest.approx(3 * steps, rel=0.02) and starts[1.0] * 1.0001 >= 0.85 / 0.15
    given = [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0]
    ended = make_plan(parse("draft 1/2 to refine; refine x4"), given, CANVAS).passes
    assert ended[1].sigmas == pytest.approx(given[-5:]), "the run's own last sigmas, where they begin above"


@pytest.mark.parametrize("top", [1.01, 1.5, 2.0, 3.0])
def test_a_flow_that_begins_above_pure_noise_is_plain(top):
    for text in ("draft 1/2 50% to refine; refine 50%", "1/2 50%, full 50%", "draft 1/2; refine 0.9"):
        p = make_plan(parse(text), [top, 0.8, 0.5, 0.2, 0.0], CANVAS)
        assert p.plain and "more than noise alone" in p.reason
    assert not make_plan(parse("1/2 50%, full 50%"), [1.0005, 0.8, 0.5, 0.2, 0.0], CANVAS).plain


def test_a_draft_to_refine_that_would_have_no_sigma_to_fall_to_is_plain():
    assert "would not fall in 10 steps" in plan("draft 1/2 50% to refine; refine 1 50%").reason


def test_schedulers_that_start_a_little_lower_are_no_image_to_image():
    p = make_plan(parse("draft 1/2; refine 0.75"), [*np.geomspace(11.0, 0.03, 20), 0.0], CANVAS, VE, 14.6)
    assert p.passes[1].sigmas[0] == pytest.approx(3.0)


def test_the_last_step_of_a_clean_run_is_full_even_where_the_grid_jumps_over_until():
    p = make_plan(parse("1/2 until 0.3, full"), [1.0, 0.9, 0.8, 0.0], CANVAS)
    assert p.passes[0].levels == (1, 1, 0)
    stage = make_plan(parse("1/2 until 0.3, full"), [1.0, 0.9, 0.8], CANVAS)
    assert stage.passes[0].levels == (1, 1), "a stage that keeps noise looks as the whole run would"


def test_step_at_covers_the_grid_what_is_between_and_what_is_beyond():
    p = PlannedPass((1.0, 0.6, 0.3, 0.0), (Step(1), Step(1), FULL_STEP))
    cases = {1.2: 0, 1.0: 0, 0.8: 0, 0.61: 0, 0.6: 1, 0.31: 1, 0.3: 2, 0.1: 2, 0.0: 2}
    assert {s: p.step_at(s) for s in cases} == cases
    for i, s in enumerate((1.0, 0.6, 0.3)):
        assert p.step_at(float(np.float32(s))) == i


@pytest.mark.parametrize(
    "canvas,steps,text,reason",
    [
        (Canvas(6, 64), 20, "draft 1/2; refine 0.75", "too small for half resolution"),
        (Canvas(64, 64), 1, "1/2 until 0.5, full", "a run of 1 is too short"),
        (Canvas(64, 64), 2, "1/4, 1/2, full", "a run of 2 is too short"),
    ],
)
def test_runs_that_cannot_gain_are_plain_and_say_why(canvas, steps, text, reason):
    p = plan(text, steps, canvas)
    assert p.plain and reason in p.reason and reason in plan_in_words(p)
    assert p.passes[0].sigmas == tuple(flow_sigmas(steps)) and set(p.passes[0].levels) == {0}


def test_a_run_that_starts_below_the_last_until_is_plain():
    p = make_plan(parse("1/2 until 0.8, full"), flow_sigmas(20)[-11:], CANVAS)
    assert p.plain and "already full" in p.reason


def test_passes_whose_sigmas_would_not_fall_are_plain():
    p = make_plan(parse("draft 1/2 x4; refine 0.5 x1"), [1.0, 0.8, 0.8, 0.8, 0.8, 0.0], CANVAS)
    assert p.plain and "would not fall" in p.reason


@pytest.mark.parametrize(
    "text,steps,canvas,words",
    [
        (
            "draft 1/2 x12; refine 0.75 x8",
            15,
            CANVAS,
            "sets 20 steps, but the sampler has 15; set the sampler's steps to 20",
        ),
        (
            "1/2 x4, full",
            4,
            CANVAS,
            "sets 4 steps and more, but the sampler has 4; set the sampler's steps to 5 or more",
        ),
        ("1/4 until 0.8, full", 20, Canvas(12, 64), "tokens a side, or no fewer in all; use 1/2 at the most"),
        ("1/8 until 0.8, full", 20, Canvas(16, 16, patch=1), None),
    ],
)
def test_schedules_that_do_not_fit(text, steps, canvas, words):
    if words is None:
        assert not plan(text, steps, canvas).plain
        return
    with pytest.raises(ScheduleError, match=words):
        plan(text, steps, canvas)


@pytest.mark.parametrize(
    "sigmas,words",
    [
        ([1.0, float("nan"), 0.0], "not all finite"),
        ([1.0, -0.5], "not all finite and positive"),
    ],
)
def test_bad_grids(sigmas, words):
    with pytest.raises(ScheduleError, match=words):
        make_plan(preset("balanced"), sigmas, CANVAS)


@pytest.mark.parametrize(
    "sigmas,step", [([1.0, 0.5, 0.7, 0.0], "2 (0.5 then 0.7)"), ([0.0, 1.0, 0.5, 0.0], "1 (0 then 1)")]
)
def test_sigmas_that_rise_run_plain(sigmas, step):
    p = make_plan(preset("balanced"), sigmas, CANVAS)
    assert p.plain and p.reason == f"the sampler's sigmas rise at step {step}"
    assert p.passes[0].sigmas == tuple(sigmas)


@pytest.mark.parametrize("sigmas", [[], [1.0]])
def test_no_step_is_no_case_for_fresco(sigmas):
    assert make_plan(preset("balanced"), sigmas, CANVAS).passes == (PlannedPass(tuple(sigmas), ()),)


def test_off_takes_any_grid_as_it_is():
    flipped = [0.0, 0.5, 1.0]
    assert make_plan(parse("full"), flipped, CANVAS).passes[0].sigmas == tuple(flipped)


def test_tokens_count_padding_frames_and_patches():
    assert Canvas(17, 19).tokens(0) == 9 * 10 and Canvas(17, 19).tokens(1) == 5 * 5
    assert Canvas(60, 104, frames=21, patch=2).tokens(1) == 15 * 26 * 21
    assert Canvas(8, 8, frames=5, patch=2, frame_patch=2).tokens(0) == 16 * 3


def test_a_stage_of_one_step_may_be_coarse():
    p = make_plan(parse("1/2"), [1.0, 0.9375], CANVAS, sigma_max=1.0)
    assert not p.plain and p.passes[0].levels == (1,)
    assert make_plan(parse("draft 1/2 50%; refine 50%"), [1.0, 0.9375], CANVAS, sigma_max=1.0).plain


def test_a_plan_for_a_million_tokens_takes_milliseconds():
    start = time.process_time()
    p = make_plan(preset("balanced"), flow_sigmas(50), Canvas(2048, 2048), FLOW)
    assert p.canvas.tokens(0) == 1024 * 1024 and time.process_time() - start < 0.05


def test_a_mixed_look_grows_from_its_floor_to_its_ceiling():
    p = plan("1/2 x4, mixed 25%..62.5% x4, full x3", 11)
    (only,) = p.passes
    assert only.levels == (1,) * 8 + (0,) * 3 and not only.uniform
    parts = [step.fine for step in only.looks]
    assert parts == [None] * 4 + [0.25, 0.375, 0.5, 0.625] + [None] * 3
    counted = only.tokens(CANVAS)
    assert counted[:4] == (256,) * 4 and counted[4:8] == tuple(256 + 3 * 32 * n for n in (2, 3, 4, 5))
    assert p.tokens() == sum(counted)
    assert "4 mixed of full and 1/2 resolution (448 to 736 tokens)" in plan_in_words(p)


@given(st.integers(1, 99), st.integers(1, 99), st.integers(4, 60), st.integers(8, 70), st.integers(8, 70))
def test_a_run_has_six_lengths_at_the_most(a, b, steps, height, width):
    floor, ceiling = min(a, b), max(a, b)
    canvas = Canvas(height, width)
    text = f"draft 1/2, mixed {floor}%..{ceiling}%; refine 0.8 1/2, mixed {floor}%..{ceiling}%, full"
    p = make_plan(parse(text), flow_sigmas(steps), canvas)
    assert len({n for q in p.passes for n in q.tokens(canvas)}) <= 6
    for q in p.passes:
        mixed = [step for step in q.looks if step.fine is not None]
        assert all(canvas.tokens(1) < step.tokens(canvas) for step in mixed)
        assert [step.fine for step in mixed] == sorted(step.fine for step in mixed)
        assert all(0 < canvas.fine_blocks(1, step.fine) < canvas.tokens(1) for step in mixed)


@pytest.mark.parametrize(
    "text",
    [
        "1/2 40%, mixed 25%..75% 40%, full 20%",
        "draft 1/2, mixed 25%..75%; refine 0.8 mixed 10%..90%, full",
        "1/4 until 0.8, mixed 10%..90% until 0.1, full",
        "draft 1/2 50%; refine 50% min x3",
        "1/2 x1, mixed 25%..75%, full min x900",
        ", ".join(f"mixed {n}%" for n in range(1, 64)) + ", full",
    ],
)
def test_planning_is_linear_in_the_steps(text):
    def seconds(steps):
        schedule, grid, best = parse(text), flow_sigmas(steps), 10.0
        for _ in range(3):
            begun = time.process_time()
            p = make_plan(schedule, grid, CANVAS)
            assert p.steps == steps and plan_in_words(p) and p.tokens()
            best = min(best, time.process_time() - begun)
        return best

    few, many = seconds(1250), seconds(10_000)
    assert many < 0.02 + 32 * few, "8 times the steps; a quadratic planner takes 64 times"
    assert many < 0.5


@pytest.mark.parametrize(
    "text,steps,words",
    [
        ("draft 1/2 x10; refine 50%", 40, "10 steps and 50% of the run's 40, that is 30; expected 40"),
        ("draft 1/2 x10; refine 50%", 40, "or set the sampler's steps to 20"),
        ("1/2 20%, mixed 50% x2, full 10%", 40, "2 steps and 30% of the run's 40, that is 14; expected 40"),
        ("1/2 x15, mixed 50% 50%, full", 20, "that is 25, and leaves none for 'full'"),
        ("draft 1/2 x10; refine 80%", 20, "that is 26; expected 20 together"),
        ("1/2 x2, full 99%", 20, "that is 21.8; expected 20 together"),
        ("draft 1/2 x10 to 0.2; refine 0.9 1/2 until 0.5, full 25%", 20, "that is 15; expected 20 together"),
    ],
)
def test_amounts_that_do_not_add_up_are_named(text, steps, words):
    with pytest.raises(ScheduleError, match=words) as error:
        plan(text, steps)
    assert f"'{text}'" in str(error.value)


@given(st.integers(1, 30), st.integers(1, 99), st.integers(2, 60))
def test_counts_and_percentages_add_up_where_a_rounding_brings_them_to_the_runs_steps(count, percent, steps):
    part = Fraction(percent, 100) * steps
    fits = count + math.floor(part) <= steps <= count + math.ceil(part)
    try:
        p = plan(f"draft 1/2 x{count}; refine {percent}%", steps)
    except ScheduleError:
        assert not fits or steps == count, "a look has a step at least"
    else:
        assert fits and [q.steps for q in p.passes] == [count, steps - count]


@given(st.integers(1, 99), st.integers(2, 60))
def test_a_look_without_an_amount_takes_the_rest(percent, steps):
    p = plan(f"draft 1/2 {percent}%; refine", steps)
    wanted = Fraction(percent, 100) * steps
    assert max(abs(p.passes[0].steps - wanted), abs(p.passes[1].steps - (steps - wanted))) < 1


def test_a_minimum_takes_steps_from_percentages_and_from_nothing_else():
    assert [q.steps for q in plan("draft 1/2 50%; refine 50% min x3", 4).passes] == [1, 3]
    assert [q.steps for q in plan("draft 1/2 80%; refine min x3", 10).passes] == [7, 3]
    with pytest.raises(ScheduleError, match="set the sampler's steps to 13 or more"):
        plan("draft 1/2 x10; refine min x3", 12)


COARSE_ENDS = [
    "1/2",
    "1/4 x4, 1/2",
    "draft 1/4; refine 0.9 1/2",
    "mixed 50%",
    "spectral",
    "1/2 x5, mixed 50%",
]


@pytest.mark.parametrize("text", COARSE_ENDS)
def test_a_run_that_ends_clean_ends_full_and_a_stage_that_keeps_noise_may_not(text):
    for parameterisation, grid in ((FLOW, flow_sigmas(20)), (VE, [*np.geomspace(14.6, 0.03, 20), 0.0])):
        with pytest.raises(ScheduleError, match="never becomes full: in a run that ends clean"):
            make_plan(parse(text), grid, CANVAS, parameterisation)
        stage = make_plan(parse(text), grid[:11], CANVAS, parameterisation, grid[0])
        assert not stage.plain and stage.steps == 10
        assert any(stage.passes[0].levels)
    with pytest.raises(ScheduleError, match="never becomes full"):
        check_end(parse(text))
    check_end(parse(text + ", full"))


def test_a_stage_of_one_pass_is_looked_at_on_its_own_sigmas():
    grid = [1.0, 0.96, 0.9, 0.8]  # half of it at 0.9 is 0.8182
    only = make_plan(parse("1/2"), grid, CANVAS, sigma_max=1.0).passes
    assert len(only) == 1 and only[0].sigmas == tuple(grid) and only[0].levels == (1,) * 3


def test_a_plan_for_models_without_mixed_sequences_is_full_in_mixed_steps():
    p = plan("1/2 x4, mixed 50% x4, full x4", 12).dense()
    assert p.passes[0].levels == (1,) * 4 + (0,) * 8 and not p.mixed
