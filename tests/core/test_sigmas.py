"""The sigmas of each pass: where it begins, and how its steps are spread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas.noise_level import FLOW, VE
from fresco_core.canvas.size import Canvas
from fresco_core.sampling import flow_sigmas
from fresco_core.schedule.planning import make_plan
from fresco_core.text.grammar import parse

CANVAS = Canvas(64, 64)


def plan(text, steps=20, canvas=CANVAS, **kwargs):
    return make_plan(parse(text), flow_sigmas(steps), canvas, **kwargs)


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0.2, 5.0))
@settings(max_examples=60)
def test_a_pass_is_spread_as_the_grid_is(total, steps, shift):
    """A pass over the whole range reads the run's grid at evenly spaced positions."""
    grid = flow_sigmas(total * steps, shift)
    draft = total * steps // 2
    p = make_plan(parse(f"draft 1/2 x{draft}; refine 0.5 x{total * steps - draft}"), grid, CANVAS)
    expected = np.interp(np.linspace(0, total * steps, draft + 1), np.arange(total * steps + 1), grid)
    assert p.passes[0].sigmas == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("draft,refine", [(4, 6), (1, 9)])
def test_a_refine_pass_without_sigma_goes_on_after_two_thirds_of_a_step(draft, refine):
    p = plan(f"draft 1/2 x{draft}; refine x{refine}", draft + refine)
    assert p.passes[1].sigmas == pytest.approx(flow_sigmas(3 * refine + 2)[2::3], abs=1e-6)
    exploding = [*np.geomspace(16.0, 0.0625, 20), 0.0]
    p = make_plan(parse("draft 1/2 x12; refine x8"), exploding, CANVAS, VE, 16.0)
    sigmas = p.passes[1].sigmas
    # of 26 steps over a grid of 20 the second ends, the last before 0 is an eighth of the rest before it
    first = 2 * 19 / 25
    assert sigmas[0] == pytest.approx(16.0 * 256 ** (-first / 19), rel=1e-5) and sigmas[-1] == 0.0
    assert sigmas[-2] == pytest.approx(16.0 * 256 ** (-(20 - (20 - first) / 8) / 19), rel=1e-5)


@pytest.mark.parametrize("draft,refine", [(7, 1), (4, 2), (3, 3)])
@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_a_copied_draft_is_refined_from_high_up_one_over_pixels_from_where_its_steps_lead(
    draft, refine, shift
):
    line, grid = f"draft 1/2 x{draft}; refine x{refine}", flow_sigmas(draft + refine, shift)
    assert make_plan(parse(line), grid, CANVAS).passes[1].sigmas[0] == pytest.approx(0.85)
    low = [*np.geomspace(5.0, 0.1, draft + refine), 0.0]
    assert make_plan(parse(line), low, CANVAS, VE).passes[1].sigmas[0] == 5.0, "not above the run's own"
    bridged = make_plan(parse(line.replace("refine", "refine via pixels")), grid, CANVAS, autoencoder=True)
    start = bridged.passes[1].sigmas[0]
    assert start < 0.85 and start == pytest.approx(flow_sigmas(3 * refine + 2, shift)[2], abs=0.01)


def test_a_sigma_above_the_run_says_nothing_where_the_draft_ends_there():
    """Else the draft would have nothing to do: 0.95 of an SDXL-like model is 19, and it begins at 14.6."""
    grid = [14.6146 * (0.0292 / 14.6146) ** (i / 19) for i in range(20)] + [0.0]
    told, untold = (
        make_plan(parse(f"draft 1/2 50% to refine; refine{sigma} 50%"), grid, CANVAS, VE)
        for sigma in (" 0.95", "")
    )
    assert told.passes == untold.passes and not told.plain
    assert told.passes[0].sigmas[-1] == told.passes[1].sigmas[0] < 14.6


def test_the_last_sigmas_of_a_list_for_few_steps_are_taken_as_they_are():
    grid = [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0]
    taken = {n: make_plan(parse(f"draft 1/2; refine x{n}"), grid, CANVAS).passes[1].sigmas for n in (3, 4, 6)}
    assert taken[4] == pytest.approx(grid[-5:]) and taken[6] == pytest.approx(grid[-7:])
    assert taken[3] != pytest.approx(grid[-4:]), "0.909 is too low for a draft that is copied"


