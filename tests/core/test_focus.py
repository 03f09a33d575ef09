"""Focus looks: all tokens in their places, some of them only as their last keys and values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas import Canvas
from fresco_core.cost import plan_cost
from fresco_core.demo.subjects import PromptedDenoiser
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.focus import REFRESH, KeyValues, focus_look
from fresco_core.grammar import parse
from fresco_core.layout import mixed_layout
from fresco_core.noise import hashed_noise
from fresco_core.plan import Mix, make_plan
from fresco_core.promotion import FOCUS_ORDERS, Promoter, Promotion
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.shares import MAX_LENGTHS
from fresco_core.trace import Trace

CANVAS = Canvas(10, 14)  # 5 x 7 tokens: no whole number of 2 x 2 blocks
RUN = Canvas(12, 16)  # 48 tokens
NOISE = hashed_noise(1, (2, 16, 12, 16))
SHAPE = TransformerShape(hidden=256, double_blocks=1, single_blocks=2, context_size=24, pooled_size=40)
SIGMA = torch.tensor([0.4, 0.8])


@pytest.fixture(scope="module")
def denoise():
    """Small, with every weight random; a prompt for each of two samples."""
    torch.manual_seed(0)
    model = DemoTransformer(SHAPE).requires_grad_(False)
    for value in model.parameters():
        value.add_(0.05 * torch.randn_like(value))
    return PromptedDenoiser(model, torch.randn(2, 5, 24), torch.randn(2, 40))


def layout_of(count, seed=0, batch=2):
    """`count` queried tokens, other ones in each sample."""
    scores = torch.rand(batch, 35, generator=torch.Generator().manual_seed(seed))
    mask = torch.zeros(batch, 35, dtype=torch.bool).scatter(1, scores.topk(count).indices, True)
    return mixed_layout(mask.reshape(batch, 1, 5, 7), count, level=0)


def canvas_at(seed):
    return torch.randn(2, 16, 10, 14, generator=torch.Generator().manual_seed(seed))


def test_all_queried_is_the_plain_forward_to_the_bit(denoise):
    x = canvas_at(0)
    ours = focus_look(denoise, x, SIGMA, layout_of(35), CANVAS, KeyValues(), torch.zeros_like(x))
    assert torch.equal(ours, denoise(x, SIGMA))


@given(st.integers(0, 2**31), st.integers(1, 34))
@settings(max_examples=15)
def test_of_an_unchanged_state_what_is_kept_gives_the_plain_prediction(denoise, seed, count):
    x, memory = canvas_at(seed), KeyValues()
    plain = focus_look(denoise, x, SIGMA, layout_of(35), CANVAS, memory, torch.zeros_like(x))
    layout, nothing = layout_of(count, seed), torch.full_like(x, torch.nan)
    again = focus_look(denoise, x, SIGMA, layout, CANVAS, memory, nothing)
    queried = layout.fine_pixels(2, 1, x).expand_as(x)
    torch.testing.assert_close(again[queried], plain[queried], atol=2e-5, rtol=1e-4)
    assert again[~queried].isnan().all(), "the others keep the prediction before"


def test_what_was_queried_is_kept_for_the_next_step(denoise):
    """Halves queried one after the other leave what both together leave of the first block."""
    memory, whole, last = KeyValues(), KeyValues(), torch.zeros(2, 16, 10, 14)
    focus_look(denoise, canvas_at(1), SIGMA, layout_of(35), CANVAS, memory, last)
    half = layout_of(20)
    other = mixed_layout(~half.mask, 15, level=0)
    for layout in (half, other):
        focus_look(denoise, canvas_at(2), SIGMA, layout, CANVAS, memory, last)
    focus_look(denoise, canvas_at(2), SIGMA, layout_of(35), CANVAS, whole, last)
    none = torch.zeros(2, 2, 0, 128)
    nowhere = torch.zeros(2, 0, dtype=torch.int64)
    for ours, theirs in zip(*(m.update(0, none, none, nowhere, 35) for m in (memory, whole)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_samples_together_are_as_samples_apart(denoise):
    """As conditional and unconditional ones come, in one call or in two with a memory each."""
    layouts, last = (layout_of(35), layout_of(12)), torch.zeros(2, 16, 10, 14)
    together, memory = last, KeyValues()
    for step, layout in enumerate(layouts):
        together = focus_look(denoise, canvas_at(step), SIGMA, layout, CANVAS, memory, together)
    for i in range(2):
        one = PromptedDenoiser(denoise.transformer, denoise.context[i : i + 1], denoise.pooled[i : i + 1])
        alone, memory = last[:1], KeyValues()
        for step, layout in enumerate(layouts):
            mine = mixed_layout(layout.mask[i : i + 1], layout.fine_blocks, level=0)
            x = canvas_at(step)[i : i + 1]
            alone = focus_look(one, x, SIGMA[i : i + 1], mine, CANVAS, memory, alone)
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-5, rtol=1e-4)


def test_memory_is_what_the_architecture_says_and_does_not_grow(denoise):
    memory, last, seen = KeyValues(), torch.zeros(2, 16, 10, 14), []
    for step, count in enumerate((35, 10, 20, 35, 5)):
        last = focus_look(denoise, canvas_at(step), SIGMA, layout_of(count, step), CANVAS, memory, last)
        seen.append(memory.nbytes)
    assert set(seen) == {SHAPE.architecture().key_value_bytes(35, batch=2, itemsize=4)}
    plan = make_plan(parse("1/2, focus 50%, full"), flow_sigmas(9), CANVAS)
    cost = plan_cost(plan, SHAPE.architecture())
    assert cost.kept_bytes == 2 * 3 * 256 * 35 * 2 and "focus keeps" in cost.describe()
    with pytest.raises(ValueError, match="12 of 35 tokens came, but nothing is kept of the others"):
        focus_look(denoise, last, SIGMA, layout_of(12), CANVAS, KeyValues(), last)


def test_steps_count_and_refresh_as_planned(denoise):
    text = f"1/2 x2, focus 40% x{REFRESH + 2}, full x2"
    plan = make_plan(parse(text), flow_sigmas(REFRESH + 6), RUN)
    part = round(0.4 * 48)
    expected = [12] * 2 + [48] + [part] * (REFRESH - 1) + [48, part] + [48] * 2
    lengths = []
    handle = denoise.transformer.img_in.register_forward_hook(lambda m, a, out: lengths.append(out.shape[1]))
    trace = Trace(2, RUN, 2, plan)
    out = sample(denoise, NOISE, plan, trace=trace)
    handle.remove()
    assert lengths == expected == list(plan.passes[0].tokens(RUN))
    assert plan.passes[0].kept_tokens(RUN) == tuple(48 - part if n == part else 0 for n in expected)
    assert trace.tokens == plan.tokens() and f"2 at 1/2, {REFRESH} focused, 4 at full" in trace.summary()
    assert "focused at full resolution (19 to 48 tokens)" in plan.describe() and torch.isfinite(out).all()


def test_a_run_that_only_focuses_is_not_off_and_dense_without_a_denoiser_for_it(denoise):
    plan = make_plan(parse("focus 50%, full"), flow_sigmas(8), CANVAS)
    assert not plan.plain and not plan.schedule.off and plan.focus_shares == (0.5, 1.0)
    assert plan.dense().passes[0].levels == (0,) * 8 and plan.dense().plain
    both = make_plan(parse("mixed 50%, focus 50%, full"), flow_sigmas(9), CANVAS)
    assert both.parts == ("mixed", "focus") and plan.parts == ("focus",) and both.dense().parts == ()
    assert both.without_focus().parts == ("mixed",)
    assert both.without_focus().passes[0].levels == (1,) * 3 + (0,) * 6
    with pytest.raises(ValueError, match="has focus steps, but function has no method 'focus'"):
        sample(lambda x, sigma: x, NOISE, plan)


def test_the_least_settled_tokens_are_queried_anew_at_each_step():
    promoter = Promoter(Promotion(), Canvas(16, 16), (0.5, 1.0), level=0)
    variance = torch.full((1, 1, 8, 8), 1e-5)
    for side in (slice(0, 4), slice(4, 8)):
        moving = variance.clone()
        moving[..., side] = 1.0
        promoter.observe(torch.zeros(1, 2, 16, 16), moving)
        layout = promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu"))
        assert layout.mask[..., side].all() and layout.tokens == 32


def test_tau_lets_focus_query_what_has_not_settled():
    for settled, share in ((0.0, 0.75), (0.6, 0.5), (1.0, 0.25)):
        promoter = Promoter(Promotion(tau=0.01), Canvas(16, 16), (0.25, 0.5, 0.75, 1.0), level=0)
        variance = torch.full((1, 1, 8, 8), 1.0)
        variance.flatten(1)[:, : int(settled * 64)] = 1e-4
        promoter.observe(torch.zeros(1, 2, 16, 16), variance)
        assert promoter.layout(Mix(0.5, 0.25, 0.75), 1, torch.device("cpu")).tokens == 64 * share
        assert promoter.layout(Mix(1.0, 0.25, 0.75), 1, torch.device("cpu")).tokens == 64


def test_focus_behind_automatic_levels_begins_with_all_tokens(denoise):
    canvas = Canvas(16, 16)
    plan = make_plan(parse("auto x4, focus 20%..80% x7, full x1"), flow_sigmas(12), canvas)
    trace = Trace(2, canvas, 2, plan)
    sample(denoise, hashed_noise(1, (2, 16, 16, 16)), plan, trace=trace)
    tokens = [e.tokens for e in trace.evaluations]
    assert plan.open and plan.dense().open and trace.evaluations[0].level == 2
    assert tokens[4:] == list(plan.passes[0].tokens(canvas))[4:] and tokens[4] == tokens[8] == 64
    assert len({4, 16, 64} | {canvas.mixed_tokens(0, share) for share in plan.focus_shares}) <= MAX_LENGTHS


@pytest.mark.parametrize("focus", FOCUS_ORDERS)
def test_focus_runs_in_every_order_that_it_has(denoise, focus):
    plan = make_plan(parse("1/2 x2, focus 50% x3, full x1"), flow_sigmas(6), RUN)
    out = sample(denoise, NOISE, plan, promotion=Promotion(focus=focus))
    assert torch.isfinite(out).all()


def test_focus_has_no_order_by_attention():
    with pytest.raises(ValueError, match="focus looks have no order 'attention'"):
        Promotion(focus="attention")
