"""LTX's guides: a look gives them what the host's own nodes would at half size, whatever grid they are on."""

import dataclasses

import comfy.ldm.lightricks.model
import pytest
import test_all_models
import tiny
import tiny_streams
import torch
from comfy_extras import nodes_lt
from stream_runs import LTXAV, close, drawn, held_plain
from test_all_models import AVAILABLE, built, merged
from test_context_windows import held, windowed
from tiny_streams import SPECS, nested

THIN = pytest.mark.skipif(
    not hasattr(nodes_lt.LTXVAddGuide, "dilate_latent"), reason="this host's guides have the video's grid"
)
MARKS = hasattr(comfy.ldm.lightricks.model.LTXVModel, "keyframes_abs_pos_mask")
SCALE = (8, 32, 32)
FRAMES, SIDE = 3, 16


def guided(patcher, level, factors, strength=1.0):
    """A video of three frames at a level with a guide for each of `factors` behind it, by core's own node:
    its picture is that many times as coarse as the video, and of the same means at every level."""
    side = SIDE >> level
    words = torch.randn(1, 8, 32, generator=torch.Generator().manual_seed(1))
    cond = [[words, {"frame_rate": 25, "attention_mask": torch.ones(1, 8, dtype=torch.int64)}]]
    video, mask = drawn((1, 128, FRAMES, SIDE, SIDE), 3), torch.ones(1, 1, FRAMES, side, side)
    video = merged(patcher, video) if level else video
    for number, factor in enumerate(factors):
        picture = drawn((1, 128, 1, SIDE // factor, SIDE // factor), 4 + number)
        picture = merged(patcher, picture) if level else picture
        shape, spread, holes = list(picture.shape[2:]), picture, None
        if factor > 1:
            spread, holes = nodes_lt.LTXVAddGuide.dilate_latent(picture, factor)
        cond, _, video, mask = nodes_lt.LTXVAddGuide.append_keyframe(
            cond,
            cond,
            8 * number,
            video,
            mask,
            spread,
            strength,
            SCALE,
            guide_mask=holes,
            latent_downscale_factor=factor,
        )
        cond, _ = nodes_lt._append_guide_attention_entry(cond, cond, side * side, shape, strength)
    return {"latent": video, "noise_mask": mask, "positive": cond, "negative": cond}


@THIN
@pytest.mark.skipif("LTXV" not in AVAILABLE, reason="this host has no LTX-Video")
@pytest.mark.parametrize("strength", (1.0, 0.6))
@pytest.mark.parametrize("factors", ((1,), (2,), (4, 1, 2)))
def test_a_guide_is_the_one_of_the_smaller_run(apply, factors, strength):
    patcher = built("LTXV")

    def seen(noise):
        """With the means of a guide's own pixels where the smaller run has them."""
        noise = noise.clone()
        for frame, factor in enumerate(factors, start=FRAMES):
            means = merged(patcher, noise[:, :, frame : frame + 1, ::factor, ::factor])
            spread, _ = nodes_lt.LTXVAddGuide.dilate_latent(means, factor)
            noise[:, :, frame] = spread[:, :, 0].repeat_interleave(2, -2).repeat_interleave(2, -1)
        return noise

    ours, native = held(
        apply,
        patcher,
        "LTXV",
        lambda level: guided(patcher, level, factors, strength),
        slice(0, FRAMES),
        seen,
    )
    for coarse, alone in zip(ours, native):
        for frame, factor in enumerate(factors, start=FRAMES):
            seen = merged(patcher, coarse[:, :, frame : frame + 1, ::factor, ::factor])
            close(seen, alone[:, :, frame : frame + 1, ::factor, ::factor])


@THIN
def test_guides_in_windows_are_the_hosts_to_refuse(apply):
    """Its windows leave LTX-Video the mask of all frames; LTX-2's, which it cuts, are held in
    test_stream_windows.py."""
    patcher, given = windowed(built("LTXV"), context_length=2, context_overlap=1), guided(None, 0, (1,))
    model = tiny.Tiny("LTXV", patcher, {}, 1)
    for patched in (patcher, apply(patcher, "1/2 x2, full x1")):
        with pytest.raises(IndexError, match="shape of the mask"):
            tiny.sample(patched, model, steps=3, **given)


@THIN
@pytest.mark.skipif(not MARKS, reason="this host's LTX-Video does not mark frames that are pictures")
def test_pictures_that_are_made_with_the_video_have_their_mark_at_a_look(apply, monkeypatch):
    """One behind the frames, all of noise, and a guide behind it."""
    row = test_all_models.ROWS["LTXV"]
    marking = dataclasses.replace(row, unet=row.unet | {"use_keyframes_abs_pos_embedding": True})
    monkeypatch.setitem(test_all_models.ROWS, "LTXV", marking)
    patcher = built("LTXV")
    marks = []

    def given(level):
        made = guided(patcher, level, (1, 1))
        made["noise_mask"][:, :, FRAMES] = 1.0
        tokens = (SIDE >> level) ** 2
        drawn_frames = {"first_latent_frame": FRAMES, "num_keyframes": 1, "tokens_per_frame": tokens}
        (text, extra), *_ = made["positive"]
        cond = [[text, {**extra, "generated_keyframes": drawn_frames}]]
        return made | {"positive": cond, "negative": cond}

    network = patcher.model.diffusion_model
    host = network.keyframes_abs_pos_mask

    def note(*args, **kwargs):
        mask = host(*args, **kwargs)
        marks.append(mask.sum())
        return mask

    monkeypatch.setattr(network, "keyframes_abs_pos_mask", note)
    held(apply, patcher, "LTXV", given)
    marked = [2 * 2 * 64] * 3 + [2 * 2 * 256]
    assert [int(count) for count in marks[:4]] == marked, "first frame and picture, of both prompts"


@THIN
def test_off_is_the_hosts_own_run_with_guides(apply):
    patcher = built("LTXV")
    model, given = tiny.Tiny("LTXV", patcher, {}, 1), guided(patcher, 0, (2,))
    plain = tiny.sample(patcher, model, steps=3, **given)
    for text in ("off", "full x3"):
        assert torch.equal(tiny.sample(apply(patcher, text, traces=[]), model, steps=3, **given), plain)


@THIN
def test_two_passes_leave_the_guides_as_they_are(apply):
    patcher, traces = built("LTXV"), []
    model, given = tiny.Tiny("LTXV", patcher, {}, 1), guided(patcher, 0, (2, 1))
    text = "draft 1/4 x2; refine 0.97 1/2 x2; refine 0.9 x1"
    out = tiny.sample(apply(patcher, text, traces=traces), model, steps=5, **given)
    assert [e.level for e in traces[0].evaluations] == [2, 2, 1, 1, 0]
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out[:, :, 3, ::2, ::2], given["latent"][:, :, 3, ::2, ::2])
    torch.testing.assert_close(out[:, :, 4], given["latent"][:, :, 4])


@LTXAV
@THIN
def test_a_guide_whose_own_grid_has_no_whole_blocks_runs_plain(apply, caplog):
    """Of 2x3 pixels; and one that is on no grid at all."""
    model, spec = tiny_streams.build("LTXAV"), SPECS["LTXAV"]
    rows, columns = spec.video[-2:]
    cond = nodes_lt.LTXVAddGuide.add_keyframe_index(
        [[None, {}]], 8, torch.zeros(1, 128, 1, rows, columns), SCALE, 4
    )
    mask = torch.ones(1, 1, *spec.video[2:])
    mask[:, :, -1] = -1.0
    mask[:, :, -1, ::4, ::4] = 0.0
    masked = {
        "latent": nested(drawn(spec.video, 5), drawn(spec.audio, 6)),
        "noise_mask": nested(mask, torch.ones(1, 1, *spec.audio[2:])),
        "positive": tiny_streams.text(spec, 1, **cond[0][1]),
    }
    words = "a guide on a grid of its own, 2x3, has no whole blocks of 2x2"
    held_plain(model, apply, words, caplog, **masked)
    caplog.clear()
    words = "a guide on a grid of its own, 2x3, has no whole blocks of 4x4"
    held_plain(model, apply, words, caplog, text="3/4 x3, full x2", **masked)
    caplog.clear()
    mask[:, :, -1, 1, 1] = 0.0
    masked["noise_mask"] = nested(mask, torch.ones(1, 1, *spec.audio[2:]))
    held_plain(model, apply, "has no whole number of the video's pixels", caplog, **masked)


@THIN
@pytest.mark.skipif("LTXV" not in AVAILABLE, reason="this host has no LTX-Video")
@pytest.mark.parametrize("text, plain", [("1/2 x2, full x3", False), ("1/2 x1, 3/4 x2, full x2", True)])
def test_every_level_must_have_whole_blocks_of_a_guide(apply, text, plain):
    """One of 8x8 pixels beside a video of 16x16 has them at half, and at three quarters it has not."""
    traces = []
    model = test_all_models.dressed("LTXV", built("LTXV"), 0)
    tiny.sample(apply(model.patcher, text, traces), model, steps=5, cfg=1.0, **guided(model.patcher, 0, (2,)))
    reason = traces[0].plan.reason
    assert (reason is None) is not plain
    assert not plain or "has no whole blocks of 4x4" in reason


@pytest.mark.parametrize("part", ["1/2", "3/4", "1/4"])
@pytest.mark.parametrize("size", [(23, 40), (22, 38), (24, 40)])
def test_weights_of_a_guides_pixels_lie_where_they_are_on_a_canvas_that_the_level_continues(part, size):
    from fresco_pack.fresco_core.canvas.haar import padded_size
    from fresco_pack.fresco_core.canvas.levels import side_at
    from fresco_pack.nodes.engine.guides import guides_at

    level = test_all_models.level_of(part)
    whole = padded_size(size, level, 1)
    low = side_at(whole[0], level), side_at(whole[1], level)
    rows = ((torch.arange(32 * size[0]) + 0.5) / 32)[:, None].expand(32 * size[0], 32 * size[1])
    tokens = size[0] * size[1]
    entry = {"pre_filter_count": tokens, "latent_shape": [1, *size], "pixel_mask": rows[None, None, None]}
    (made,) = guides_at({"guide_attention_entries": [entry]}, size, low, whole)["guide_attention_entries"]
    found = torch.nn.functional.interpolate(made["pixel_mask"][0], size=made["latent_shape"][1:], mode="area")
    wanted = (torch.arange(low[0]) + 0.5) * 2**level
    inside = wanted < size[0] - 2**level
    torch.testing.assert_close(found[0, 0].mean(-1)[inside], wanted[inside], atol=0.01, rtol=0)
    assert made["latent_shape"] == [1, *low] and entry["pixel_mask"].shape[-2] == 32 * size[0]
