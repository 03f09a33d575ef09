"""Looks with fewer frames: a short clip of the host's own, or all frames and the reason."""

from types import SimpleNamespace

import pytest
import tiny
import torch
from test_all_models import built, dressed

SIGMAS = torch.tensor([1.0, 0.97, 0.9, 0.75, 0.4, 0.0])
DRAFT = 3
SHORT = "draft half frames 1/2 x3; refine 0.95 x2"
ALL = "draft 1/2 x3; refine 0.95 x2"
SEED = 7
VIDEOS = ["wan", "wan_i2v", "hunyuan_video", "hunyuan_video15"]


def video(name, frames):
    if name not in tiny.available():
        pytest.skip(f"this host has no {name}")
    return tiny.build(name, frames=frames)


def start_image(model, between=0.0):
    """Conditioning of image to video: a picture in the first frame, `between` it and noise in the others."""
    shape = model.latent["samples"].shape
    picture = torch.zeros(1, *shape[1:])
    picture[:, :, 0] = torch.randn(1, shape[1], *shape[3:], generator=torch.Generator().manual_seed(3))
    picture[:, :, 1:] = between * torch.randn(1, shape[1], shape[2] - 1, *shape[3:])
    mask = torch.ones(1, 1, *shape[2:])
    mask[:, :, :1] = 0.0
    given = {"concat_latent_image": picture, "concat_mask": mask}
    return [[text, {**extra, **given}] for text, extra in model.positive]


def shortened(clip):
    """The first frame, and the means of each two behind it, the last one by itself where it is alone."""
    rest = list(clip[:, :, 1:].split(2, dim=2))
    return torch.cat([clip[:, :, :1], *(pair.mean(dim=2, keepdim=True) for pair in rest)], dim=2)


def half(x):
    rows, columns = x.shape[-2] // 2, x.shape[-1] // 2
    return x.unflatten(-2, (rows, 2)).unflatten(-1, (columns, 2)).mean((-3, -1))


def small(conditioning):
    """The same conditioning for the short clip at half size."""
    names = ("concat_latent_image", "concat_mask")
    found = []
    for text, extra in conditioning:
        own = {name: half(shortened(extra[name])) for name in names if name in extra}
        found.append([text, {**extra, **own}])
    return found


def recorded(patcher, model, positive, **settings):
    """(result, canvas before each step, prediction of each step)."""
    states, predictions = [], []

    def note(step, x0, x, total):
        states.append(x.clone())
        predictions.append(x0.clone())

    out = tiny.sample(patcher, model, sigmas=SIGMAS, seed=SEED, positive=positive, callback=note, **settings)
    return out, states, predictions


@pytest.mark.parametrize("frames", [5, 4])
@pytest.mark.parametrize("name", VIDEOS)
def test_every_look_is_the_native_short_clip_at_its_own_noise(name, frames, apply):
    """The host by itself, from the state that the means of the canvas make, over one step to 0."""
    from fresco_pack.fresco_core import Margin

    model = video(name, frames)
    positive = model.positive if name in ("wan", "hunyuan_video") else start_image(model)
    traces = []
    patched = apply(model.patcher, SHORT, traces=traces)
    with tiny.count_image_tokens(model) as tokens:
        _, states, predictions = recorded(patched, model, positive)
    short = len(range(1, frames, 2)) + 1
    side = 8 // model.patch
    assert [count for count, _ in tokens[:DRAFT]] == [short * side**2] * DRAFT
    assert [count for count, _ in tokens[DRAFT:]] == [frames * 4 * side**2] * 2
    assert [e.tokens for e in traces[0].evaluations] == [count for count, _ in tokens]
    weaker, margin, last = 1.0 / 8.0**0.5, Margin(SEED), torch.zeros_like(states[0])
    sigmas = traces[0].plan.passes[0].sigmas
    empty = torch.zeros(1, states[0].shape[1], short, 8, 8)
    for sigma, x, prediction in zip(sigmas[:DRAFT], states, predictions):
        around = margin.around(x, torch.tensor(sigma), (16, 16), last, halvings=1)
        pairs = around.unflatten(2, (short, 2)).mean(dim=3)
        own = sigma * weaker / ((1.0 - sigma) + sigma * weaker)
        state = half(pairs) / ((1.0 - sigma) + sigma * weaker)
        native = tiny.sample(
            model.patcher,
            model,
            sigmas=torch.tensor([own, 0.0]),
            noise=state / own,
            latent=empty,
            positive=small(positive),
        )
        native = model.model.process_latent_in(native)
        torch.testing.assert_close(half(shortened(prediction)), native, rtol=1e-3, atol=2e-4)
        alike = prediction[:, :, 1:3]
        assert torch.equal(alike[:, :, :1], alike[:, :, 1:]), "copied over its group"
        last = prediction


