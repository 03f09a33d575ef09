"""Levels in time: a clip with fewer frames is a native short clip at its own noise level."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_euler import sample_euler

from fresco_core import Canvas, Trace, flow_sigmas, make_plan, parse, sample
from fresco_core.canvas.edge import Margin
from fresco_core.canvas.frames import continued, expand_frames, frames_at, merge_frames
from fresco_core.canvas.haar import merge, padded_size
from fresco_core.canvas.noise_level import FLOW, VE, noise_halvings, recompose
from fresco_core.cost import MODELS, plan_cost
from fresco_core.look.bridge import bridged
from fresco_core.look.dense import coarse_state, dense_look, levelled
from fresco_core.text.in_words import plan_in_words, trace_in_words


def groups(frames, halvings):
    """The frames that each frame of a short clip stands for, in plain words: the first alone, the others by
    2^halvings, as many as are left in the last."""
    rest = list(range(1, frames))
    size = 2**halvings
    return [[0]] + [rest[i : i + size] for i in range(0, len(rest), size)]


def network(seed, channels=2):
    """A fixed nonlinear denoiser of clips of any size: convolutions over time and space."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(6, channels, 3, 3, 3, generator=generator, dtype=torch.float64) * 0.2
    second = torch.randn(channels, 6, 3, 3, 3, generator=generator, dtype=torch.float64) * 0.2

    def denoise(x, sigma):
        s = sigma.reshape(-1, 1, 1, 1, 1)
        y = torch.tanh(torch.nn.functional.conv3d(x, first, padding=1) + s)
        return torch.nn.functional.conv3d(y, second, padding=1) + 0.2 * (1 - s) * x

    return denoise


@given(st.integers(1, 40), st.integers(0, 3))
@settings(max_examples=60)
def test_a_short_clip_has_a_frame_for_the_first_and_one_for_each_group(frames, halvings):
    stand_for = groups(frames, halvings)
    assert frames_at(frames, halvings) == len(stand_for)
    x = torch.arange(frames, dtype=torch.float64).reshape(1, 1, frames, 1, 1)
    seen = merge_frames(x, halvings)[0, 0, :, 0, 0]
    for value, group in zip(seen.tolist(), stand_for, strict=True):
        whole = group if group == [0] else group + [group[-1]] * (2**halvings - len(group))
        assert value == pytest.approx(sum(whole) / len(whole))
    spread = expand_frames(seen.reshape(1, 1, -1, 1, 1), halvings, frames).flatten().tolist()
    assert spread == [seen[i].item() for i, group in enumerate(stand_for) for _ in group]


@given(st.integers(2, 30), st.integers(1, 3), st.sampled_from([torch.float32, torch.bfloat16]))
@settings(max_examples=30)
def test_merging_undoes_expanding_exactly_and_halvings_follow_each_other(frames, halvings, dtype):
    z = torch.randn(1, 2, frames_at(frames, halvings), 3, 2).to(dtype)
    assert torch.equal(merge_frames(expand_frames(z, halvings, frames), halvings), z)
    x = torch.randn(1, 2, 1 + 8 * 3, 2, 2, dtype=torch.float64)
    once = x
    for _ in range(halvings):
        once = merge_frames(once, 1)
    torch.testing.assert_close(merge_frames(x, halvings), once)


@pytest.mark.parametrize("parameterisation", [FLOW, VE])
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("halvings", [1, 2])
def test_a_short_clip_is_a_state_of_its_own_noise_level(level, halvings, parameterisation):
    """By hand: signal over noise of the means of 4^k 2^j independent values."""
    sigma = 0.6
    weaker = 1.0 / math.sqrt(4.0**level * 2.0**halvings)
    if parameterisation is FLOW:
        odds = sigma / (1.0 - sigma) * weaker
        wanted, scale = odds / (1.0 + odds), 1.0 / ((1.0 - sigma) + sigma * weaker)
    else:
        wanted, scale = sigma * weaker, 1.0
    x = torch.ones(1, 1, 1 + 2**halvings, 8, 8, dtype=torch.float64)
    at = torch.tensor([sigma], dtype=torch.float64)
    state, own = coarse_state(continued(x, halvings), at, level, parameterisation, halvings)
    assert float(own) == pytest.approx(wanted, rel=1e-12)
    torch.testing.assert_close(state, torch.full_like(state, scale))


