"""Edits of a schedule as a drawing makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fresco_core import PRESETS, Canvas, ScheduleError, flow_sigmas, make_plan, parse
from fresco_core.view.editing import Stage, move_boundary, set_level, set_start, stages

CANVAS = Canvas(128, 128)
TEXTS = [*PRESETS.values(), "draft 1/4 20%, 1/2 30%; refine 0.8", "1/4 until 0.9, 1/2 until 0.6, full"]


def plan_of(text, steps=20):
    return make_plan(parse(text), flow_sigmas(steps), CANVAS)


def test_stages_of_two_passes():
    assert stages(plan_of("draft 1/4 20%, 1/2 30%; refine 0.8 50%")) == (
        Stage(0, 0, 2, 0, 4),
        Stage(0, 1, 1, 4, 10),
        Stage(1, 0, 0, 10, 20),
    )
    assert stages(plan_of("1/2 x8, mixed 25%..75% x6, full x6"))[1] == Stage(0, 1, 1, 8, 14, (0.25, 0.75))
    assert stages(plan_of("full")) == (Stage(0, 0, 0, 0, 20),)


@pytest.mark.parametrize("text", TEXTS)
@given(steps=st.integers(6, 60), stage=st.integers(0, 3), step=st.integers(-5, 70))
def test_a_moved_boundary_is_where_it_was_put(text, steps, stage, step):
    plan = plan_of(text, steps)
    found = stages(plan)
    if stage >= len(found) - 1:
        with pytest.raises(ScheduleError, match="no boundary"):
            move_boundary(plan, stage, step)
        return
    if any(s.first == s.end for s in found):
        return  # a grid of few steps jumps over a sigma
    moved = move_boundary(plan, stage, step)
    again = stages(make_plan(moved, flow_sigmas(steps), CANVAS))
    wanted = min(max(step, found[stage].first + 1), found[stage + 1].end - 1)
    assert again[stage].end == wanted
    assert [s.end for s in again[:stage]] == [s.end for s in found[:stage]]
    assert [s.end for s in again[stage + 1 :]] == [s.end for s in found[stage + 1 :]]
    assert parse(str(moved)) == moved


@pytest.mark.parametrize(
    "text,edited",
    [
        ("draft 1/2 60%; refine 0.75 40%", "draft 1/2 40%; refine 0.75 60%"),
        ("draft 1/2 x12; refine 0.75 x8", "draft 1/2 x8; refine 0.75 x12"),
        ("draft 1/2; refine 0.75", "draft 1/2 40%; refine 0.75 60%"),
        ("1/2 until 0.8, full", "1/2 until 0.625, full"),
        ("1/2 60%, full 40%", "1/2 40%, full 60%"),
        ("1/2 50%, mixed 25%..75% 30%, full 20%", "1/2 40%, mixed 25%..75% 40%, full 20%"),
        ("draft ~1/2; refine 0.75 min x3", "draft 1/2 40%; refine 0.75 60%"),
        ("spectral, full min x3", "spectral 40%, full 60%"),
    ],
)
def test_a_moved_boundary_keeps_the_schedules_style(text, edited):
    assert str(move_boundary(plan_of(text), 0, 8)) == edited


def test_levels_and_rewinds():
    schedule = parse("draft 1/2 60%; refine 0.75 40%")
    assert str(set_level(schedule, 0, 2)) == "draft 1/4 60%; refine 0.75 40%"
    assert str(set_start(schedule, 1, 0.8249)) == "draft 1/2 60%; refine 0.82 40%"
    assert str(set_level(parse("spectral 80%, full 20%"), 0, 1)) == "1/2 80%, full 20%"
    assert str(set_level(parse("draft ~1/2; refine 0.75"), 0, 0)) == "draft full; refine 0.75"
    assert str(set_level(schedule, 1, 1)) == "draft 1/2 60%; refine 0.75 1/2 40%", "a stage may end coarse"
    assert set_level(parse("mixed 50% low, full"), 0, 1) == parse("1/2, full")
    with pytest.raises(ScheduleError, match="level 4 is none of full, 3/4, 1/2, 1/4, 1/8"):
        set_level(schedule, 0, 4)
    with pytest.raises(ScheduleError, match="stage 3 is not there"):
        set_level(schedule, 2, 1)
    with pytest.raises(ScheduleError, match="does not start at a sigma"):
        set_start(schedule, 0, 0.5)
    assert str(set_start(schedule, 1, 0.996)) == "draft 1/2 60%; refine 1 40%"
    with pytest.raises(ScheduleError, match="starts at sigma 0; expected between 0 and 1"):
        set_start(schedule, 1, 0.004)


@pytest.mark.parametrize(
    "text", ["draft 1/2 x3, mixed 1% x3; refine x3", "1/2 until 0.7, mixed 99% until 0.4, full"]
)
def test_a_mixed_stage_too_small_for_a_block_is_a_stage_all_the_same(text):
    plan = make_plan(parse(text), flow_sigmas(9), Canvas(16, 16))
    assert not plan.mixed and [s.end - s.first for s in stages(plan)] == [3, 3, 3]
    moved = make_plan(move_boundary(plan, 1, 7), flow_sigmas(9), Canvas(16, 16))
    assert [s.end for s in stages(moved)] == [3, 7, 9]


def test_a_boundary_without_a_step_to_move_over_is_named():
    """A grid of few steps jumps over sigmas; the boundary would lie outside its pass."""
    plan = make_plan(parse("1/4 until 0.9, 1/2 until 0.85, full"), [1.0, 0.5, 0.0], CANVAS)
    assert [(s.first, s.end) for s in stages(plan)] == [(0, 1), (1, 1), (1, 2)]
    with pytest.raises(ScheduleError, match="stages 1 and 2 have 1 steps in this run"):
        move_boundary(plan, 0, 1)
    with pytest.raises(ScheduleError, match="stages 2 and 3 have 1 steps in this run"):
        move_boundary(plan, 1, 2)
