"""Context windows over videos that have more in their latent than their own frames: sound, and guides."""

import comfy.conds
import comfy.context_windows
import comfy.utils
import pytest
import tiny_streams
import torch
from stream_runs import ANY, H3, LTXAV, SIGMAS, close, drawn, half, held_plain, level_sigma, parts, run
from test_context_windows import windowed
from tiny_streams import SPECS, nested

KNOWN = hasattr(comfy.context_windows, "WindowingState")
SEVERAL = pytest.mark.skipif(not KNOWN, reason="this host's windows cut several streams as one")
LENGTH = {"context_length": 2, "context_overlap": 1}


def native(model, handler, seen, index, given, kept=None):
    """The host's own windows over half the video and the same sound, the network itself asked in each: the
    clean video and the clean sound.

    given: what lies on both, at half size. kept: what a mask keeps, as (state, sound).
    """
    network, sigma, context = model.model.diffusion_model, float(SIGMAS[index]), seen.calls[index][2]
    low = level_sigma(sigma)
    video, sound = seen.steps[index][0]
    state = half(video) / ((1.0 - sigma) + sigma / 2.0)
    x, shapes = comfy.utils.pack_latents([state, sound] if kept is None else kept(state, sound))

    def asked(_, conds, x, timestep, options):
        told = {name: value.cond for name, value in conds[0][0]["model_conds"].items()}
        shapes = told.pop("latent_shapes")
        state, sound = comfy.utils.unpack_latents(x, shapes)
        masks = {name: value for name, value in told.items() if "mask" in name}
        clocks = model.model.process_timestep(torch.ones(1), x=None, **masks)
        told.pop("audio_denoise_mask", None)
        sizes = {"context": context, "attention_mask": None, "frame_rate": 25}
        with torch.inference_mode():
            made = network([state, sound], (clocks[0] * low, clocks[1] * sigma), **sizes, **told)
        return [comfy.utils.pack_latents([state - low * made[0], sound - sigma * made[1]])[0]]

    conds = {"latent_shapes": comfy.conds.CONDConstant(shapes)}
    kinds = {"guide_attention_entries": comfy.conds.CONDConstant}
    conds |= {name: kinds.get(name, comfy.conds.CONDRegular)(value) for name, value in given.items()}
    options = {"transformer_options": {"sample_sigmas": SIGMAS}}
    timestep = torch.tensor([sigma])
    out = handler.execute(asked, model.model, [[{"model_conds": conds}]], x, timestep, options)[0]
    return comfy.utils.unpack_latents(out, shapes)


@LTXAV
@SEVERAL
@pytest.mark.parametrize("freenoise", (False, True))
def test_both_streams_are_cut_and_the_video_is_coarse_in_each_window(apply, freenoise):
    model, traces = tiny_streams.build("LTXAV"), []
    patcher = windowed(model.patcher, **LENGTH, freenoise=freenoise)
    _, seen = run(apply(patcher, "1/2 x3, full x2", traces=traces), model)
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0]
    assert len(seen.calls) == 10 and {x[0].shape[2] for x, *_ in seen.calls} == {2, 3}
    seen.calls[:] = seen.calls[::2]
    handler = patcher.model_options["context_handler"]
    for index in range(3):
        video, sound = native(model, handler, seen, index, {})
        close(half(seen.steps[index][1][0]), video)
        close(seen.steps[index][1][1], sound)


@LTXAV
@SEVERAL
def test_off_is_the_hosts_own_run_in_windows(apply):
    model = tiny_streams.build("LTXAV")
    patcher = windowed(model.patcher, **LENGTH, freenoise=True)
    plain, _ = run(patcher, model, cfg=3.0)
    for text in ("off", "full x5"):
        ours, _ = run(apply(patcher, text, traces=[]), model, cfg=3.0)
        assert all(torch.equal(a, b) for a, b in zip(ours, plain))


