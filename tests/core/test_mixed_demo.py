"""Mixed sequences in the demo transformer, and runs of plans with mixed steps."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from test_layout import random_mask

from fresco_core.canvas import Canvas
from fresco_core.demo.attention import AlignedAttention, attend_dense, attend_mixed, rotary
from fresco_core.demo.subjects import PromptedDenoiser, trained
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.grammar import parse
from fresco_core.layout import mixed_layout
from fresco_core.look import look
from fresco_core.mixed import FRAMES, mixed_look
from fresco_core.noise import hashed_noise
from fresco_core.plan import make_plan
from fresco_core.presets import preset
from fresco_core.promotion import ORDERS, Promotion
from fresco_core.received import ReceivedAttention
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.trace import Trace
from fresco_core.transform import merge

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


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("prior", ["zero", "smooth"])
def test_all_fine_is_the_full_look_and_all_coarse_the_coarse_look(denoise, prior, frame):
    x, sigma = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8])
    fine = mixed_look(denoise, x, sigma, layout_of(12), CANVAS, prior=prior, frame=frame)
    torch.testing.assert_close(fine, denoise(x, sigma), atol=1e-5, rtol=1e-5)
    coarse = mixed_look(denoise, x, sigma, layout_of(0), CANVAS, prior=prior, frame=frame)
    torch.testing.assert_close(coarse, look(denoise, x, sigma, 1, prior=prior), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frame", FRAMES)
def test_samples_with_different_masks_do_not_touch_each_other(denoise, frame):
    x, sigma, layout = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8]), layout_of(5)
    assert not torch.equal(layout.mask[0], layout.mask[1])
    both = mixed_look(denoise, x, sigma, layout, CANVAS, frame=frame)
    for i in range(2):
        one = PromptedDenoiser(denoise.transformer, denoise.context[i : i + 1], denoise.pooled[i : i + 1])
        own = mixed_layout(layout.mask[i : i + 1], 5)
        alone = mixed_look(one, x[i : i + 1], sigma[i : i + 1], own, CANVAS, frame=frame)
        torch.testing.assert_close(both[i : i + 1], alone, atol=2e-5, rtol=1e-4)


def test_aligned_attention_is_what_its_words_say():
    """Against one query at a time: its frame, its keys."""
    text, layout = 3, layout_of(4)
    length = text + layout.tokens
    q, k, v = torch.randn(3, 2, 2, length, 128).unbind(0)
    seen = AlignedAttention.of(layout, text).prepared()(q, k, v).unflatten(2, (2, 128)).transpose(1, 2)

    def rotated(x, position):
        cos, sin = rotary(position[None])
        a, b = x[..., 0::2], x[..., 1::2]
        c, s = cos[0, 0::2], sin[0, 0::2]
        return torch.stack((a * c - b * s, b * c + a * s), dim=-1).flatten(-2)

    origin = torch.zeros(text, 3)
    for b in range(2):
        fine = torch.cat((origin, layout.fine_frame()[b]))
        coarse = torch.cat((origin, layout.coarse_frame()[b]))
        first_coarse = text + layout.fine.shape[1]
        few = [*range(text), *(text + layout.coarse_keys()[b]).tolist()]
        for query in range(length):
            frame, keys = (fine, range(length)) if query < first_coarse else (coarse, few)
            turned = torch.stack([rotated(k[b, :, j], frame[j]) for j in keys], dim=1)
            scores = (rotated(q[b, :, query], frame[query])[:, None] * turned).sum(-1) / 128**0.5
            expected = (scores.softmax(-1)[..., None] * v[b][:, list(keys)]).sum(1)
            torch.testing.assert_close(seen[b, :, query], expected, atol=2e-5, rtol=1e-4)


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


@pytest.mark.parametrize("clock", ["native", "shared"])
def test_the_clock_tells_coarse_tokens_their_sigma(denoise, clock):
    seen = []

    class Listening(PromptedDenoiser):
        def mixed(self, x, sigma, state, state_sigma, layout, frame):
            seen.append((sigma, state_sigma))
            return super().mixed(x, sigma, state, state_sigma, layout, frame)

    model = Listening(denoise.transformer, denoise.context, denoise.pooled)
    sigma = torch.tensor([0.4, 0.8])
    out = mixed_look(model, torch.randn(2, 16, 12, 16), sigma, layout_of(5), CANVAS, clock=clock)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(seen[0][1], sigma if clock == "shared" else sigma / (2 - sigma))


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
    runs = [sample(subject.denoise, noise, plan, trace=t, promotion=Promotion(order)) for t in (trace, None)]
    assert torch.equal(*runs) and torch.isfinite(runs[0]).all()
    assert trace.tokens == plan.tokens()
    fine = [e.fine for e in trace.evaluations]
    assert [f is not None for f in fine] == [False, False, True, True, True, True, False, False]
    assert (fine[4] | ~fine[3]).all() and "2 at 1/2, 4 mixed, 2 at full" in trace.summary()


def test_the_schedule_may_name_order_clock_and_frame():
    subject, noise = trained("a frog top left, a robot right, on blue dots"), hashed_noise(3, (1, 16, 24, 24))

    def run(words, **chosen):
        plan = make_plan(parse(f"1/2 x2, mixed 50%{words} x2, full x1"), flow_sigmas(5), subject.canvas)
        return sample(subject.denoise, noise, plan, **chosen)

    named = run(" edge shared aligned")
    assert torch.equal(named, run("", promotion=Promotion("edge"), clock="shared", frame="aligned"))
    other = {"promotion": Promotion("low"), "clock": "native", "frame": "fine"}
    assert torch.equal(named, run(" edge shared aligned", **other))
    for words in (" edge shared", " edge aligned", " shared aligned"):
        assert not torch.equal(named, run(words))


def test_the_more_is_fine_the_nearer_a_run_is_to_the_plain_one():
    subject = trained("a frog top left, a robot right, on blue dots")
    noise = hashed_noise(3, (2, 16, 24, 24))

    def run(text):
        return sample(subject.denoise, noise, make_plan(parse(text), flow_sigmas(10), subject.canvas))

    plain = run("full")
    errors = [
        float(F.mse_loss(run(f"{look} x8, full x2"), plain)) for look in ("1/2", "mixed 75%", "mixed 97%")
    ]
    assert errors[2] < 0.5 * errors[1] < 0.25 * errors[0]
    assert torch.isfinite(run(str(preset("progressive")))).all()


def test_the_fine_frame_is_dense_attention_with_coarse_tokens_at_the_centres_of_their_blocks(denoise):
    text, layout = 3, layout_of(4)
    q, k, v = torch.randn(3, 2, 2, text + layout.tokens, 128).unbind(0)
    seen = attend_mixed(layout, text, "fine")(q, k, v)
    for b in range(2):
        table = rotary(torch.cat((torch.zeros(text, 3), layout.fine_frame()[b])))
        alone = attend_dense(q[b : b + 1], k[b : b + 1], v[b : b + 1], table)
        torch.testing.assert_close(seen[b : b + 1], alone, atol=1e-5, rtol=1e-4)
    x, sigma = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8])
    both = [mixed_look(denoise, x, sigma, layout_of(12), CANVAS, frame=frame) for frame in FRAMES]
    torch.testing.assert_close(*both, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="unknown frame 'coarse'; expected one of fine, aligned"):
        mixed_look(denoise, x, sigma, layout_of(4), CANVAS, frame="coarse")


def test_received_attention_is_counted_block_by_block(denoise):
    """All fine or all coarse it is that of the whole canvas at its level; watching changes nothing else."""
    received = ReceivedAttention()
    watching = denoise.watched(received)
    x, sigma = torch.randn(2, 16, 12, 16), torch.tensor([0.4, 0.8])
    assert torch.equal(watching(x, sigma), denoise(x, sigma))
    whole = received.shares
    assert whole.shape == (2, 1, 6, 8) and (whole > 0).all() and (whole.sum((1, 2, 3)) < 1).all()
    ours, theirs = (mixed_look(model, x, sigma, layout_of(12), CANVAS) for model in (watching, denoise))
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(received.shares, 4.0 * merge(whole), atol=1e-5, rtol=1e-4)
    layout = layout_of(5)
    mixed_look(watching, x, sigma, layout, CANVAS)
    assert received.shares.shape == layout.mask.shape and (received.shares > 0).all()


def test_an_order_by_attention_needs_a_denoiser_that_tells_it(denoise):
    class Silent:
        def __call__(self, x, sigma):
            return denoise(x, sigma)

        mixed = staticmethod(denoise.mixed)

    plan = make_plan(parse("1/2 x2, mixed 50% x2, full x1"), flow_sigmas(5), CANVAS)
    noise = hashed_noise(0, (2, 16, 12, 16))
    with pytest.raises(ValueError, match="'attention' needs a denoiser .* Silent has no method 'watched'"):
        sample(Silent(), noise, plan, promotion=Promotion("attention"))
    high, attention = (sample(denoise, noise, plan, promotion=Promotion(o)) for o in ("high", "attention"))
    assert torch.equal(high, sample(Silent(), noise, plan)) and not torch.equal(high, attention)


def test_a_denoiser_of_whole_canvases_refuses_mixed_steps():
    plan = make_plan(parse("mixed 50%, full"), flow_sigmas(4), CANVAS)
    with pytest.raises(ValueError, match="has mixed steps, but function has no method 'mixed'"):
        sample(lambda x, sigma: x, hashed_noise(0, (1, 16, 12, 16)), plan)


def test_guidance_goes_beyond_the_prompt_and_leaves_out_the_empty_one(denoise):
    torch.manual_seed(3)
    empty = torch.randn(1, 5, 24), torch.randn(1, 40)
    x, sigma, layout = torch.randn(2, 16, 12, 16), torch.tensor([0.9, 0.4]), layout_of(5)
    guided = replace(denoise, guidance=2.5, empty=empty)
    without = replace(denoise, context=empty[0], pooled=empty[1])
    for call in (lambda d: d(x, sigma), lambda d: d.mixed(x, sigma, merge(x, 1), sigma, layout, "fine")[1]):
        wanted = call(without) + 2.5 * (call(denoise) - call(without))
        torch.testing.assert_close(call(guided), wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="needs the empty prompt"):
        replace(denoise, guidance=2.5)
