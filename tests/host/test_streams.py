"""Sound and video in one latent: coarse looks are the video's alone, and the sound's clock is the canvas's."""

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


def native(model, seen, index, sigma):
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
        return native_h3(network, state, audio, context, sigma, low)


def native_h3(network, state, audio, context, sigma, low):
    """MiniMax H3's, whose sampler carries the sound on the video's schedule: a run at half size has half the
    video's shift, and carries the same sound accordingly."""
    from comfy.ldm.minimax.model import time_shift_sigma

    shift, sound_shift = 12.0, 3.0
    of_sound = float(time_shift_sigma(torch.tensor(sigma), shift, sound_shift))
    sound = audio * (of_sound / sigma)
    made = network(
        [state, sound * (low / of_sound)],
        torch.tensor([low * 1000.0]),
        context=context,
        transformer_options={"minimax_h3_sigma_shift_video": shift / 2.0},
        minimax_payload={"audio_scale": shift / 2.0 / sound_shift},
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


def test_two_passes_refine_both(model, apply):
    traces, told = [], []
    patched = apply(model.patcher, "1/2 x3; full x2 from 75%", traces=traces, tell=told.append)
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
