import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from fresco_core import Canvas, Schedule, Trace, flow_sigmas, make_plan, parse
from fresco_core.__main__ import main
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import MODELS, model
from fresco_core.cost.transformer import Block, Sequence, Stream, Tokens
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.look.dense import FULL, DenseLook
from fresco_core.text.in_words import flops_in_words, spent, trace_in_words

names = st.sampled_from(sorted(MODELS))


def counted(network, *args):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*args)
    return counter.get_total_flops()


@pytest.mark.parametrize("size,batch,text", [((24, 24), 1, 8), ((12, 12), 2, 8), ((24, 16), 1, 30)])
def test_the_demo_model_costs_what_torch_counts(size, batch, text):
    shape = TransformerShape()
    with torch.device("meta"):
        network = DemoTransformer(shape)
        x = torch.empty(batch, 16, *size)
        context, pooled = torch.empty(batch, text, shape.context_size), torch.empty(batch, shape.pooled_size)
        flops = counted(network, x, torch.empty(batch), context, pooled)
    assert shape.architecture().step_flops(Canvas(*size).tokens(0), batch, text) == pytest.approx(
        flops, rel=0.01
    )


def test_flux_lands_on_the_published_figures():
    """Fresco's table 1: 3719.5 TFLOPs for 50 steps at 1024^2; a step at 512^2 costs 0.289 of one."""
    flux = model("flux.1-dev")
    step = flux.architecture.step_flops(flux.canvas(1024, 1024).tokens(0))
    assert 50 * step == pytest.approx(3719.5e12, rel=1e-3)
    half = flux.architecture.step_flops(flux.canvas(512, 512).tokens(0))
    assert half / step == pytest.approx(0.289, abs=5e-4)


def test_a_block_by_hand():
    """Width 2, 3 image and 1 text tokens: per token 4 square matrices and an MLP of 5; 4 x 4 pairs."""
    streams = (Stream(Sequence.IMAGE, 5, modulation=6), Stream(Sequence.TEXT, 5, modulation=6))
    products = 4 * (4 * 2 * 2 + 2 * 2 * 5) + 2 * 6 * 2 * 2
    assert Block(3, 2, streams).flops(Tokens(3, 1)) == 3 * (2 * products + 4 * 2 * 4 * 4)


@given(names, st.integers(1, 10**5), st.integers(1, 10**5))
def test_cost_is_a_quadratic_that_grows_and_the_batch_multiplies(name, few, more):
    architecture = MODELS[name].architecture
    padded = [-(-n // architecture.multiple) * architecture.multiple for n in (few, few + more)]
    costs = [architecture.step_flops(n) for n in padded]
    assert costs[0] <= costs[1] and architecture.step_flops(few) == costs[0]
    unit = architecture.multiple
    third = [architecture.step_flops(padded[0] + k * unit) for k in range(4)]
    assert third[3] - 3 * third[2] + 3 * third[1] - third[0] == 0
    assert architecture.step_flops(few, batch=3) == 3 * costs[0]


@given(names, st.integers(2, 50))
def test_the_cost_of_a_plan_adds_up_and_full_plans_gain_nothing(name, steps):
    published = MODELS[name]
    canvas = published.canvas(1024, 768)
    plan = make_plan(parse("draft 1/2 60%; refine 0.75 40%"), flow_sigmas(steps), canvas)
    cost = plan_cost(plan, published.architecture)
    assert cost.tokens == plan.tokens() and len(cost.steps) == plan.steps
    assert cost.flops == sum(published.architecture.step_flops(s.tokens) for s in cost.steps)
    assert cost.gain_equal_steps > 1.0
    assert cost.gain_over(2 * steps) == pytest.approx(2 * cost.gain_equal_steps)
    assert [s.level for s in cost.steps] == [level for p in plan.passes for level in p.levels]
    full = plan_cost(make_plan(Schedule(), flow_sigmas(steps), canvas), published.architecture, batch=2)
    assert full.gain_equal_steps == 1.0
    assert full.full_step == 2 * plan_cost(plan, published.architecture).full_step


def test_canvases_of_pictures_and_video():
    hunyuan = model("hunyuan-video")
    assert hunyuan.canvas(1280, 720, 129) == Canvas(90, 160, 33, 2)
    assert hunyuan.canvas(1280, 720, 129).tokens(0) == 45 * 80 * 33
    assert model("flux.2-dev").canvas(1024, 1024).tokens(0) == 4096
    with pytest.raises(ValueError, match="flux.1-dev makes single pictures, not 9 frames"):
        model("flux.1-dev").canvas(1024, 1024, 9)
    with pytest.raises(ValueError, match="unknown model 'flux'; expected one of flux.1-dev"):
        model("flux")


def test_words_for_the_user_name_the_gain_over_equal_steps_and_over_the_baseline():
    flux = model("flux.1-dev")
    plan = make_plan(parse("1/2 x10, full x10"), flow_sigmas(20), flux.canvas(1024, 1024))
    cost = plan_cost(plan, flux.architecture)
    assert cost.describe() == ("74.38 TFLOPs a full step, 958.9 TFLOPs in all: 1.55x less than 20 full steps")
    assert cost.describe(50).endswith("less than 20 full steps, 3.88x less than 50")
    assert flops_in_words(12_340_000_000) == "12.34 GFLOPs"


def test_the_trace_sums_up_what_was_spent():
    plan = make_plan(parse("1/2 x1, full x1"), flow_sigmas(2), Canvas(16, 16))
    trace = Trace(1, plan.canvas, 2, plan)
    trace.add(0, torch.tensor([1.0]), DenseLook(1), None, flops=20 * 10**9, full_flops=100 * 10**9)
    trace.add(0, torch.tensor([0.5]), FULL, None, flops=100 * 10**9, full_flops=100 * 10**9)
    assert spent(trace) == (120 * 10**9, 200 * 10**9)
    words = trace_in_words(trace.finish(), baseline_steps=6)
    assert words.endswith(
        "80 image tokens instead of 128 (1.60x fewer), 120 GFLOPs instead of 200 GFLOPs (1.67x less; "
        "5.00x less than 6 full steps)"
    )


def test_the_demo_prints_flops_of_the_trained_model(tmp_path, capsys):
    assert main(["demo", "--steps", "4", "--out", str(tmp_path)]) == 0
    header, plain, ours, gain = capsys.readouterr().out.splitlines()[3:7]
    assert header.split() == ["tokens", "GFLOPs", "seconds"]
    fewer = float(plain.split()[2]) / float(ours.split()[2])
    assert float(gain.split()[2].rstrip("x")) == pytest.approx(fewer, rel=0.01)
