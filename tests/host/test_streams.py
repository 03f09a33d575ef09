"""Sound and video in one latent: coarse looks are the video's alone, the sound's clock is the canvas's."""

import inspect

import pytest
import tiny
import tiny_streams
import torch
from tiny_streams import AVAILABLE, SPECS, Seen, nested

SIGMAS = torch.tensor([1.0, 0.93, 0.85, 0.7, 0.4, 0.0])
MISSING = "this host has no model that makes sound with its video"
pytestmark = pytest.mark.skipif(not AVAILABLE, reason=MISSING)


@pytest.fixture(params=list(SPECS))
def model(request, monkeypatch):
    """A tiny model that may be looked at in any size."""
    from fresco_pack.nodes import families

    if request.param not in AVAILABLE:
        pytest.skip(f"this host has no {request.param}")
    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    return tiny_streams.build(request.param)


def parts(samples):
    return [part.clone() for part in samples.unbind()]  # leave inference mode


def run(patcher, model, **settings):
    """(result of both streams, what was seen)."""
    settings = {"sigmas": SIGMAS, **settings}
    with Seen(model) as seen:
        out = tiny.sample(patcher, model, callback=seen.callback, **settings)
    return parts(out), seen


def level_sigma(sigma):
    """A flow's noise level behind the means of 2x2: odds of noise to signal halved."""
    odds = sigma / (1.0 - sigma) / 2.0 if sigma < 1.0 else float("inf")
    return odds / (1.0 + odds) if sigma < 1.0 else 1.0


def half(video):
    rows, columns = video.shape[-2] // 2, video.shape[-1] // 2
    return video.unflatten(-2, (rows, 2)).unflatten(-1, (columns, 2)).mean((-3, -1))


def native(model, seen, index, sigma, payload=()):
    """The host's network itself on the half-size video at its own noise level and the same sound at the
    canvas's: the clean video and the clean sound."""
    network, low = model.model.diffusion_model, level_sigma(sigma)
    (video, audio), context = seen.steps[index][0], seen.calls[index][2]
    state = half(video) / ((1.0 - sigma) + sigma / 2.0)
    with torch.inference_mode():
        if model.name == "LTXAV":
            clocks = torch.tensor([low]), torch.tensor([sigma])
            made = network([state, audio], clocks, context=context, attention_mask=None, frame_rate=25)
            return state - low * made[0], audio - sigma * made[1]
        return native_h3(network, state, audio, context, (sigma, low), dict(payload))


def native_h3(network, state, audio, context, sigmas, payload):
    """MiniMax H3's, whose sampler carries the sound on the video's schedule: a run at half size has half the
    video's shift, and carries the same sound accordingly."""
    from comfy.ldm.minimax.model import time_shift_sigma

    (sigma, low), shift, sound_shift = sigmas, 12.0, 3.0
    of_sound = float(time_shift_sigma(torch.tensor(sigma), shift, sound_shift))
    sound = audio * (of_sound / sigma)
    made = network(
        [state, sound * (low / of_sound)],
        torch.tensor([low * 1000.0]),
        context=context,
        transformer_options={"minimax_h3_sigma_shift_video": shift / 2.0},
        minimax_payload=payload | {"audio_scale": shift / 2.0 / sound_shift},
    )
    carried = sound * (low / of_sound) - low * made[1]
    return state - low * made[0], carried * 2.0  # of clean sound, the whole run carries twice as much


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.std()))