@pytest.mark.parametrize(("frames", "halvings", "size"), [(5, 1, (4, 4)), (6, 1, (5, 4)), (8, 2, (3, 6))])
@pytest.mark.parametrize("level", [0, 1])
def test_every_frame_of_a_short_clip_has_the_noise_of_its_level(frames, halvings, size, level):
    """The first frame and the last group too, which the margin continues: measured over many channels."""
    count, sigma = 6000, torch.tensor(0.5)
    generator = torch.Generator().manual_seed(4)
    x0 = torch.full((1, count, frames, *size), 0.7)
    noise = torch.randn(x0.shape, generator=generator)
    whole = padded_size(size, level)
    canvas = Margin(seed=8).around(recompose(x0, noise, sigma, FLOW), sigma, whole, x0, FLOW, halvings)
    state, own = coarse_state(canvas, sigma, level, FLOW, halvings)
    state = state[0]
    assert state.shape[1] == len(groups(frames, halvings))
    deviation = state.std(dim=0) / own
    assert float((deviation - 1).abs().max()) < 5 / (2 * count) ** 0.5
    wanted = torch.full_like(state[0], 0.7) * (1 - own)
    torch.testing.assert_close(state.mean(dim=0), wanted, atol=0.03, rtol=0)
    flat = state.flatten(1)
    correlation = torch.corrcoef(flat.T) - torch.eye(flat.shape[1])
    assert float(correlation.abs().max()) < 5.5 / count**0.5, "and no two values share noise"


def test_a_margin_keeps_the_clip_and_the_noise_of_every_call():
    x, x0, sigma = torch.randn(2, 3, 6, 5, 7), torch.randn(2, 3, 6, 5, 7), torch.tensor([0.6, 0.6])
    margin = Margin(3)
    first = margin.around(x, sigma, (8, 8), x0, FLOW, 1)
    assert first.shape == (2, 3, 8, 8, 8) and torch.equal(first[:, :, 1:7, :5, :7], x)
    assert torch.equal(first, Margin(3).around(x, sigma, (8, 8), x0, FLOW, 1))
    plain = Margin(3).around(x, sigma, (8, 8), x0)
    assert torch.equal(first[:, :, 1:7], plain), "the sides are continued as without halvings"
    assert not torch.equal(first[:, :, 0], first[:, :, 1]), "by noise of its own, not by a copy"


@pytest.mark.parametrize("parameterisation", [FLOW, VE])
@given(st.integers(0, 1), st.integers(1, 2), st.integers(2, 7), st.integers(2, 7), st.integers(0, 2**31))
@settings(max_examples=8)
def test_an_all_coarse_run_is_the_native_run_of_the_short_clip(
    parameterisation, level, halvings, frames, steps, seed
):
    """Euler on the canvas, seen as a short small clip, is Euler on that clip over the mapped sigmas."""
    denoise = network(seed)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 2, frames, 4, 6, generator=generator, dtype=torch.float64)
    grid = [s if parameterisation is FLOW else 10 * s for s in flow_sigmas(steps)]
    sigmas = torch.tensor(grid, dtype=torch.float64)
    start = recompose(torch.zeros_like(noise), noise, sigmas[0], parameterisation)

    def seen(x, s):
        return dense_look(denoise, x, s, level, parameterisation, halvings=halvings)

    ours = sample_euler(seen, start, sigmas)
    native_start, _ = coarse_state(continued(start, halvings), sigmas[0], level, parameterisation, halvings)
    own = parameterisation.level_sigma(sigmas, noise_halvings(level, halvings))
    native = sample_euler(denoise, native_start, own)
    torch.testing.assert_close(merge(merge_frames(ours, halvings), level), native, rtol=1e-9, atol=1e-9)


def test_with_a_margin_frames_of_whole_groups_are_those_of_the_native_run():
    """Of a model that sees each frame alone: the margin's own noise reaches the first frame only."""
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(1, 2, 9, 4, 4, generator=generator, dtype=torch.float64)
    sigmas = torch.tensor(flow_sigmas(5), dtype=torch.float64)
    margin, last = Margin(1), [None]

    def denoise(x, sigma):
        return torch.tanh(x + sigma.reshape(-1, 1, 1, 1, 1))

    def seen(x, s):
        last[0] = dense_look(denoise, x, s, 1, FLOW, margin, last[0], 1)
        return last[0]

    ours = merge(merge_frames(sample_euler(seen, noise, sigmas), 1), 1)
    start, _ = coarse_state(continued(noise, 1), sigmas[0], 1, FLOW, 1)
    native = sample_euler(denoise, start, FLOW.level_sigma(sigmas, 1.5))
    torch.testing.assert_close(ours[:, :, 1:], native[:, :, 1:], rtol=1e-9, atol=1e-9)
    assert torch.isfinite(ours).all()