def test_guidance_and_several_videos_at_once_are_seen_as_one_is(apply):
    model = video("wan", 5)
    patched, batch = apply(model.patcher, SHORT), torch.zeros(2, 16, 5, 16, 16)
    noise = torch.randn(2, 16, 5, 16, 16, generator=torch.Generator().manual_seed(1))
    both = tiny.sample(patched, model, sigmas=SIGMAS, cfg=3.0, latent=batch, noise=noise)
    for index in (0, 1):
        one = slice(index, index + 1)
        alone = tiny.sample(patched, model, sigmas=SIGMAS, cfg=3.0, latent=batch[one], noise=noise[one])
        torch.testing.assert_close(both[one], alone, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["wan", "hunyuan_video"])
def test_the_draft_costs_what_its_clip_costs_and_says_what_it_sees(name, apply):
    model, told, traces = video(name, 5), [], []
    patched = apply(model.patcher, SHORT, tell=told.append, traces=traces)
    tiny.sample(patched, model, sigmas=SIGMAS)
    assert "half of the frames, 3 of 5" in told[0]
    assert "told no frame rate" in told[0]
    trace = traces[0]
    architecture = patched_architecture(model)
    text = model.positive[0][0].shape[1]
    assert trace.evaluations[0].flops == architecture.step_flops(3 * 16, 1, text, 0)
    assert trace.evaluations[0].full_flops == architecture.step_flops(5 * 64, 1, text, 0)


def patched_architecture(model):
    from fresco_pack.nodes.families import architecture_of

    return architecture_of(model.patcher.model)


def without_frames(model, apply, because, positive=None, **settings):
    """The run tells why it has all frames, and is the one whose schedule asks for all."""
    told = []
    short = tiny.sample(
        apply(model.patcher, SHORT, tell=told.append), model, sigmas=SIGMAS, positive=positive, **settings
    )
    plain = tiny.sample(apply(model.patcher, ALL), model, sigmas=SIGMAS, positive=positive, **settings)
    assert "every look has all frames" in told[0] and because in told[0], told[0]
    assert torch.equal(short, plain)


def test_frames_that_change_within_a_group_keep_all_of_them(apply):
    model = video("wan_i2v", 5)
    without_frames(model, apply, "'c_concat' is bound to the full clip", start_image(model, 0.5))


def masked(model, *kept):
    latent = torch.zeros_like(model.latent["samples"])
    latent[:, :, list(kept)] = torch.randn(latent[:, :, list(kept)].shape)
    mask = torch.ones(1, 1, *latent.shape[2:])
    mask[:, :, list(kept)] = 0.0
    return {"latent": latent, "noise_mask": mask}


