"""What a run with sound is given: masks, guides, references, keyframes, the result of another sampler."""

import inspect

import pytest
import tiny
import tiny_streams
import torch
from stream_runs import (
    ANY,
    H3,
    LTXAV,
    SIGMAS,
    close,
    drawn,
    half,
    held_plain,
    level_sigma,
    native,
    native_h3,
    parts,
    run,
)
from tiny_streams import AVAILABLE, SPECS, nested

pytestmark = ANY


@pytest.fixture
def ltx():
    """LTX-2 in miniature."""
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
def test_references_of_minimax_h3_are_seen_as_they_are(apply):
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


def blocks(*rest):
    """A mask, the same in each 2x2 of its pixels: 0, in part, and 1, so that tokens at half size mix them."""
    drawn = torch.rand(1, 1, *rest, generator=torch.Generator().manual_seed(4)).mul(1.6).sub(0.3)
    return drawn.clamp(0.0, 1.0).repeat_interleave(2, -2).repeat_interleave(2, -1)


def left_half(*rest):
    mask = torch.ones(1, 1, *rest).repeat_interleave(2, -2).repeat_interleave(2, -1)
    mask[..., : mask.shape[-1] // 2] = 0.0
    return mask


def first_frame(*rest):
    mask = torch.ones(1, 1, *rest).repeat_interleave(2, -2).repeat_interleave(2, -1)
    mask[:, :, 0] = 0.0
    return mask


@H3
@pytest.mark.parametrize("part", ("1/2", "3/4"))
@pytest.mark.parametrize("drawn_as", (left_half, first_frame, blocks))
def test_masks_of_minimax_h3_are_those_of_the_smaller_run(apply, drawn_as, part):
    """Its tokens, their noise and their clocks as the host itself has them at that size, with a mask over the
    sound as well."""
    import comfy.utils
    from fresco_pack.fresco_core import expand, merge
    from fresco_pack.fresco_core.canvas.levels import THREE_QUARTERS

    level, ratio = {"1/2": (1, 0.5), "3/4": (THREE_QUARTERS, 0.75)}[part]
    # the host rounds a mask up to 256ths: here before it is made smaller, in its own run behind that
    within = 1e-2 if part == "3/4" and drawn_as is blocks else 1e-4
    model, spec, traces = tiny_streams.build("MiniMaxH3"), SPECS["MiniMaxH3"], []
    frames, rows, columns = spec.video[2:]
    mask, audio_mask = drawn_as(frames, rows // 2, columns // 2), torch.ones(spec.audio)
    audio_mask[..., :3] = 0.0
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    masked = {"latent": latent, "noise_mask": nested(mask, audio_mask)}
    out, seen = run(apply(model.patcher, f"{part} x3, full x2", traces=traces), model, **masked)
    assert [e.level for e in traces[0].evaluations] == [level, level, level, 0, 0]
    host, (clean, sound) = model.model, parts(latent)
    noise, sound_noise = seen.steps[0][0]  # all that the first state is
    small, small_clean = merge(mask, level).clamp(0.0, 1.0), merge(clean, level)

    def shown(shapes, sigma, video, sound, noise):
        """What the host shows its network of a state, and what it tells of the mask."""
        host.latent_shapes = shapes
        masks, carried = (mask if shapes[0] == spec.video else small).expand(shapes[0]), sound_clean * 4.0
        clean_video = clean if shapes[0] == spec.video else small_clean
        packed = [(video, sound), (clean_video, carried), (noise, sound_noise), (masks, audio_mask)]
        x, kept, noise, masks = (comfy.utils.pack_latents(pair)[0] for pair in packed)
        sigma = torch.tensor([sigma])
        seen = host.scale_latent_inpaint(x=x, sigma=sigma, noise=noise, latent_image=kept, denoise_mask=masks)
        told = host._denoise_mask_values(masks, shapes)
        host.latent_shapes = None
        return *comfy.utils.unpack_latents(x * masks + seen * (1.0 - masks), shapes), told

    sound_clean, smaller = sound, tuple(small_clean.shape)
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        (video, sound), (got, got_sound) = seen.steps[index]
        low = level_sigma(sigma, ratio)
        state = merge(video, level) / ((1.0 - sigma) + sigma * ratio)
        _, heard, _ = shown([spec.video, spec.audio], sigma, video, sound, noise)
        state, _, told = shown([smaller, spec.audio], low, state, sound, merge(noise, level) / ratio)
        with torch.inference_mode():
            context, payload = seen.calls[index][2], {"seed": 7}
            made, made_sound = native_h3(
                model.model.diffusion_model, state, heard, context, (sigma, low), payload, ratio, **told
            )
        close(got, expand(made, level, (rows, columns)) * mask + clean * (1.0 - mask), within)
        close(got_sound, made_sound * audio_mask + sound_clean * 4.0 * (1.0 - audio_mask), within)
    torch.testing.assert_close(out[0] * (mask == 0.0), clean * (mask == 0.0), rtol=0, atol=1e-5)


@H3
def test_masks_of_minimax_h3_that_no_token_can_be_read_from_run_plain(apply, caplog):
    from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

    model, spec = tiny_streams.build("MiniMaxH3"), SPECS["MiniMaxH3"]
    mask = left_half(spec.video[2], *(side // 2 for side in spec.video[3:]))
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    masked = {"latent": latent, "noise_mask": nested(mask, torch.ones(1, 1, *spec.audio[2:]))}
    held_plain(
        model,
        apply,
        "a mask that changes from step to step",
        caplog,
        lambda patcher: DifferentialDiffusion.execute(patcher).args[0],
        **masked,
    )
    caplog.clear()
    noise = nested(torch.zeros(spec.video), torch.zeros(spec.audio))
    held_plain(model, apply, "this run adds none", caplog, noise=noise, **masked)


@ANY
@pytest.mark.parametrize(
    "extra",
    (
        {"area": (4, 4, 0, 0), "strength": 1.0},
        {"area": ("percentage", 0.5, 0.5, 0.0, 0.0), "strength": 1.0},
        {"mask": torch.ones(1, 8, 12), "mask_strength": 1.0},
        {"mask": torch.ones(1, 8, 12), "mask_strength": 1.0, "set_area_to_bounds": True},
    ),
)
def test_areas_and_masks_of_prompts_are_the_hosts_to_refuse(apply, extra):
    """Core lays them over both streams as over one picture, and fails: there is no run to be faster than. A
    host that learns it fails here, and `bound_together` is to learn it too."""
    for name in AVAILABLE:
        model = tiny_streams.build(name)
        positive = tiny_streams.text(SPECS[name], 1, **extra)
        failures = []
        for patcher in (model.patcher, apply(model.patcher, "1/2 x3, full x2")):
            with pytest.raises((IndexError, RuntimeError, ValueError)) as failure:
                run(patcher, model, positive=positive)
            failures.append(str(failure.value))
        assert failures[0] == failures[1], "the host's own words"
