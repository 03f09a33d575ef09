"""`spectral`: levels that the run finds by its own spectrum."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import (
    FLOW,
    VE,
    Canvas,
    SpectralRule,
    Trace,
    flow_sigmas,
    hashed_noise,
    make_plan,
    parse,
    sample,
)
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import model
from fresco_core.demo.closed_form import HaarProcess, power_law
from fresco_core.text.in_words import plan_in_words

CANVAS = Canvas(128, 128, patch=1)
STEPS = 100


def process(powers):
    return HaarProcess(torch.zeros(1, 3, CANVAS.height, CANVAS.width), powers)


def run(text, powers, steps=STEPS, parameterisation=FLOW, scale=1.0, seed=3, batch=2):
    """The trace of a run with the exact denoiser; `scale` stretches the grid to an exploding one's."""
    law = process(powers)
    sigmas = [scale * s for s in flow_sigmas(steps)]
    plan = make_plan(parse(text), sigmas, CANVAS, parameterisation)
    trace = Trace(batch, CANVAS, 2, plan)
    noise = hashed_noise(seed, (batch, 3, CANVAS.height, CANVAS.width))

    def denoise(x, sigma):
        return law.denoise(x, sigma, parameterisation)

    sample(denoise, noise, plan, parameterisation, trace=trace)
    return trace


def root(tolerance):
    """The s of s^2 / (1 + s) = tolerance."""
    return 0.5 * (tolerance + math.sqrt(tolerance**2 + 4.0 * tolerance))


def switches(trace):
    """The sigma of the first evaluation at level 1 or finer, and of the first at full resolution."""
    return [next(e.sigma for e in trace.evaluations if e.level <= level) for level in (1, 0)]


@pytest.mark.parametrize("tolerance", [0.003, 0.01, 0.05])
@pytest.mark.parametrize("amplitude,beta", [(0.02, 2.0), (0.2, 1.0), (1.0, 1.5)])
def test_levels_change_where_the_hidden_bands_rise_out_of_the_noise(tolerance, amplitude, beta):
    """s^2 / (1 + s) = tolerance for s = (1 - sigma)^2 S / sigma^2, S of the coarsest hidden band."""
    powers = power_law(5, amplitude, beta)
    found = switches(run(f"spectral {tolerance} 95%, full 5%", powers))
    theory = [1.0 / (1.0 + math.sqrt(root(tolerance) / powers[level])) for level in (1, 0)]
    assert found == pytest.approx(theory, abs=0.05), "to a few of the 100 steps"


def test_exploding_models_too():
    powers = power_law(5, 0.5, 1.5)
    found = switches(run("spectral 0.04 95%, full 5%", powers, parameterisation=VE, scale=20.0))
    theory = [math.sqrt(powers[level] / root(0.04)) for level in (1, 0)]
    assert found == pytest.approx(theory, abs=0.4), "two of the steps of 0.2"


@settings(max_examples=8)
@given(
    st.floats(0.001, 10.0),
    st.floats(0.5, 3.0),
    st.sampled_from(
        ["spectral 60%, full 40%", "spectral 1/2 0.1 x12, full x8", "draft spectral 0.3 60%; refine 0.9 40%"]
    ),
    st.integers(0, 5),
)
def test_levels_only_become_finer_within_the_schedules_bounds(amplitude, beta, text, seed):
    powers = power_law(5, amplitude, beta)
    trace = run(text, powers, 20, seed=seed)
    levels = [e.level for e in trace.evaluations]
    planned = [level for p in trace.plan.passes for level in p.levels]
    assert levels[0] == planned[0] and all(a <= b for a, b in zip(levels, planned))
    assert all(b <= a for a, b in zip(levels[:12], levels[1:12]))
    assert levels[12:] == [0] * 8, "the schedule's own full steps stay"
    assert levels == [e.level for e in run(text, powers, 20, seed=seed).evaluations], "deterministic"


def test_a_smoother_picture_stays_coarse_for_longer():
    costs = [
        run("spectral 90%, full 10%", power_law(5, power, 2.0), 20).tokens for power in (1.0, 0.1, 0.001)
    ]
    assert costs == sorted(costs, reverse=True) and costs[0] > costs[-1]


def test_the_trained_floor_holds_and_what_is_told_is_a_bound():
    flux = model("flux.1-dev")
    plan = make_plan(parse("spectral 80%, full 20%"), flow_sigmas(20), flux.canvas(1024, 1024))
    assert plan.open and max(plan.passes[0].levels) == 1 and str(plan.schedule).startswith("spectral 1/2")
    assert "16 at 1/2 or finer resolution (1024 to 4096 tokens)" in plan_in_words(plan)
    words = plan_in_words(plan) + plan_cost(plan, flux.architecture).describe(50)
    assert "at least 32768 image tokens" in words and "(up to 2.50x fewer)" in words
    assert " in all: up to 2.3" in words and "TFLOPs a full step, at least " in words
    assert not make_plan(parse("1/2 80%, full 20%"), flow_sigmas(20), flux.canvas(1024, 1024)).open


def test_the_trace_tells_what_was_spent():
    trace = run("spectral 80%, full 20%", power_law(5, 0.3, 1.5), 20)
    assert trace.plan.tokens() < trace.tokens < trace.plan.full_tokens()
    assert trace.tokens == sum(CANVAS.tokens(e.level) for e in trace.evaluations)


def test_one_picture_with_detail_makes_the_batch_finer():
    smooth, rough = (process(power_law(5, power, 1.0)).draw(1, torch.manual_seed(1)) for power in (1e-4, 1.0))
    sigma = torch.tensor(0.7)

    def chosen(pictures):
        rule = SpectralRule()
        rule.observe(pictures, 1)
        return rule.choose(1, 0.01, rule.read(sigma))

    assert chosen(smooth) == 1 and chosen(rough) == 0 and chosen(torch.cat((smooth, rough))) == 0


def test_levels_that_cannot_be_enough_are_passed_over():
    rough, sigma = process(power_law(5, 1.0, 0.5)).draw(1, torch.manual_seed(1)), torch.tensor(0.7)
    rule = SpectralRule()
    rule.observe(rough, 2)
    assert rule.choose(2, 0.01, rule.read(sigma)) == 0
    rule.reset()
    rule.observe(rough, 2)
    assert rule.choose(2, 100.0, rule.read(sigma)) == 2


def test_before_anything_is_seen_the_schedules_level_holds():
    rule = SpectralRule()
    assert rule.choose(2, 0.01, rule.read(torch.tensor([0.1]))) == 2
    rule.observe(torch.zeros(1, 3, 64, 64), 2)
    assert rule.choose(2, 0.01, rule.read(torch.tensor([0.1]))) == 2, "an empty picture has no detail"


def test_a_level_below_the_one_that_was_seen_is_asked_about_too():
    """As in a stage, whose plan is lowered beforehand."""
    rough, smooth = (process(power_law(5, power, 0.5)).draw(1, torch.manual_seed(1)) for power in (1.0, 1e-5))
    for picture, level in ((rough, 0), (smooth, 1)):
        rule = SpectralRule()
        rule.observe(picture, 2)
        assert rule.choose(1, 0.01, rule.read(torch.tensor(0.7))) == level