def test_a_coarse_evaluation_is_the_networks_own_of_half_the_video_with_the_same_sound(model, apply):
    _, seen = run(apply(model.patcher, "1/2 x3, full x2"), model)
    spec = SPECS[model.name]
    assert [tuple(x[0].shape[-2:]) for x, *_ in seen.calls] == [
        tuple(side // 2 for side in spec.video[-2:]),
        *[tuple(side // 2 for side in spec.video[-2:])] * 2,
        *[spec.video[-2:]] * 2,
    ]
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        video, audio = native(model, seen, index, sigma)
        got_video, got_audio = seen.steps[index][1]
        assert float(video.std()) > 1e-3 and float(audio.std()) > 1e-3
        close(half(got_video), video)
        assert torch.equal(got_video, half(got_video).repeat_interleave(2, -2).repeat_interleave(2, -1))
        close(got_audio, audio)


def test_the_sounds_noise_level_inside_the_network_is_the_plain_runs(model, apply):
    _, plain = run(model.patcher, model)
    _, ours = run(apply(model.patcher, "1/2 x3, full x2"), model)
    assert len(ours.clocks) == len(plain.clocks) == 5
    for index, sigma in enumerate(SIGMAS[:5].tolist()):
        seen = ours.clocks[index]
        torch.testing.assert_close(seen["audio"], plain.clocks[index]["audio"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(plain.clocks[index]["video"].flatten()[0], torch.tensor(sigma))
        wanted = level_sigma(sigma) if index < 3 else sigma
        torch.testing.assert_close(seen["video"].flatten()[0], torch.tensor(wanted), rtol=1e-5, atol=1e-6)


def test_off_is_the_hosts_own_run(model, apply):
    plain, _ = run(model.patcher, model, cfg=3.0)
    for patcher in (apply(model.patcher, "off"), apply(model.patcher, "full x5", traces=[])):
        ours, _ = run(patcher, model, cfg=3.0)
        assert all(torch.equal(a, b) for a, b in zip(ours, plain))


def test_what_a_call_costs_is_what_is_counted(model, apply, monkeypatch):
    """FLOPs of the trace against a counter around the network, coarse and full, with references."""
    from meta_models import counted_flops

    spec, network, spent, traces = SPECS[model.name], model.model.diffusion_model, [], []
    extra = {}
    if model.name == "MiniMaxH3":
        picture, sound = drawn((1, 24, 1, 4, 6), 9), drawn((1, 32, 2, 3), 9)
        kinds = {"latent_h": 4, "latent_w": 6, "latent_t": 1, "ref_audio_t": 3}
        extra = {"minimax_refs": [{"kind": "video_audio", "latent": picture, "audio_latent": sound} | kinds]}
    forward = network.forward

    def counted(*args, **kwargs):
        spent.append(counted_flops(forward, *args, **kwargs))
        return forward(*args, **kwargs)

    monkeypatch.setattr(network, "forward", counted)
    told, positive = [], tiny_streams.text(spec, 1, **extra)
    patcher = apply(model.patcher, "1/2 x3, full x2", traces=traces, tell=told.append)
    tiny.sample(patcher, model, sigmas=SIGMAS, positive=positive)
    assert len(spent) == 5 and spent[0] < spent[4]
    rel = 0.02 if extra else 0.01  # given pictures have a noise level of their own: visible in a tiny model
    assert [e.flops for e in traces[0].evaluations] == pytest.approx(spent, rel=rel)
    if not extra:
        share = sum(spent) / 1e9
        assert f"{share:.3g}"[:3] in told[0].split("full step, ")[1]


def test_two_passes_refine_both(model, apply):
    traces, told = [], []
    patched = apply(model.patcher, "draft 1/2 x3; refine 0.75 x2", traces=traces, tell=told.append)
    out, seen = run(patched, model, cfg=2.0)
    spec = SPECS[model.name]
    assert [tuple(part.shape) for part in out] == [spec.video, spec.audio]
    assert all(torch.isfinite(part).all() for part in out)
    trace = traces[0]
    full = trace.canvas.tokens(0)
    assert trace.plan.reason is None and len(trace.plan.passes) == 2
    assert [e.level for e in trace.evaluations] == [1, 1, 1, 0, 0]
    assert [n for p in trace.plan.passes for n in p.tokens(trace.canvas)] == [full // 4] * 3 + [full] * 2
    assert "refined with the video" in told[0].replace("\n", " ")
    # the second pass begins from both streams of the draft, each with the noise that the run began with
    sigma = trace.plan.passes[1].sigmas[0]
    begin = seen.steps[0][0]
    for draft, noise, state in zip(seen.steps[2][1], begin, seen.steps[3][0]):
        close(state, (1.0 - sigma) * draft + sigma * noise)


def test_sound_that_is_kept_stays_the_drafts_and_the_video_hears_it(model, apply):
    """Held against the host's own second sampler, which inpaints the draft with a mask over its sound."""
    traces, told, spec = [], [], SPECS[model.name]
    text = "draft 1/2 x3; refine 0.75 keep sound x2"
    patched = apply(model.patcher, text, traces=traces, tell=told.append)
    out, seen = run(patched, model)
    video, sound = seen.steps[2][1]
    carried = 4.0 if model.name == "MiniMaxH3" else 1.0  # of clean sound, its sampler carries that much
    draft, noise = nested(video, sound / carried), nested(*seen.steps[0][0])
    mask = nested(torch.ones(1, 1, *spec.video[2:]), torch.zeros(1, 1, *spec.audio[2:]))
    sigmas = torch.tensor(traces[0].plan.passes[1].sigmas)
    settings = {"latent": draft, "noise": noise, "sigmas": sigmas, "noise_mask": mask}
    theirs, alone = run(model.patcher, model, **settings)
    assert len(alone.clocks) == 2
    for ours, wanted in zip(seen.clocks[3:], alone.clocks):
        torch.testing.assert_close(ours["audio"], wanted["audio"])
        torch.testing.assert_close(ours["video"].expand_as(wanted["video"]), wanted["video"])
    for ours, wanted in zip(out, theirs):
        close(ours, wanted)
    close(out[1], sound / carried)
    assert float((out[0] - video).std()) > 1e-3, "the video is refined"
    assert "pass 2: keeping the sound, sigma" in told[0] and "kept as it is in pass 2" in told[0]


def test_sound_is_kept_at_coarse_looks_and_where_a_mask_paints(apply, ltx):
    """Three passes, of which the second keeps the sound at half size, with a part of the video kept too."""
    spec, traces = SPECS["LTXAV"], []
    mask = torch.ones(1, 1, *spec.video[2:])
    mask[:, :, 0] = 0.0
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    settings = {"latent": latent, "noise_mask": nested(mask, torch.ones(1, 1, *spec.audio[2:]))}
    text = "draft 1/2 x2; refine 0.93 keep sound 1/2 x2; refine 0.5 x1"
    out, seen = run(apply(ltx.patcher, text, traces=traces), ltx, **settings)
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 1, 0]
    drafts = [step[1][1] for step in seen.steps]
    for kept in drafts[2:4]:
        close(kept, drafts[1])
    assert float((drafts[4] - drafts[1]).std()) > 1e-3, "the last pass refines it"
    assert all(float(seen.clocks[n]["audio"].abs().max()) == 0.0 for n in (2, 3))
    torch.testing.assert_close(out[0][:, :, 0], parts(latent)[0][:, :, 0], rtol=0, atol=1e-5)


def test_where_there_is_no_sound_the_word_changes_nothing(apply):
    flux, told = tiny.build("flux"), []
    with_word = apply(flux.patcher, "draft 1/2 x3; refine 0.9 keep sound x2", tell=told.append)
    without = apply(flux.patcher, "draft 1/2 x3; refine 0.9 x2")
    assert torch.equal(*(tiny.sample(patcher, flux, steps=5) for patcher in (with_word, without)))
    assert "there is no sound to keep" in told[0]


def drawn(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


LTXAV = pytest.mark.skipif("LTXAV" not in AVAILABLE, reason="this host has no LTXAV")
H3 = pytest.mark.skipif("MiniMaxH3" not in AVAILABLE, reason="this host has no MiniMaxH3")


@pytest.fixture
def ltx(monkeypatch):
    """LTX-2 in miniature, which may be looked at in any size."""
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    return tiny_streams.build("LTXAV")


def kept_run(model, apply, video_mask, audio_mask, guides=lambda level: {}):
    """A run with a coarse look in its first three steps that keeps what masks (1, 1, ..., H, W) say of a
    latent, held against the network itself on half the video: frames and tokens, each at its own noise level.

    guides: the network's arguments that tell of guides, at full size (0) and at half (1).
    """
    spec = SPECS[model.name]
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    settings = {
        "latent": latent,
        "noise_mask": nested(video_mask, audio_mask),
        "positive": tiny_streams.text(spec, 1, **guides(0)),
    }
    out, seen = run(apply(model.patcher, "1/2 x3, full x2"), model, **settings)
    _, plain = run(model.patcher, model, **settings)
    given, network, small = parts(latent), model.model.diffusion_model, half(video_mask)
    kept = half(given[0] * (1.0 - video_mask))
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        (video, audio), (got_video, got_audio) = seen.steps[index]
        low = level_sigma(sigma)
        state = half(video * video_mask) / ((1.0 - sigma) + sigma / 2.0) + kept
        sound = audio * audio_mask + given[1] * (1.0 - audio_mask)
        masks = {"denoise_mask": small, "audio_denoise_mask": audio_mask}
        clocks = model.model.process_timestep(torch.ones(1), x=None, **masks)
        with torch.inference_mode():
            made = network(
                [state, sound],
                (clocks[0] * low, clocks[1] * sigma),
                context=seen.calls[index][2],
                attention_mask=None,
                frame_rate=25,
                denoise_mask=small,
                **guides(1),
            )
        clean = (state - low * made[0]).repeat_interleave(2, -2).repeat_interleave(2, -1)
        close(got_video, clean * video_mask + given[0] * (1.0 - video_mask))
        close(got_audio, (sound - sigma * made[1]) * audio_mask + given[1] * (1.0 - audio_mask))
        assert torch.equal(seen.clocks[index]["audio"], plain.clocks[index]["audio"])
    return out, given


@LTXAV
@pytest.mark.parametrize("strength", (1.0, 0.5))
def test_frames_and_sound_that_are_kept_are_kept_at_a_coarse_look(apply, ltx, strength):
    """A start image in place, as LTX-2's own graphs have it, and a part of the sound that is given."""
    spec = SPECS["LTXAV"]
    video_mask, audio_mask = torch.ones(1, 1, *spec.video[2:]), torch.ones(1, 1, *spec.audio[2:])
    video_mask[:, :, 0] = 1.0 - strength
    audio_mask[:, :, :4] = 0.0
    out, given = kept_run(ltx, apply, video_mask, audio_mask)
    if strength == 1.0:
        torch.testing.assert_close(out[0][:, :, 0], given[0][:, :, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(out[1][:, :, :4], given[1][:, :, :4], rtol=0, atol=1e-5)


@LTXAV
def test_a_mask_that_cuts_through_blocks_keeps_each_part_at_its_own_noise(apply, ltx):
    spec = SPECS["LTXAV"]
    video_mask = torch.rand(1, 1, *spec.video[2:], generator=torch.Generator().manual_seed(3))
    video_mask[..., :5] = 0.0
    kept_run(ltx, apply, video_mask, torch.ones(1, 1, *spec.audio[2:]))


@LTXAV
@pytest.mark.parametrize("strength", (1.0, 0.7))
def test_a_guide_has_the_places_of_the_smaller_run(apply, ltx, strength):
    """A last frame that is a guide, as LTXVAddGuide appends it."""
    from comfy_extras import nodes_lt

    spec = SPECS["LTXAV"]
    counts = hasattr(nodes_lt, "_append_guide_attention_entry")  # hosts before 0.18 do not count

    def guides(level):
        height, width = (side >> level for side in spec.video[-2:])
        frame = torch.zeros(1, 128, 1, height, width)
        cond = nodes_lt.LTXVAddGuide.add_keyframe_index([[None, {}]], 8, frame, (8, 32, 32))
        if counts:
            tokens, shape = height * width, [1, height, width]
            cond, _ = nodes_lt._append_guide_attention_entry(cond, cond, tokens, shape, strength)
            entry = cond[0][1]["guide_attention_entries"][0]
            entry["pixel_mask"] = torch.linspace(0.0, 1.0, 24).expand(1, 1, 1, 16, 24)  # of the picture
        return cond[0][1]

    video_mask = torch.ones(1, 1, *spec.video[2:])
    video_mask[:, :, -1] = 1.0 - strength
    kept_run(ltx, apply, video_mask, torch.ones(1, 1, *spec.audio[2:]), guides)


@H3
def test_references_of_minimax_h3_are_seen_as_they_are(apply, monkeypatch):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    model, spec = tiny_streams.build("MiniMaxH3"), SPECS["MiniMaxH3"]
    picture = drawn((1, 24, 1, 4, 6), 9)
    reference = {"kind": "image", "latent_h": 4, "latent_w": 6, "latent": picture}
    positive = tiny_streams.text(spec, 1, minimax_refs=[reference])
    _, seen = run(apply(model.patcher, "1/2 x3, full x2"), model, positive=positive)
    payload = {"refs": [reference], "cond_video_latents": [picture], "seed": 7}
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        video, audio = native(model, seen, index, sigma, payload)
        close(half(seen.steps[index][1][0]), video)
        close(seen.steps[index][1][1], audio)


@LTXAV
def test_it_goes_with_the_models_own_upsampler_between_two_samplers(apply, ltx):
    """LTX-2's official graph in two stages: the first begins coarse, the second from a picture."""
    import comfy.model_patcher
    import comfy.ops
    from comfy.ldm.lightricks.latent_upsampler import LatentUpsampler
    from comfy_extras.nodes_lt import LTXVConcatAVLatent, LTXVSeparateAVLatent
    from comfy_extras.nodes_lt_upsampler import LTXVLatentUpsampler
    from tiny_vaes import VAES

    spec, traces = SPECS["LTXAV"], []
    sizes = {"mid_channels": 32, "num_blocks_per_stage": 1}
    if "operations" in inspect.signature(LatentUpsampler).parameters:  # not on the oldest host
        sizes["operations"] = comfy.ops.disable_weight_init
    network = LatentUpsampler(**sizes)
    tiny.fill(network, 4)
    cpu = torch.device("cpu")
    enlarger = network  # the oldest host's node takes the network itself
    if "operations" in sizes:
        enlarger = comfy.model_patcher.ModelPatcher(network, load_device=cpu, offload_device=cpu)
    rows, columns = (side // 2 for side in spec.video[-2:])
    empty = nested(torch.zeros(*spec.video[:-2], rows, columns), torch.zeros(spec.audio))
    second = torch.tensor([0.85, 0.725, 0.4219, 0.0])

    def stages(patcher):
        low = tiny.sample(patcher, ltx, latent=empty, sigmas=SIGMAS)
        video, sound = LTXVSeparateAVLatent.execute({"samples": low}).args
        with torch.inference_mode():
            large = LTXVLatentUpsampler().upsample_latent(video, enlarger, VAES["ltx"].build())
        large = getattr(large, "args", large)[0]
        joint = LTXVConcatAVLatent.execute(large, sound).args[0]["samples"]
        return low, joint, tiny.sample(patcher, ltx, latent=joint, sigmas=second)

    low, joint, out = stages(apply(ltx.patcher, "1/2 60%, full 40%", traces=traces))
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0]
    assert [e.level for e in traces[1].evaluations] == [0, 0, 0] and "detail" in traces[1].plan.reason
    assert [tuple(part.shape) for part in parts(out)] == [spec.video, spec.audio]
    alone = tiny.sample(ltx.patcher, ltx, latent=joint, sigmas=second)
    assert all(torch.equal(ours, plain) for ours, plain in zip(parts(out), parts(alone)))
    plain = stages(ltx.patcher)[0]
    assert float((parts(low)[0] - parts(plain)[0]).std()) > 1e-4


@H3
def test_keyframes_of_minimax_h3_are_those_of_the_smaller_run(apply):
    """First and last frame, with a sound and a picture of reference beside them."""
    model, spec = tiny_streams.build("MiniMaxH3"), SPECS["MiniMaxH3"]
    frames = [drawn((1, 24, 1, *spec.video[-2:]), seed) for seed in (8, 9)]
    sound, picture = drawn((1, 32, 2, 1), 10), drawn((1, 24, 1, 4, 6), 11)
    reference = {"kind": "image", "latent_h": 4, "latent_w": 6, "latent": picture}

    def keyframes(level):
        seen = [half(frame) if level else frame for frame in frames]
        places = {"resolved_frame_index": 0, "audio_latent": sound}, {"resolved_frame_index": 4}
        return [{**place, "latent": latent} for place, latent in zip(places, seen)]

    extra = {"minimax_keyframes": keyframes(0), "minimax_refs": [reference]}
    positive, traces = tiny_streams.text(spec, 1, **extra), []
    _, seen = run(apply(model.patcher, "1/2 x3, full x2", traces=traces), model, positive=positive)
    payload = {
        "keyframes": keyframes(1),
        "refs": [reference],
        "cond_video_latents": [*map(half, frames), picture],
        "cond_audio_latents": [sound],
        "seed": 7,
    }
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        video, audio = native(model, seen, index, sigma, payload)
        close(half(seen.steps[index][1][0]), video)
        close(seen.steps[index][1][1], audio)
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0]


def test_the_nodes_take_both(model, apply, tmp_path, monkeypatch):
    import folder_paths
    from fresco_pack.nodes.convergence import FrescoConvergence
    from node_runs import ksampled

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    spec = SPECS[model.name]
    inputs = {"steps": 4, "live_heatmap": True, "schedule": "1/2 x2, full x2"}
    latent, trace = ksampled(model, **inputs)
    assert [tuple(part.shape) for part in latent["samples"].unbind()] == [spec.video, spec.audio]
    assert all(torch.isfinite(part).all() for part in latent["samples"].unbind())
    assert (trace.canvas.frames, trace.canvas.height, trace.canvas.width) == spec.video[2:]
    assert [e.level for e in trace.evaluations] == [1, 1, 0, 0]
    assert trace.evaluations[-1].convergence.shape == (1, spec.video[2], 2, spec.video[4] // 4)
    heatmaps = FrescoConvergence.execute(trace, legend=False, samples=latent)
    assert len(heatmaps.args[0]) == 3 and "note" not in heatmaps.ui


class Mosaic:
    """Stands for a video's VAE: pixels are the mean colours of a latent's first channels."""

    latent_dim = 3

    def __init__(self, channels, scale):
        self.latent_channels, self.scale = channels, scale
        self.first_stage_model = torch.nn.Linear(1, 1)

    def decode(self, latent):
        pixels = latent[:, :3].sigmoid().repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)
        return pixels.movedim(1, -1)

    def encode(self, frames):
        pixels = frames.movedim(-1, 0).unsqueeze(0).clamp(0.01, 0.99)
        pixels = torch.nn.functional.avg_pool3d(pixels, (1, self.scale, self.scale)).logit()
        return pixels.repeat(1, -(-self.latent_channels // 3), 1, 1, 1)[:, : self.latent_channels]


def test_a_draft_goes_over_pixels_without_its_sound(model, apply):
    from fresco_pack.nodes.engine.run import Bridge

    spec, traces = SPECS[model.name], []
    vae = Mosaic(spec.video[1], 32 if model.name == "LTXAV" else 16)
    text = "draft 1/2 x3; refine 0.75 via pixels x2"
    out, seen = run(apply(model.patcher, text, traces=traces, bridge=Bridge(vae)), model)
    assert [tuple(part.shape) for part in out] == [spec.video, spec.audio]
    assert len(traces[0].crossings) == 1 and [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0]
    sigma = traces[0].plan.passes[1].sigmas[0]
    (_, noise), (_, draft), (_, state) = seen.steps[0][0], seen.steps[2][1], seen.steps[3][0]
    close(state, (1.0 - sigma) * draft + sigma * noise)


def test_a_latent_of_both_is_compared_by_its_video(model):
    from fresco_pack.nodes.compare import FrescoCompare

    vae = Mosaic(SPECS[model.name].video[1], 32)
    a, b = ({"samples": nested(torch.zeros(SPECS[model.name].video), drawn((1, 2), seed))} for seed in (1, 2))
    result = FrescoCompare.execute(latent_a=a, latent_b=b, vae=vae)
    assert result.args[3] == pytest.approx(1.0) and result.args[4].endswith("without their sound")
    pictures = vae.decode(a["samples"].unbind()[0]).flatten(0, 1)
    told = FrescoCompare.execute(image_a=pictures, latent_a=a, image_b=pictures).args[4]
    assert "sound" not in told




def held_plain(model, apply, words, caplog, prepared=lambda patcher: patcher, **settings):
    """A run that says `words` once, and is the host's own."""
    told = []
    patcher = prepared(model.patcher.clone())
    with caplog.at_level("WARNING"):
        ours, _ = run(apply(patcher, "1/2 x3, full x2", tell=told.append), model, **settings)
    said = [r.message for r in caplog.records if r.message.startswith("Fresco")]
    assert len(said) == 1 and said[0].startswith("Fresco runs plain: ") and words in said[0]
    assert words in told[0]
    plain, _ = run(patcher, model, **settings)
    assert all(torch.equal(a, b) for a, b in zip(ours, plain))


def test_a_network_whose_clocks_nobody_has_told_runs_plain(model, apply, monkeypatch, caplog):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "_CLOCKS", {})
    held_plain(model, apply, "takes no clock of its own for each of the streams", caplog)


def test_context_windows_run_plain(model, apply, caplog):
    from comfy.context_windows import ContextFuseMethod, ContextSchedule, IndexListContextHandler

    def windowed(patcher):
        schedule, fuse = ContextSchedule("static", lambda *_: []), ContextFuseMethod("flat", lambda *_: [])
        patcher.model_options["context_handler"] = IndexListContextHandler(schedule, fuse, 10**6, 0)
        return patcher

    held_plain(model, apply, "context windows cut several streams", caplog, windowed)


@H3
def test_masks_of_minimax_h3_run_plain(apply, monkeypatch, caplog):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    model, spec = tiny_streams.build("MiniMaxH3"), SPECS["MiniMaxH3"]
    mask = torch.ones(1, 1, *spec.video[2:])
    mask[..., :4] = 0.0
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    masked = {"latent": latent, "noise_mask": nested(mask, torch.ones(1, 1, *spec.audio[2:]))}
    held_plain(model, apply, "'denoise_mask' is bound to the full grid", caplog, **masked)


@LTXAV
def test_guides_that_are_not_on_the_videos_grid_run_plain(apply, ltx, caplog):
    from comfy_extras import nodes_lt

    spec = SPECS["LTXAV"]
    cond = nodes_lt.LTXVAddGuide.add_keyframe_index(
        [[None, {}]], 8, torch.zeros(1, 128, 1, *spec.video[-2:]), (8, 32, 32)
    )
    mask = torch.ones(1, 1, *spec.video[2:])
    mask[:, :, -1] = -1.0
    mask[:, :, -1, ::2, ::2] = 0.0  # an IC-LoRA's guide of half size, spread over the grid
    masked = {
        "latent": nested(drawn(spec.video, 5), drawn(spec.audio, 6)),
        "noise_mask": nested(mask, torch.ones(1, 1, *spec.audio[2:])),
        "positive": tiny_streams.text(spec, 1, **cond[0][1]),
    }
    held_plain(ltx, apply, "a guide on a smaller grid of its own", caplog, **masked)


@pytest.mark.parametrize(
    "cond, words",
    (
        ({"control": object()}, "ControlNets see several streams"),
        ({"area": (4, 4, 0, 0)}, "areas cut several streams"),
        ({"mask": torch.ones(1, 8, 8)}, "masks of a prompt lie on several streams"),
        ({"model_conds": {"latent_shapes": [], "c_concat": object()}}, "what is concatenated to several"),
        ({"model_conds": {}}, "the network is not told what its one latent is made of"),
    ),
)
def test_what_the_host_lays_over_all_streams_at_once_is_told(cond, words):
    from fresco_pack.nodes.engine.streams import ALONE, Streams, bound_together

    streams = Streams.of([(1, 128, 3, 8, 12), (1, 8, 11, 16)])
    fine = {"model_conds": {"latent_shapes": []}}
    assert bound_together(streams, {"positive": [fine]}, {}) is None
    assert words in bound_together(streams, {"positive": [fine, fine | cond]}, {})
    assert bound_together(ALONE, {"positive": [fine | cond]}, {}) is None


def test_noise_levels_that_are_no_plain_flows_are_told():
    import comfy.model_sampling as host
    from fresco_pack.nodes.engine.streams import inseparable
    from fresco_pack.nodes.host.model import parameterisation_of

    class Flow(host.ModelSamplingDiscreteFlow, host.CONST):
        pass

    class Noisy(host.ModelSamplingDiscrete, host.EPS):
        pass

    class Clean(Flow):
        def calculate_denoised(self, sigma, model_output, model_input):
            return model_output

    class Bent(Flow):
        def timestep(self, sigma):
            return sigma**2

    for kind, fits in ((Flow, True), (Noisy, False), (Clean, False), (Bent, False)):
        sampling = kind()
        reason = inseparable(sampling, parameterisation_of(sampling))
        assert reason is None if fits else "not those of a plain flow" in reason