@given(st.integers(2, 9), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_look_shows_what_it_saw_and_no_more(frames, level, halvings, seed):
    x = torch.randn(2, 3, frames, 7, 5, generator=torch.Generator().manual_seed(seed))
    shapes = []

    def denoise(state, sigma):
        shapes.append(state.shape)
        return state * 0.5

    out = dense_look(denoise, x, torch.full((2,), 0.5), level, FLOW, Margin(seed), None, halvings)
    assert out.shape == x.shape and shapes[0][2] == frames_at(frames, halvings)
    torch.testing.assert_close(levelled(out, level, halvings), out)


def test_no_halvings_change_no_bit():
    x, sigma = torch.randn(1, 2, 5, 7, 9), torch.tensor([0.7])

    def denoise(state, own):
        return state * own.reshape(-1, 1, 1, 1, 1)

    for level in (0, 1, 2):
        ours = dense_look(denoise, x, sigma, level, FLOW, Margin(1), x, 0)
        plain = dense_look(denoise, x, sigma, level, FLOW, Margin(1), x)
        assert torch.equal(ours, plain)


SHORT = "draft half frames 1/2 60%; refine 40%"
VIDEO = Canvas(60, 104, 21)


def plan_of(text, canvas=VIDEO, steps=20, **given):
    return make_plan(parse(text), flow_sigmas(steps, 5.0), canvas, **given)


def test_a_short_draft_has_the_tokens_of_its_clip():
    plan = plan_of(SHORT)
    draft, refine = plan.passes
    assert set(draft.tokens(VIDEO)) == {11 * 15 * 26} and set(refine.tokens(VIDEO)) == {21 * 30 * 52}
    wan = MODELS["wan-1.3b"]
    cost = plan_cost(plan, wan.architecture)
    native = wan.architecture.step_flops(wan.canvas(416, 240, 41).tokens(0))
    assert cost.steps[0].flops == native, "a native clip of 41 frames at half the size"
    assert cost.full_step == wan.architecture.step_flops(wan.canvas(832, 480, 81).tokens(0))
    assert "half of the frames, 11 of 21" in plan_in_words(plan)


def test_a_run_does_what_its_plan_says():
    canvas = Canvas(8, 8, 5)
    plan = plan_of(SHORT, canvas, steps=5)
    trace, seen = Trace(1, canvas, 1, plan), []
    noise = torch.randn(1, 2, 5, 8, 8, generator=torch.Generator().manual_seed(0))

    def denoise(x, sigma):
        seen.append((tuple(x.shape[2:]), float(sigma)))
        return 0.5 * x

    out = sample(denoise, noise, plan, trace=trace)
    assert out.shape == noise.shape
    assert [shape for shape, _ in seen] == [(3, 4, 4)] * 3 + [(5, 8, 8)] * 2
    own = [FLOW.level_sigma(s, 1.5) for s in plan.passes[0].sigmas[:-1]]
    assert [sigma for _, sigma in seen[:3]] == pytest.approx(own, rel=1e-6)
    assert [e.tokens for e in trace.evaluations] == [3 * 4] * 3 + [5 * 16] * 2
    assert trace.tokens == plan.tokens()
    assert "3 at 1/2 with half of the frames" in trace_in_words(trace)


@pytest.mark.parametrize(
    "text", [SHORT, "draft quarter frames 1/4 20%, 1/2 30%; refine 0.9 50%", "half frames 1/2 x4, full x2"]
)
def test_the_words_read_back(text):
    schedule = parse(text)
    assert str(schedule) == text and parse(str(schedule)) == schedule and schedule.halvings
    assert not schedule.off and parse(text.upper()) == schedule


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("draft 1/2 half frames 60%; refine", "draft half frames 1/2 60%"),
        ("draft half 1/2; refine", "unknown word 'half'.*half frames"),
        ("draft 1/2 60%, quarter frames 1/4; refine", "found 'quarter frames' where a level belongs"),
        ("draft 1/2; refine 0.9 half frames 1/2", "for a first pass"),
        ("half frames mixed 50%, full", "without mixed looks"),
        ("draft third frames 1/2; refine", "unknown word 'third'"),
    ],
)
def test_what_cannot_be_is_told_with_a_remedy(text, remedy):
    with pytest.raises(ValueError, match=remedy):
        parse(text)