@pytest.mark.parametrize("name", ["wan", "hunyuan_video"])
def test_a_first_frame_that_is_kept_is_a_group_by_itself(name, apply):
    model, traces, seen = video(name, 5), [], []
    given = masked(model, 0)
    network = model.model.diffusion_model
    handle = network.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    try:
        out = tiny.sample(apply(model.patcher, SHORT, traces=traces), model, sigmas=SIGMAS, **given)
    finally:
        handle.remove()
    assert [e.halvings for e in traces[0].evaluations] == [1] * DRAFT + [0, 0]
    if name == "hunyuan_video":  # which is shown what is kept without noise
        picture = half(model.model.process_latent_in(given["latent"]))[:, :, 0]
        for state in seen[:DRAFT]:
            torch.testing.assert_close(state[:, :, 0], picture, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out[:, :, 0], given["latent"][:, :, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["wan", "hunyuan_video"])
def test_other_frames_that_are_kept_keep_all_of_them(name, apply):
    model = video(name, 5)
    without_frames(model, apply, "those that are given", **masked(model, 3))


def test_pictures_and_models_that_make_no_clips_have_all_frames(apply, monkeypatch):
    from fresco_pack.nodes.engine import frames

    without_frames(video("wan", 1), apply, "it has 1")
    monkeypatch.setattr(frames, "CLIPS", frozenset())
    without_frames(video("wan", 5), apply, "nobody has told")


@pytest.mark.parametrize("key", ["control", "area", "gligen"])
def test_what_is_bound_to_the_canvas_keeps_all_frames(key, apply):
    from fresco_pack.fresco_core import make_plan, parse
    from fresco_pack.nodes.engine.frames import with_followed_frames
    from fresco_pack.nodes.families import canvas_of

    model = video("wan", 5).patcher.model
    plan = make_plan(parse(SHORT), SIGMAS.tolist(), canvas_of(model, (1, 16, 5, 16, 16)))
    for conds, options, streams in (
        ({"positive": [{key: object()}]}, {}, False),
        ({"positive": [{}]}, {"context_handler": object()}, False),
        ({"positive": [{}]}, {}, True),
    ):
        whole = with_followed_frames(plan, SIGMAS.tolist(), model, conds, options, streams)
        assert not any(step.halvings for p in whole.passes for step in p.looks)
        assert whole.note.startswith("every look has all frames") and plan.passes[0].looks[0].halvings
    assert with_followed_frames(plan, SIGMAS.tolist(), model, {"positive": [{}]}, {}, False) is plan
    full = make_plan(parse("draft half frames full x3; refine 0.95 x2"), SIGMAS.tolist(), plan.canvas)
    assert with_followed_frames(full, SIGMAS.tolist(), model, {"positive": [{}]}, {}, True).plain


def test_a_network_that_is_told_a_frame_rate_is_told_the_short_clips(apply, monkeypatch):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    model = dressed("LTXV", built("LTXV"), 0)
    model.latent["samples"] = torch.zeros(1, 128, 5, 16, 16)
    network, rates = model.patcher.model.diffusion_model, []
    handle = network.register_forward_pre_hook(
        lambda _, args, kwargs: rates.append((kwargs["frame_rate"], tuple(args[0].shape[2:]))),
        with_kwargs=True,
    )
    told = []
    try:
        patched = apply(model.patcher, SHORT, tell=told.append)
        out = tiny.sample(patched, model, sigmas=SIGMAS, noise=torch.randn(1, 128, 5, 16, 16))
    finally:
        handle.remove()
    assert torch.isfinite(out).all()
    assert rates == [(12.5, (3, 8, 8))] * DRAFT + [(25, (5, 16, 16))] * 2
    assert "told the lower frame rate" in told[0]


def test_a_stage_of_two_samplers_has_fewer_frames_while_its_noise_allows_it(apply):
    """The high-noise stage of a two-expert graph: it ends at its own sigma and leaves its noise."""
    model, traces = video("wan", 5), []
    patched = apply(model.patcher, "half frames 1/2", traces=traces)
    out = tiny.sample(patched, model, sigmas=torch.tensor([1.0, 0.99, 0.97, 0.9, 0.85]))
    seen = [(e.level, e.halvings) for e in traces[0].evaluations]
    assert seen[0] == (1, 1) and seen == sorted(seen, reverse=True)
    at = model.patcher.model.model_sampling
    assert at is not None and torch.isfinite(out).all()
    for e in traces[0].evaluations:
        own = e.sigma / (2.0 ** (e.level + e.halvings / 2) * (1.0 - e.sigma) + e.sigma)
        assert own >= 0.85 * (1.0 - 1e-5)


def test_a_patch_that_keeps_a_map_sees_its_whole_clip(apply):
    """Uni3C's takes the first frames of its render video, as many as the look has."""
    import comfy.latent_formats
    import comfy_extras.nodes_model_patch as nodes

    if not hasattr(nodes, "WanUni3CCnetPatch"):
        pytest.skip("this host has no WanUni3CCnetPatch")
    model, clips, told = video("wan", 9), [], []

    class Autoencoder:
        def temporal_compression_decode(self):
            return 4

        def spacial_compression_encode(self):
            return 8

        def encode(self, frames):
            clips.append(len(frames))
            return torch.zeros(1, 16, (len(frames) - 1) // 4 + 1, frames.shape[1] // 8, frames.shape[2] // 8)

    network = SimpleNamespace(
        num_layers=1,
        process_input=lambda x: (torch.zeros(x.shape[0], 1, 64), None),
        forward_block=lambda index, hidden, *others: (hidden, torch.zeros(hidden.shape[0], 1, 64)),
    )
    render, latent_format = torch.rand(33, 128, 128, 3), comfy.latent_formats.Wan21()
    patch = nodes.WanUni3CCnetPatch(
        SimpleNamespace(model=network), render, Autoencoder(), latent_format, 1.0, 1e9, 0.0
    )
    patch.models = list
    patcher = model.patcher.clone()
    patcher.set_model_double_block_patch(patch)
    patched = apply(patcher, "draft half frames 1/2 x2; refine 0.95 x2", tell=told.append)
    tiny.sample(patched, model, steps=4, cfg=1.0)
    assert clips == [33, 33], "once for each size"
    assert (
        "every look has all frames of the latent: a patch of the model is bound to the full clip" in told[0]
    )
