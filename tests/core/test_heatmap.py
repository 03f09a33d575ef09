"""Colour maps, overlays, promotion maps and masks of a trace."""

import pytest
import torch

from fresco_core import Canvas, Trace
from fresco_core.look.dense import DenseLook
from fresco_core.look.mixed import MixedLook
from fresco_core.look.token_layout import mixed_layout
from fresco_core.view.colours import PALETTES, colour, in_colour
from fresco_core.view.heatmap import (
    NEVER,
    brightness_mask,
    evenly,
    first_refined,
    heatmap,
    overlay,
    promotion_map,
    refined_mask,
)


def trace_of(levels, fine=None, frames=1, batch=1):
    """A finished trace of a 16x24 canvas (4x6 blocks); `fine` maps an evaluation to its mask."""
    trace = Trace(batch, Canvas(16, 24, frames), 2)
    generator = torch.Generator().manual_seed(0)
    for index, level in enumerate(levels):
        values = torch.rand(batch, frames, 4, 6, generator=generator) if index else None
        mask = (fine or {}).get(index)
        look = DenseLook(level) if mask is None else MixedLook(mixed_layout(mask, int(mask[0].sum())))
        trace.add(0, torch.tensor([1.0 - index / len(levels)]), look, values)
    return trace.finish()


@pytest.mark.parametrize("side", (16, 18))
def test_blocks_of_a_mixed_step_smaller_than_the_traces_count_where_any_is_fine(side):
    """As of models whose tokens are one latent pixel: blocks of 2x2, and of 4x4 in the trace."""
    few, many = -(-side // 4), -(-side // 2)
    trace = Trace(1, Canvas(side, side, patch=1), 2)
    fine = torch.zeros(1, 1, many, many, dtype=torch.bool)
    fine[..., 1, 2] = fine[..., -1, -1] = True
    values = torch.full((1, 1, few, few), 0.5)
    looks = (DenseLook(1), MixedLook(mixed_layout(fine, 2)), DenseLook(0))
    for look in looks:
        trace.add(0, torch.tensor([0.5]), look, values)
    trace.finish()
    seen = first_refined(trace)[0, 0]
    assert seen[0, 1] == 1 and seen[-1, -1] == 1
    assert (seen == 1).sum() == 2 and (seen == 2).sum() == few**2 - 2
    mask = refined_mask(trace.evaluations[1], trace, 1)
    assert mask.shape == (1, side, side) and mask[0, :4, 4:8].all() and not mask[0, :4, :4].any()


def lightness(rgb):
    """CIE 1976 L* of sRGB colours (..., 3)."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ torch.tensor([0.2126, 0.7152, 0.0722])
    dark = luminance <= (6 / 29) ** 3
    return torch.where(dark, luminance * (29 / 3) ** 3, 116 * luminance.clamp_min(1e-9) ** (1 / 3) - 16)


@pytest.mark.parametrize("palette", PALETTES)
def test_palettes_grow_lighter_at_an_even_pace(palette):
    light = lightness(colour(torch.linspace(0, 1, 9), palette))
    pace = light.diff()
    assert (pace > 0).all() and float(pace.max()) < 1.6 * float(pace.mean())


def test_what_is_no_number_has_the_colour_of_nothing():
    assert torch.equal(colour(torch.tensor([float("nan")])), colour(torch.zeros(1)))


def test_an_unknown_palette_is_named():
    with pytest.raises(ValueError, match="'jet'; expected one of viridis, inferno"):
        colour(torch.zeros(1), "jet")


@pytest.mark.parametrize("count", [1, 2, 5, 8, 21])
def test_frames_are_picked_evenly_with_both_ends(count):
    picked = evenly(count, 8)
    assert picked[0] == 0 and picked[-1] == count - 1 and len(picked) == min(count, 8) == len(set(picked))
    assert evenly(count, 1) == [count // 2]


def test_a_strip_shows_frames_side_by_side():
    trace = trace_of([1, 1], frames=21)
    picture = heatmap(trace.evaluations[1], trace, 2, strip=True)
    assert picture.shape == (1, 32, 8 * 48, 3)
    single = trace_of([1, 1])
    strip = heatmap(single.evaluations[1], single, 2, strip=True)
    assert torch.equal(strip, heatmap(single.evaluations[1], single, 2))


@pytest.mark.parametrize("strip", [False, True])
def test_an_overlay_is_the_picture_at_0_and_the_heatmap_at_1(strip):
    trace = trace_of([1, 1], frames=3, batch=2)
    heat = heatmap(trace.evaluations[1], trace, 2, strip=strip)
    count = 3 if strip else 1
    pictures = torch.rand(2, count, 64, 96, 3)
    assert torch.equal(overlay(heat, pictures, 1.0), heat)
    below = overlay(heat, pictures, 0.0)
    assert below.shape == heat.shape
    torch.testing.assert_close(below.mean(), pictures.mean())
    torch.testing.assert_close(overlay(heat, pictures, 0.5), (below + heat) / 2)


def test_dense_levels_refine_every_block_at_the_first_full_step():
    assert torch.equal(first_refined(trace_of([1, 1, 0, 0])), torch.full((1, 1, 4, 6), 2))
    assert torch.equal(first_refined(trace_of([2, 1])), torch.full((1, 1, 4, 6), -1))
    with pytest.raises(ValueError, match="recorded no evaluation"):
        first_refined(Trace(1, Canvas(16, 16), 2))


def test_mixed_tokens_refine_their_own_blocks_and_keep_them():
    early, late = torch.zeros(2, 1, 1, 4, 6, dtype=torch.bool)
    early[..., :2, :2] = True
    late[..., :2, :4] = True
    trace = trace_of([1, 1, 1], {1: early, 2: late})
    first = first_refined(trace)
    assert (first[early] == 1).all() and (first[late & ~early] == 2).all() and (first[~late] == -1).all()
    picture = promotion_map(trace, 1)
    torch.testing.assert_close(picture[0, -1, -1], torch.tensor(NEVER))
    torch.testing.assert_close(picture[0, 0, 0], colour(torch.tensor(0.5)))
    torch.testing.assert_close(picture[0, 0, 15], colour(torch.tensor(1.0)))
    mask = refined_mask(trace.evaluations[1], trace, 1)
    assert mask.shape == (1, 16, 24) and float(mask.sum()) == 64 and float(mask[0, :8, :8].min()) == 1


def test_a_mixed_evaluation_counts_its_own_tokens():
    trace = Trace(1, Canvas(16, 24), 2)
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.bool)
    mask[..., :2] = True
    trace.add(0, torch.tensor([0.5]), MixedLook(mixed_layout(mask, 8)), None)
    trace.add(0, torch.tensor([0.4]), DenseLook(1), None)
    assert [e.tokens for e in trace.finish().evaluations] == [8 * 4 + 16, 24]


def test_pictures_of_any_number_of_channels_become_colours():
    pictures = torch.rand(2, 5, 6, 4)
    assert torch.equal(in_colour(pictures), pictures[..., :3])
    for channels in (1, 2):  # grey, and grey with opacity
        assert torch.equal(in_colour(pictures[..., :channels]), pictures[..., :1].expand(2, 5, 6, 3))


def test_a_brightness_mask_is_the_heatmap_without_colours():
    trace = trace_of([1, 1])
    mask = brightness_mask(trace.evaluations[1], trace, 2)
    torch.testing.assert_close(colour(mask), heatmap(trace.evaluations[1], trace, 2))