def test_a_run_that_ends_clean_ends_with_all_frames():
    with pytest.raises(ValueError, match="never becomes full"):
        plan_of("half frames full")


@pytest.mark.parametrize(("frames", "halvings"), [(1, "half"), (2, "half"), (4, "quarter")])
def test_clips_without_frames_to_leave_out_have_them_all_and_say_so(frames, halvings):
    text = f"draft {halvings} frames 1/2 60%; refine 40%"
    plan = plan_of(text, Canvas(64, 64, frames))
    assert not any(step.halvings for p in plan.passes for step in p.looks)
    assert plan.passes == plan_of("draft 1/2 60%; refine 40%", Canvas(64, 64, frames)).passes
    assert f"all frames of the latent: it has {frames}" in plan_in_words(plan)
    alone = plan_of(f"draft {halvings} frames full 60%; refine 40%", Canvas(64, 64, frames))
    assert alone.plain and "all frames" in alone.reason


def test_given_frames_are_all_seen():
    plan = plan_of(SHORT, given_frames=True)
    assert plan.passes == plan_of("draft 1/2 60%; refine 40%").passes
    assert "those that are given" in plan.note


@pytest.mark.parametrize(
    "text", ["half frames 1/2", "half frames full", "draft half frames 1/4 50%; refine 50%"]
)
def test_no_step_of_a_stage_asks_about_a_sigma_outside_it(text):
    sigmas = [1.0, 0.985, 0.97, 0.95, 0.92, 0.9, 0.88]
    plan = make_plan(parse(text), sigmas, VIDEO)
    own = [
        FLOW.level_sigma(sigma, noise_halvings(step.level, step.halvings))
        for p in plan.passes
        for sigma, step in zip(p.sigmas, p.looks)
    ]
    assert min(own) >= 0.88 * (1 - 1e-6) and plan.passes[0].looks[0].halvings == 1
    seen = [(step.level, step.halvings) for step in plan.passes[0].looks]
    assert seen == sorted(seen, reverse=True), "finer as the stage goes on"


class Pairs:
    """An autoencoder of still pictures and of two pictures a latent frame behind the first, both copies."""

    scale = 1

    def decode(self, latent):
        return torch.cat((latent[:, :, :1], latent[:, :, 1:].repeat_interleave(2, dim=2)), dim=2)

    def encode(self, pixels):
        rest = pixels[:, :, 1:]
        return torch.cat((pixels[:, :, :1], rest.unflatten(2, (-1, 2)).mean(dim=3)), dim=2)


@pytest.mark.parametrize("frames", [5, 6, 9])
@pytest.mark.parametrize("halvings", [1, 2])
def test_the_bridge_brings_all_frames_back_evenly_in_time(frames, halvings):
    """A ramp in time that the short clip's pictures show at their own times comes back as that ramp."""
    few = frames_at(frames, halvings)
    short = torch.arange(few, dtype=torch.float64).reshape(1, 1, few, 1, 1).expand(1, 3, few, 4, 4).clone()
    draft = expand_frames(short, halvings, frames)
    out = bridged(draft, 0, 0, Pairs(), Canvas(4, 4, frames), lambda x, size: x, halvings=halvings)
    assert out.shape == draft.shape
    picture = Pairs().decode(short)[0, 0, :, 0, 0]
    times = torch.arange(1 + 2 * (frames - 1), dtype=torch.float64) / 2**halvings
    low = times.floor().long()
    high = (low + 1).clamp(max=len(picture) - 1)
    wanted = picture[low] + (times - low) * (picture[high] - picture[low])
    wanted = torch.cat((wanted[:1], wanted[1:].reshape(-1, 2).mean(dim=1)))
    torch.testing.assert_close(out[0, 0, :, 0, 0], wanted)
    in_parts = bridged(draft, 0, 0, Pairs(), Canvas(4, 4, frames), lambda x, size: x, 1, halvings)
    assert torch.equal(in_parts, out)


def test_a_run_over_pixels_crosses_where_only_frames_were_fewer():
    canvas = Canvas(8, 8, 5)
    plan = plan_of("draft half frames full 60%; refine 0.6 via pixels 40%", canvas, 5, autoencoder=True)
    noise = torch.randn(1, 3, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    crossed = []

    class Counting(Pairs):
        def decode(self, latent):
            crossed.append(latent.shape[2])
            return super().decode(latent)

    out = sample(lambda x, s: 0.5 * x, noise, plan, autoencoder=Counting())
    assert crossed == [3] and out.shape == noise.shape
