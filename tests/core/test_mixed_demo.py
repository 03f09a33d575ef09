"""Mixed sequences in the demo transformer, and runs of plans with mixed steps."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from test_layout import random_mask

from fresco_core.canvas.haar import merge
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.size import Canvas
from fresco_core.demo.attention import attend_dense, mixed_table, rotary
from fresco_core.demo.subjects import PromptedDenoiser, trained
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.look.dense import dense_look
from fresco_core.look.mixed import mixed_look
from fresco_core.look.promotion import ORDERS
from fresco_core.look.token_layout import mixed_layout
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.planning import make_plan
from fresco_core.text.grammar import parse
from fresco_core.text.in_words import trace_in_words
from fresco_core.text.presets import preset
from fresco_core.trace import Trace

CANVAS = Canvas(12, 16)


@pytest.fixture(scope="module")
def denoise():
    """Small, with every weight random, so that no block is the identity; a prompt for each of two samples."""
    torch.manual_seed(0)
    shape = TransformerShape(hidden=256, double_blocks=1, single_blocks=2, context_size=24, pooled_size=40)
    model = DemoTransformer(shape).requires_grad_(False)
    for value in model.parameters():
        value.add_(0.05 * torch.randn_like(value))
    return PromptedDenoiser(model, torch.randn(2, 5, 24), torch.randn(2, 40))


def layout_of(count, seed=0, batch=2):
    return mixed_layout(random_mask(batch, 1, 3, 4, count, seed), count)


def test_all_fine_is_the_full_look_and_all_coarse_the_coarse_look(denoise):
    x, sigma = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8])
    fine = mixed_look(denoise, x, sigma, layout_of(12), CANVAS)
    torch.testing.assert_close(fine, denoise(x, sigma), atol=1e-5, rtol=1e-5)
    coarse = mixed_look(denoise, x, sigma, layout_of(0), CANVAS)
    torch.testing.assert_close(coarse, dense_look(denoise, x, sigma, 1), atol=1e-5, rtol=1e-5)


def test_samples_with_different_masks_do_not_touch_each_other(denoise):
    x, sigma, layout = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8]), layout_of(5)
    assert not torch.equal(layout.mask[0], layout.mask[1])
    both = mixed_look(denoise, x, sigma, layout, CANVAS)
    for i in range(2):
        one = PromptedDenoiser(denoise.transformer, denoise.context[i : i + 1], denoise.pooled[i : i + 1])
        own = mixed_layout(layout.mask[i : i + 1], 5)
        alone = mixed_look(one, x[i : i + 1], sigma[i : i + 1], own, CANVAS)
        torch.testing.assert_close(both[i : i + 1], alone, atol=2e-5, rtol=1e-4)


def test_the_sequence_is_as_long_as_it_says(denoise):
    lengths = []
    handle = denoise.transformer.img_in.register_forward_hook(
        lambda m, args, out: lengths.append(out.shape[1])
    )
    x, sigma = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8])
    for count in (0, 3, 12):
        mixed_look(denoise, x, sigma, layout_of(count), CANVAS)
    handle.remove()
    assert lengths == [12, 9 + 12, 48] == [CANVAS.mixed_tokens(1, n / 12) for n in (0, 3, 12)]


@pytest.mark.parametrize("own_clock", [True, False])
def test_the_clock_tells_coarse_tokens_their_sigma(denoise, own_clock):
    seen = []

    class Listening(PromptedDenoiser):
        def mixed(self, x, sigma, state, state_sigma, layout):
            seen.append((sigma, state_sigma))
            return super().mixed(x, sigma, state, state_sigma, layout)

    model = Listening(denoise.transformer, denoise.context, denoise.pooled, own_clock=own_clock)
    sigma = torch.tensor([0.4, 0.8])
    out = mixed_look(model, torch.randn(2, 16, 12, 16), sigma, layout_of(5), CANVAS)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(seen[0][1], sigma / (2 - sigma) if own_clock else sigma)


@pytest.mark.parametrize("order", ORDERS)
def test_plans_with_mixed_steps_run_and_are_traced(order):
    subject = trained("a frog top left, a robot right, on blue dots")
    plan = make_plan(
        parse("draft 1/2 x2, mixed 25%..75% x3; refine 0.8 mixed 50% x1, full x2"),
        flow_sigmas(8),
        subject.canvas,
    )
    noise = hashed_noise(3, (2, 16, 24, 24))
    trace = Trace(2, subject.canvas, 2, plan)
    runs = [sample(subject.denoise, noise, plan, trace=t, order=ORDERS[order]) for t in (trace, None)]
    assert torch.equal(*runs) and torch.isfinite(runs[0]).all()
    assert trace.tokens == plan.tokens()
    fine = [e.fine for e in trace.evaluations]
    assert [f is not None for f in fine] == [False, False, True, True, True, True, False, False]
    assert (fine[4] | ~fine[3]).all() and "2 at 1/2, 4 mixed, 2 at full" in trace_in_words(trace)


def test_the_schedule_may_name_the_order():
    subject, noise = trained("a frog top left, a robot right, on blue dots"), hashed_noise(3, (1, 16, 24, 24))

    def run(words, order=None):
        plan = make_plan(parse(f"1/2 x2, mixed 50%{words} x2, full x1"), flow_sigmas(5), subject.canvas)
        return sample(subject.denoise, noise, plan, order=order)

    named = run(" low")
    assert torch.equal(named, run("", ORDERS["low"])) and torch.equal(named, run(" low", ORDERS["high"]))
    assert not torch.equal(named, run(" high")) and torch.equal(run(""), run(" high"))


def test_the_more_is_fine_the_nearer_a_run_is_to_the_plain_one():
    subject = trained("a frog top left, a robot right, on blue dots")
    noise = hashed_noise(3, (1, 16, 24, 24))

    def run(text):
        return sample(subject.denoise, noise, make_plan(parse(text), flow_sigmas(10), subject.canvas))

    plain = run("full")
    errors = [
        float(F.mse_loss(run(f"{look} x8, full x2"), plain)) for look in ("1/2", "mixed 75%", "mixed 97%")
    ]
    assert errors[2] < 0.5 * errors[1] < 0.25 * errors[0]
    assert torch.isfinite(run(str(preset("progressive")))).all()


def test_mixed_attention_is_dense_with_coarse_tokens_at_the_centres_of_their_blocks():
    text, layout = 3, layout_of(4)
    q, k, v = torch.randn(3, 2, 2, text + layout.tokens, 128).unbind(0)
    seen = attend_dense(q, k, v, mixed_table(layout, text))
    for b in range(2):
        table = rotary(torch.cat((torch.zeros(text, 3), layout.positions()[b])))
        alone = attend_dense(q[b : b + 1], k[b : b + 1], v[b : b + 1], table)
        torch.testing.assert_close(seen[b : b + 1], alone, atol=1e-5, rtol=1e-4)


def test_a_denoiser_of_whole_canvases_refuses_mixed_steps():
    plan = make_plan(parse("mixed 50%, full"), flow_sigmas(4), CANVAS)
    with pytest.raises(ValueError, match="has mixed steps, but function has no 'mixed' and no 'own_clock'"):
        sample(lambda x, sigma: x, hashed_noise(0, (1, 16, 12, 16)), plan)


def test_guidance_goes_beyond_the_prompt_and_leaves_out_the_empty_one(denoise):
    torch.manual_seed(3)
    empty = torch.randn(1, 5, 24), torch.randn(1, 40)
    x, sigma, layout = torch.randn(2, 16, 12, 16), torch.tensor([0.9, 0.4]), layout_of(5)
    guided = replace(denoise, guidance=2.5, empty=empty)
    without = replace(denoise, context=empty[0], pooled=empty[1])
    for call in (lambda d: d(x, sigma), lambda d: d.mixed(x, sigma, merge(x, 1), sigma, layout)[1]):
        wanted = call(without) + 2.5 * (call(denoise) - call(without))
        torch.testing.assert_close(call(guided), wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="needs the empty prompt"):
        replace(denoise, guidance=2.5)