@LTXAV
@SEVERAL
def test_frames_and_sound_that_masks_keep_are_kept_in_windows(apply):
    model, spec = tiny_streams.build("LTXAV"), SPECS["LTXAV"]
    video_mask, audio_mask = torch.ones(1, 1, *spec.video[2:]), torch.ones(1, 1, *spec.audio[2:])
    video_mask[:, :, 1], video_mask[:, :, 0] = 0.0, 0.5
    audio_mask[:, :, :4] = 0.0
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    patcher = windowed(model.patcher, **LENGTH)
    settings = {"latent": latent, "noise_mask": nested(video_mask, audio_mask)}
    _, seen = run(apply(patcher, "1/2 x3, full x2"), model, **settings)
    seen.calls[:] = seen.calls[::2]
    clean, small = parts(latent), half(video_mask)
    masks = {"denoise_mask": small, "audio_denoise_mask": audio_mask}

    def kept(state, sound):
        return [
            state * small + half(clean[0]) * (1.0 - small),
            sound * audio_mask + clean[1] * (1.0 - audio_mask),
        ]

    for index in range(3):
        video, sound = native(model, patcher.model_options["context_handler"], seen, index, masks, kept)
        got_video, got_sound = seen.steps[index][1]
        close(half(got_video), video * small + half(clean[0]) * (1.0 - small))
        close(got_sound, sound * audio_mask + clean[1] * (1.0 - audio_mask))


@LTXAV
@SEVERAL
def test_sound_that_is_kept_is_kept_in_windows(apply):
    model = tiny_streams.build("LTXAV")
    patcher = windowed(model.patcher, **LENGTH)
    text = "draft 1/2 x2; refine 0.93 keep sound 1/2 x2; refine 0.5 x1"
    _, seen = run(apply(patcher, text), model)
    drafts = [step[1][1] for step in seen.steps]
    for sound in drafts[2:4]:
        close(sound, drafts[1])
    assert all(float(seen.clocks[n]["audio"].abs().max()) == 0.0 for n in range(4, 8))


@H3
def test_a_model_whose_sound_no_window_finds_is_the_hosts_to_refuse(apply):
    model = tiny_streams.build("MiniMaxH3")
    patcher = windowed(model.patcher, context_length=1, context_overlap=0)
    for patched in (patcher, apply(patcher, "1/2 x3, full x2")):
        with pytest.raises(NotImplementedError, match="map_context_window_to_modalities"):
            run(patched, model)


@ANY
@pytest.mark.skipif(KNOWN, reason="this host's windows know of several streams")
def test_windows_of_hosts_that_know_no_streams_run_plain(apply, caplog):
    model = tiny_streams.build("LTXAV")
    held_plain(
        model,
        apply,
        "this host's context windows cut several streams",
        caplog,
        lambda patcher: windowed(patcher, context_length=10**6),
    )


@LTXAV
@SEVERAL
@pytest.mark.parametrize("settings", ({}, {"causal_window_fix": False}))
def test_a_guide_is_in_the_window_that_it_belongs_to(apply, settings):
    """Two frames, each a window, and a guide for the second behind them; one window has none."""
    from comfy_extras import nodes_lt

    model, spec = tiny_streams.build("LTXAV"), SPECS["LTXAV"]
    patcher = windowed(model.patcher, context_length=1, context_overlap=0, **settings)

    def guides(level):
        height, width = (side >> level for side in spec.video[-2:])
        frame = torch.zeros(1, 128, 1, height, width)
        cond = nodes_lt.LTXVAddGuide.add_keyframe_index([[None, {}]], 8, frame, (8, 32, 32))
        cond, _ = nodes_lt._append_guide_attention_entry(cond, cond, height * width, [1, height, width], 0.7)
        return cond[0][1]

    video_mask, audio_mask = torch.ones(1, 1, *spec.video[2:]), torch.ones(1, 1, *spec.audio[2:])
    video_mask[:, :, 2] = 0.3
    latent = nested(drawn(spec.video, 5), drawn(spec.audio, 6))
    masked = {"latent": latent, "noise_mask": nested(video_mask, audio_mask)}
    positive = tiny_streams.text(spec, 1, **guides(0))
    _, seen = run(apply(patcher, "1/2 x3, full x2"), model, positive=positive, **masked)
    assert [len(x[0][0, 0]) for x, *_ in seen.calls[:2]] == [1, 2 if settings else 3]
    seen.calls[:] = seen.calls[::2]
    clean, small = parts(latent)[0], half(video_mask)
    given = {"denoise_mask": small, "audio_denoise_mask": audio_mask, **guides(1)}

    def kept(state, sound):
        return [state * small + half(clean) * (1.0 - small), sound]

    for index in range(3):
        video, sound = native(model, patcher.model_options["context_handler"], seen, index, given, kept)
        got_video, got_sound = seen.steps[index][1]
        close(half(got_video)[:, :, :2], video[:, :, :2])
        close(got_sound, sound)
