"""Runs that end above sigma 0 or start low: nothing leaves their range, nothing hides detail."""

import pytest
import torch

from fresco_core import FLOW, VE, Canvas, Schedule, flow_sigmas, make_plan, merge, parse, preset, sample
from fresco_core.text.in_words import plan_in_words
from fresco_core.text.presets import PRESETS

CANVAS = Canvas(64, 64)
SCHEDULES = {**{name: preset(name) for name in PRESETS}, "text": parse("draft 1/2 50%; refine 50%")}
GRIDS = {
    "2 of 4, shift 5": flow_sigmas(4, 5.0)[:3],
    "10 of 20, shift 8": flow_sigmas(20, 8.0)[:11],
    "4 of 8": flow_sigmas(8)[:5],
    "7 of 20": flow_sigmas(20, 3.0)[:8],
}


def own_sigmas(plan, parameterisation=FLOW):
    """What every step asks the model about."""
    return [
        parameterisation.level_sigma(sigma, level)
        for p in plan.passes
        for sigma, level in zip(p.sigmas, p.levels)
    ]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_no_step_of_a_stage_asks_about_a_sigma_outside_it(grid, name):
    plan = make_plan(SCHEDULES[name], grid, CANVAS, sigma_max=1.0)
    assert all(grid[-1] * (1 - 1e-6) <= s <= grid[0] for s in own_sigmas(plan))
    assert plan.steps == len(grid) - 1 and plan.passes[0].sigmas == tuple(grid)
    if name not in ("off", "progressive"):
        assert plan.passes[0].levels[0] > 0, "pure noise may be seen coarse"
        assert plan.open and "ends at sigma" in plan.note and plan.note in plan_in_words(plan)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ("off", "progressive")])
@pytest.mark.parametrize("steps,shift", [(20, 8.0), (8, 12.0), (30, 5.0)])
def test_a_stage_that_jumps_to_zero_keeps_to_its_range(name, steps, shift):
    """As packs end a high-noise expert's run that is given noise again."""
    grid = [s for s in flow_sigmas(steps, shift) if s >= 0.875]
    plan = make_plan(SCHEDULES[name], [*grid, 0.0], CANVAS, sigma_max=1.0)
    assert min(own_sigmas(plan)) >= grid[-1] * (1 - 1e-6) and len(plan.passes) == 1
    assert plan.passes[0].levels[0] > 0 == plan.passes[0].levels[-1]
    assert plan.passes[0].sigmas == (*grid, 0.0)


@pytest.mark.parametrize("steps,shift", [(3, 16.0), (4, 16.0), (8, 16.0), (20, 1.0)])
def test_a_whole_run_is_no_stage_however_it_is_shifted(steps, shift):
    plan = make_plan(SCHEDULES["balanced"], flow_sigmas(steps, shift), CANVAS, sigma_max=1.0)
    assert len(plan.passes) == 2


def test_a_stage_of_an_exploding_model_keeps_to_its_range_too():
    grid = [14.6, 9.0, 6.0, 4.0, 2.5]
    plan = make_plan(parse("1/4 x2, 1/2 x1, full x1"), grid, CANVAS, VE, 14.6)
    assert plan.passes[0].levels == (2, 1, 1, 0) and min(own_sigmas(plan, VE)) >= 2.5
    assert "no look leaves the stage" in plan.note


def test_a_stage_may_end_coarse_where_its_range_allows_it():
    schedule = Schedule(parse("1/2 x1, full x1").passes[0:1])
    assert schedule.ends_full
    coarse = parse("spectral")
    assert not coarse.ends_full
    assert make_plan(coarse, [1.0, 0.95, 0.6], CANVAS).passes[0].levels[-1] > 0


def test_counted_passes_do_not_fit_a_stage_and_the_run_is_plain():
    plan = make_plan(parse("draft 1/2 x2; refine x2"), flow_sigmas(8)[:5], CANVAS)
    assert plan.plain and "a stage that ends at sigma 0.5" in plan.reason and "spectral" in plan.reason


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n != "off"])
def test_a_run_that_starts_below_pure_noise_is_plain(name):
    for low, parameterisation, most in (
        (flow_sigmas(40)[20:], FLOW, 1.0),
        ([2.0, 1.0, 0.5, 0.2, 0.1, 0.0], VE, 14.6),
    ):
        plan = make_plan(SCHEDULES[name], low, CANVAS, parameterisation, most)
        assert plan.plain and "starts at sigma" in plan.reason and "shows through" in plan.reason
        assert plan.passes[0].sigmas == tuple(low)
    assert not make_plan(SCHEDULES[name], [0.96, 0.9, 0.7, 0.5, 0.2, 0.0], CANVAS, sigma_max=1.0).plain


def test_a_given_picture_that_shows_through_makes_the_run_plain_from_any_sigma():
    plan = make_plan(parse("draft 1/2 50%; refine 50%"), flow_sigmas(8), CANVAS, sigma_max=1.0, coarsest=0)
    assert plan.plain and "shows through" in plan.reason


def test_levels_are_held_to_what_the_given_picture_allows():
    plan = make_plan(parse("draft 1/4 x4; refine x4"), flow_sigmas(8), CANVAS, coarsest=1)
    assert plan.passes[0].levels == (1,) * 4 and "no look is coarser than 1/2" in plan.note
    mixed = make_plan(parse("1/2 x2, mixed 50% x2, full x4"), flow_sigmas(8), CANVAS, coarsest=0)
    assert mixed.plain


@pytest.mark.parametrize("text", ["draft 1/2 x1; refine x4", "draft 1/2 x4; refine x1"])
def test_a_pass_shorter_than_its_sampler_needs_makes_the_run_plain(text):
    assert not make_plan(parse(text), flow_sigmas(5), CANVAS).plain
    plan = make_plan(parse(text), flow_sigmas(5), CANVAS, pass_steps=2)
    assert plan.plain and "needs 2 steps in every pass" in plan.reason


def test_a_later_pass_hides_no_detail_that_an_earlier_one_has_drawn():
    """A full pass, then a coarse look from far below: measured on the prediction, taken in full instead."""
    clean = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(2))
    noise = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(3))
    sizes = []

    def denoise(x, sigma):
        sizes.append(x.shape[-1])
        return clean if x.shape[-1] == 32 else merge(clean, 1)

    plan = make_plan(parse("draft full x2; refine 0.5 1/2 x2, full x1"), flow_sigmas(5), Canvas(32, 32))
    assert torch.allclose(sample(denoise, noise, plan), clean, atol=1e-5) and sizes == [32] * 5
    sizes.clear()
    plan = make_plan(parse("draft 1/2 x2; refine 0.5 1/2 x2, full x1"), flow_sigmas(5), Canvas(32, 32))
    sample(denoise, noise, plan)
    assert sizes == [16] * 4 + [32], "a draft at half has no detail to lose"
