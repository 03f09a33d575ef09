"""One engine, led from two sides: a run of the demo model through the core's own sampler and one through the
host's make the same decisions."""

import pytest
import tiny
import torch
from mixed_models import demo_model, random_canvas

STEPS = 20


def decisions(trace):
    return [(e.pass_index, e.level, e.tokens) for e in trace.evaluations]


@pytest.mark.parametrize("text", ["balanced", "spectral", "progressive", "1/2 until 0.55, full"])
def test_the_core_and_the_host_decide_alike_at_every_evaluation(apply, text):
    from fresco_pack.fresco_core import PRESETS, Trace, flow_sigmas, make_plan, parse, sample
    from fresco_pack.nodes.families import canvas_of

    schedule = PRESETS.get(text, text)
    model, denoise = demo_model()
    noise, sigmas = random_canvas(model), torch.tensor(flow_sigmas(STEPS))
    canvas = canvas_of(model.model, tuple(noise.shape))
    plan = make_plan(parse(schedule), sigmas.tolist(), canvas)
    of_core, traces = Trace(2, canvas, 2), []
    expected = sample(denoise, noise, plan, trace=of_core)
    patched = apply(model.patcher, schedule, traces=traces)
    ours = tiny.sample(patched, model, sampler="euler", sigmas=sigmas, noise=noise, seed=0, cfg=1.0)
    (of_host,) = traces
    assert [(p.looks, p.tolerance) for p in of_host.plan.passes] == [
        (p.looks, p.tolerance) for p in plan.passes
    ]
    assert decisions(of_host) == decisions(of_core)
    assert len({level for _, level, _ in decisions(of_core)}) > 1 and of_core.evaluations[-1].level == 0
    for mine, theirs in zip(of_host.evaluations, of_core.evaluations):
        assert (mine.fine is None) == (theirs.fine is None)
        assert mine.fine is None or torch.equal(mine.fine, theirs.fine)
        assert mine.sigma == pytest.approx(theirs.sigma, rel=1e-6)
    assert any(e.fine is not None for e in of_core.evaluations) == (text == "progressive")
    torch.testing.assert_close(model.model.process_latent_in(ours), expected, atol=2e-3, rtol=1e-3)