def test_exploding_grids_are_spread_in_log_sigma_and_end_with_a_jump():
    karras = [*np.exp(np.linspace(np.log(14.6), np.log(0.03), 20)), 0.0]
    p = make_plan(parse("draft 1/2 x12; refine 0.75 x8"), karras, CANVAS, VE, 14.6)
    draft, refine = p.passes
    assert draft.sigmas[0] == pytest.approx(14.6) and draft.sigmas[-1] == 0.0 == refine.sigmas[-1]
    assert draft.sigmas[-2] == pytest.approx(14.6 * (0.03 / 14.6) ** ((20 - 20 / 12) / 19), rel=1e-4)
    assert refine.sigmas[0] == pytest.approx(3.0, rel=1e-5), "noise share 0.75 is sigma 3"
    ratios = np.diff(np.log(draft.sigmas[:-1]))
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-3)
    low = make_plan(parse("draft 1/2 x1; refine 0.5 x3"), [14.6, 9.0, 3.0, 1.0, 0.0], CANVAS, VE, 14.6)
    assert low.passes[1].sigmas == pytest.approx((1.0, 2 / 3, 1 / 3, 0.0)), "no sigma twice"


def test_a_draft_may_stop_early():
    p = plan("draft 1/2 x12 to 0.1; refine 0.75 x8")
    assert p.passes[0].sigmas[-1] == pytest.approx(0.1)


@given(
    st.lists(st.integers(30, 14000), min_size=6, max_size=20, unique=True),
    st.floats(0.05, 0.9),
    st.floats(0.0, 0.04),
)
def test_every_planned_grid_falls(sigmas, start, end):
    """Also rewinds below the grid's last positive sigma, and drafts that end above 0."""
    for parameterisation, scale in ((VE, 1.0), (FLOW, 1 / 15.0)):
        grid = [s * scale / 1000 for s in sorted(sigmas, reverse=True)] + [0.0]
        schedule = parse(f"draft 1/2{f' to {end:.4f}' if end > 0.001 else ''}; refine {start:.4f}")
        for steps in (grid, grid[:-1]):
            planned = make_plan(schedule, steps, CANVAS, parameterisation, grid[0])
            for p in planned.passes:
                assert all(a > b for a, b in zip(p.sigmas, p.sigmas[1:]))


@pytest.mark.parametrize("line", ["1/4 25%; refine 1/2 25%; refine 50%", "1/2 x2; refine 0.8 x2; refine x4"])
def test_no_pass_undoes_the_one_before_it(line):
    p = make_plan(parse(f"draft {line}"), flow_sigmas(8, 3.0), CANVAS)
    assert p.plain and "and undo the pass from" in p.reason


def test_typed_sigmas_in_float32_are_those_that_were_typed():
    typed = [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875, 0.0]
    for grid in (typed, [float(np.float32(sigma)) for sigma in typed]):
        for at in range(1, 7):
            levels = make_plan(parse(f"1/2 until {typed[at]}, full"), grid, CANVAS).passes[0].levels
            assert levels == (1,) * at + (0,) * (8 - at), typed[at]


def test_a_few_steps_of_an_exploding_grid_end_with_its_kind_of_jump_not_on_its_lowest_sigma():
    grid = [14.61, 3.168, 0.4474, 0.02917, 0.0]
    draft, refine = make_plan(parse("draft 1/2 x2; refine x2"), grid, CANVAS, VE, 14.61).passes
    assert draft.sigmas == pytest.approx((14.61, 0.4474, 0.0)), "every other of the grid's"
    assert refine.sigmas[0] == pytest.approx(0.85 / 0.15) and 0.1 < refine.sigmas[1] < 0.3
    dense = make_plan(parse("draft 1/2 x2; refine x38"), [*np.geomspace(14.6, 0.03, 40), 0.0], CANVAS, VE)
    assert dense.passes[1].sigmas[-2] == pytest.approx(0.03, rel=0.01), "short steps keep the grid's"


def test_a_pass_from_sigma_1_starts_where_the_run_does_or_not_at_all_where_that_is_pure_noise():
    line = parse("draft 1/2 x8; refine 1 x12")
    p = make_plan(line, grid := [*np.geomspace(14.6, 0.03, 20), 0.0], CANVAS, VE, grid[0])
    assert p.passes[1].sigmas[0] == pytest.approx(grid[0])
    assert all(a > b for a, b in zip(p.passes[1].sigmas, p.passes[1].sigmas[1:]))
    p = make_plan(line, flow_sigmas(20), CANVAS)
    assert p.plain and p.reason.startswith("'refine 1 x12' begins with pure noise")
    first_step = make_plan(parse("draft 1/2 x8; refine x12"), flow_sigmas(20), CANVAS).passes[1].sigmas
    assert first_step[0] == pytest.approx(1.0 - 2 / 38)
