"""Wan InfiniteTalk: frames that it writes into what the network sees, and speakers by their tokens, are those
of the look."""

import dataclasses

import comfy.model_patcher
import comfy.ops
import comfy.patcher_extension
import comfy.sample
import comfy.samplers
import pytest
import tiny
import torch
from host_models import ROWS, Fields
from recorded import warnings
from test_all_models import COARSE, built, dressed, level_of, merged, native_run, predictions
from tiny_vaes import VAES

talk = pytest.importorskip("comfy.ldm.wan.model_multitalk")

WIDTH = 80  # its attention has forty heads
FRAMES = 3
NAME = "WAN21_I2V"
ALONE = {"cfg": 1.0}  # it hears one video a call


@pytest.fixture
def wan(monkeypatch):
    """A tiny Wan of a width that the patch takes."""
    row = ROWS[NAME]
    monkeypatch.setitem(
        ROWS, NAME, dataclasses.replace(row, unet=row.unet | {"dim": WIDTH, "num_heads": 2})
    )
    return built(NAME)


@pytest.fixture
def voices():
    """The patch's own model, small."""
    torch.manual_seed(3)
    model = torch.nn.Module()
    blocks = [talk.WanMultiTalkAttentionBlock(WIDTH, 16, operations=comfy.ops.manual_cast) for _ in range(2)]
    model.blocks = torch.nn.ModuleList(blocks)
    tiny.fill(model, 3)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def talking(patcher, voices, first, speakers=None, extends=False):
    """The patcher as WanInfiniteTalkToVideo leaves it. speakers: masks (2, h, w) of a token each."""
    patcher = patcher.clone()
    words = 4 if speakers is None else 8
    heard = torch.randn(1, FRAMES, words, 16, generator=torch.Generator().manual_seed(5))
    patcher.model_options["transformer_options"]["audio_embeds"] = heard
    kind = comfy.patcher_extension.WrappersMP.OUTER_SAMPLE
    wrapper = talk.InfiniteTalkOuterSampleWrapper(first, voices, is_extend=extends)
    patcher.add_wrapper_with_key(kind, "infinite_talk_outer_sample", wrapper)
    patcher.set_model_patch(talk.MultiTalkCrossAttnPatch(voices, 1.0), "attn2_patch")
    if speakers is not None:
        patcher.set_model_patch(talk.MultiTalkGetAttnMapPatch(speakers.flatten(1) > 0), "attn1_patch")
    return patcher


def speakers_of(shape):
    """Two speakers' masks by tokens: the one's left, the other's right and lower."""
    masks = torch.zeros(2, shape[-2] // 2, shape[-1] // 2)
    masks[0, :, : masks.shape[-1] // 2] = 1
    masks[1, masks.shape[-2] // 2 :, masks.shape[-1] // 2 :] = 1
    return masks


def first_frames(shape, level):
    return Fields(shape, level).map(1, 16, 1)


@pytest.mark.parametrize("two", [False, True], ids=["one speaker", "two speakers"])
@pytest.mark.parametrize("part", ["1/2", "3/4"])
def test_a_coarse_look_is_the_models_own_run_at_its_size(apply, caplog, wan, voices, part, two):
    level, shape = level_of(part), ROWS[NAME].shape
    full, small = dressed(NAME, wan, 0), dressed(NAME, wan, level)
    at = {key: speakers_of(m.latent["samples"].shape) if two else None for key, m in ((0, full), (1, small))}
    sampling = wan.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", COARSE + 1)
    noise = comfy.sample.prepare_noise(full.latent["samples"], 7)
    ours = talking(wan, voices, first_frames(shape, 0), at[0])
    own = talking(wan, voices, first_frames(shape, level), at[1])
    with caplog.at_level("WARNING"):
        seen = predictions(apply(ours, f"{part} x{COARSE}, full x1"), full, sigmas, noise, **ALONE)
    assert not warnings(caplog) and len(seen) == COARSE + 1
    native = native_run(own, small, sigmas, noise, level, **ALONE)
    for coarse, alone in zip(seen, native):
        torch.testing.assert_close(
            merged(wan, coarse, level), alone, rtol=1e-3, atol=1e-3 * float(alone.std())
        )
    silent = native_run(wan, small, sigmas, noise, level, **ALONE)
    assert not torch.allclose(native[0], silent[0], atol=1e-2 * float(native[0].std())), "it is heard"


@pytest.mark.parametrize("side", [16, 18], ids=["divisible", "continued by the look"])
@pytest.mark.parametrize("behind", [False, True], ids=["before Fresco", "behind it"])
def test_a_draft_is_refined_with_the_frames_of_the_canvas(
    apply, caplog, wan, voices, behind, side, monkeypatch
):
    shape = (1, 16, FRAMES, side, side)
    monkeypatch.setitem(ROWS, NAME, dataclasses.replace(ROWS[NAME], shape=shape))
    full = dressed(NAME, wan, 0)
    first = first_frames(shape, 0)
    schedule = "draft 1/2 50% to refine; refine 50% min x2"
    masks = speakers_of(shape)
    plain = tiny.sample(talking(wan, voices, first, masks, extends=True), full, steps=4)
    traces = []
    if behind:
        patcher = talking(apply(wan, schedule, traces=traces), voices, first, masks, extends=True)
    else:
        patcher = apply(talking(wan, voices, first, masks, extends=True), schedule, traces=traces)
    with caplog.at_level("WARNING"):
        out = tiny.sample(patcher, full, steps=4)
    assert not warnings(caplog) and [e.level for e in traces[0].evaluations] == [1, 1, 0, 0]
    assert out.isfinite().all() and torch.equal(out[:, :, :1], plain[:, :, :1])
    assert not torch.equal(out, plain)
    patch = patcher.model_options["transformer_options"]["patches"]["attn1_patch"][0]
    assert torch.equal(patch.ref_target_masks, masks.flatten(1) > 0), "nothing of a look stays on it"


def test_a_draft_goes_over_pixels_with_the_frames_that_it_continues(apply, wan, voices, monkeypatch):
    from fresco_pack.fresco_core import merge
    from fresco_pack.nodes.engine.run import Bridge

    monkeypatch.setitem(ROWS, NAME, dataclasses.replace(ROWS[NAME], shape=(1, 16, FRAMES, 8, 12)))
    full, vae, seen = dressed(NAME, wan, 0), VAES["wan"].build(), []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda latent: seen.append(latent.clone()) or decode(latent))
    first = first_frames(ROWS[NAME].shape, 0)
    patcher = talking(wan, voices, first, extends=True)
    patcher = apply(patcher, "draft 1/2 x3; refine 0.6 via pixels x3", bridge=Bridge(vae))
    out = tiny.sample(patcher, full, steps=6)
    assert len(seen) == 1 and out.isfinite().all()
    torch.testing.assert_close(seen[0][:, :, :1], merge(first, 1), rtol=1e-4, atol=1e-4)


def test_mixed_steps_see_all_of_it_at_full_size(apply, caplog, wan, voices):
    full = dressed(NAME, wan, 0)
    patcher = talking(wan, voices, first_frames(ROWS[NAME].shape, 0))
    with caplog.at_level("WARNING"):
        out = tiny.sample(apply(patcher, "1/2 x1, mixed 50% x2, full x1"), full, steps=4)
    assert out.isfinite().all() and "keeps a map of the whole grid" in " ".join(warnings(caplog))
