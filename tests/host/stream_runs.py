"""Runs of the tiny models that make sound with their video, and the networks themselves asked beside them."""

import pytest
import tiny
import torch
from tiny_streams import AVAILABLE, Seen

SIGMAS = torch.tensor([1.0, 0.93, 0.85, 0.7, 0.4, 0.0])
ANY = pytest.mark.skipif(not AVAILABLE, reason="this host has no model that makes sound with its video")
LTXAV = pytest.mark.skipif("LTXAV" not in AVAILABLE, reason="this host has no LTXAV")
H3 = pytest.mark.skipif("MiniMaxH3" not in AVAILABLE, reason="this host has no MiniMaxH3")


def parts(samples):
    return [part.clone() for part in samples.unbind()]  # leave inference mode


def run(patcher, model, **settings):
    """(result of both streams, what was seen)."""
    settings = {"sigmas": SIGMAS, **settings}
    with Seen(model) as seen:
        out = tiny.sample(patcher, model, callback=seen.callback, **settings)
    return parts(out), seen


def level_sigma(sigma, ratio=0.5):
    """A flow's noise level at `ratio` of the sides, 1/2 behind the means of 2x2: odds of noise to signal
    times that."""
    odds = sigma / (1.0 - sigma) * ratio if sigma < 1.0 else float("inf")
    return odds / (1.0 + odds) if sigma < 1.0 else 1.0


def half(video):
    rows, columns = video.shape[-2] // 2, video.shape[-1] // 2
    return video.unflatten(-2, (rows, 2)).unflatten(-1, (columns, 2)).mean((-3, -1))


def native(model, seen, index, sigma, payload=(), smaller=half, ratio=0.5):
    """The host's network itself on the `smaller` video, of `ratio` of the sides, at its own noise level and
    the same sound at the canvas's: the clean video and the clean sound."""
    network, low = model.model.diffusion_model, level_sigma(sigma, ratio)
    (video, audio), context = seen.steps[index][0], seen.calls[index][2]
    state = smaller(video) / ((1.0 - sigma) + sigma * ratio)
    with torch.inference_mode():
        if model.name == "LTXAV":
            clocks = torch.tensor([low]), torch.tensor([sigma])
            made = network([state, audio], clocks, context=context, attention_mask=None, frame_rate=25)
            return state - low * made[0], audio - sigma * made[1]
        return native_h3(network, state, audio, context, (sigma, low), dict(payload), ratio)


def native_h3(network, state, audio, context, sigmas, payload, ratio=0.5, **told):
    """MiniMax H3's, whose sampler carries the sound on the video's schedule: a run at half size has half the
    video's shift, or `ratio` of it, and carries the same sound accordingly."""
    from comfy.ldm.minimax.model import time_shift_sigma

    (sigma, low), shift, sound_shift = sigmas, 12.0, 3.0
    of_sound = float(time_shift_sigma(torch.tensor(sigma), shift, sound_shift))
    sound = audio * (of_sound / sigma)
    made = network(
        [state, sound * (low / of_sound)],
        torch.tensor([low * 1000.0]),
        context=context,
        transformer_options={"minimax_h3_sigma_shift_video": shift * ratio},
        minimax_payload=payload | {"audio_scale": shift * ratio / sound_shift},
        **told,
    )
    carried = sound * (low / of_sound) - low * made[1]
    return state - low * made[0], carried / ratio  # of clean sound, the whole run carries so much more


def close(a, b, within=1e-4):
    torch.testing.assert_close(a, b, rtol=within, atol=within * float(b.std()))


def drawn(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def held_plain(
    model, apply, words, caplog, prepared=lambda patcher: patcher, text="1/2 x3, full x2", **settings
):
    """A run that says `words` once, and is the host's own."""
    told = []
    patcher = prepared(model.patcher.clone())
    with caplog.at_level("WARNING"):
        ours, _ = run(apply(patcher, text, tell=told.append), model, **settings)
    said = [r.message for r in caplog.records if r.message.startswith("Fresco")]
    assert len(said) == 1 and said[0].startswith("Fresco runs plain: ") and words in said[0]
    assert words in told[0]
    plain, _ = run(patcher, model, **settings)
    assert all(torch.equal(a, b) for a, b in zip(ours, plain))
