"""Pictures of a trace: convergence heatmaps, the promotion map, overlays and masks."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ..canvas.haar import expand, level_size
from ..trace import Evaluation, Trace
from .colours import DEFAULT_PALETTE, colour

DECADES = 4.0  # a heatmap's colours end this many powers of ten below 1
NEVER = (0.16, 0.16, 0.16)  # blocks that no step refined
FRAMES_IN_A_STRIP = 8


def on_canvas(blocks: Tensor, trace: Trace, scale: int = 1) -> Tensor:
    """Blockwise values (B, T, h, w) on the canvas, times `scale`: (B, T, H * scale, W * scale)."""
    values = expand(blocks, trace.block_level, (trace.canvas.height, trace.canvas.width))
    return values.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def values_of(evaluation: Evaluation) -> Tensor:
    """The convergence values (B, T, h, w) of an evaluation, infinite where a run has lost its numbers (NaN);
    ValueError where it has none."""
    if evaluation.convergence is None:
        raise ValueError(
            "this evaluation has no convergence value: it is the first of its pass, and a variance needs two"
        )
    return evaluation.convergence.float().nan_to_num(nan=torch.inf)


def brightness(values: Tensor, decades: float = DECADES) -> Tensor:
    """Convergence values as positions on a palette: log10 over `decades` below 1, in [0, 1]."""
    return ((values.clamp_min(1e-30).log10() + decades) / decades).clamp(0.0, 1.0)


def evenly(count: int, wanted: int) -> list[int]:
    """Indices of at most `wanted` of `count` frames, ends included; the middle one if one is wanted."""
    if wanted == 1:
        return [count // 2]
    return sorted({round(i * (count - 1) / (wanted - 1)) for i in range(wanted)})


def frames_shown(trace: Trace, strip: bool) -> int:
    """How many frames a picture of this trace has side by side."""
    return len(evenly(trace.canvas.frames, FRAMES_IN_A_STRIP)) if strip else 1


def side_by_side(pictures: Tensor) -> Tensor:
    """Frames (B, n, H, W, 3) in a row: (B, H, n * W, 3)."""
    return rearrange(pictures, "b n h w c -> b h (n w) c")


def heatmap(
    evaluation: Evaluation,
    trace: Trace,
    scale: int = 8,
    palette: str = DEFAULT_PALETTE,
    strip: bool = False,
) -> Tensor:
    """Convergence of one evaluation as pictures (B, H * scale, n * W * scale, 3) in [0, 1].

    Bright blocks still change, dark ones have converged (see `brightness`). Of a video the mean over frames,
    or with `strip` some of its frames in a row. Raises ValueError for an evaluation without values.
    """
    values = values_of(evaluation)
    if strip:
        values = values[:, evenly(values.shape[1], FRAMES_IN_A_STRIP)]
    else:
        values = values.mean(dim=1, keepdim=True)
    return side_by_side(colour(on_canvas(brightness(values), trace, scale), palette))


def fitted(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (B, n, H, W, 3) brought to `size` and put in a row: (B, size[0], n * size[1], 3)."""
    flat = rearrange(pictures.float(), "b n h w c -> (b n) c h w")
    resized = torch.nn.functional.interpolate(flat, size, mode="area")
    return side_by_side(rearrange(resized, "(b n) c h w -> b n h w c", n=pictures.shape[1]))


def overlay(heat: Tensor, pictures: Tensor, opacity: float) -> Tensor:
    """Heatmaps (B, H, n * W, 3) over pictures (B, n, H', W', 3), which are brought to their size."""
    below = fitted(pictures, (heat.shape[1], heat.shape[2] // pictures.shape[1]))
    return below * (1.0 - opacity) + heat * opacity


def refined_blocks(evaluation: Evaluation, trace: Trace) -> Tensor:
    """Which blocks (B, T, h, w) an evaluation looks at in full resolution, be it in part: those of a mixed
    step are smaller than the trace's where a token is one latent pixel."""
    size = level_size((trace.canvas.height, trace.canvas.width), trace.block_level)
    if evaluation.fine is not None:
        times = round(evaluation.fine.shape[-1] / size[-1])
        return torch.nn.functional.max_pool2d(evaluation.fine.float(), times, ceil_mode=True) > 0
    return torch.full((trace.batch, trace.canvas.frames, *size), evaluation.level == 0)


def first_refined(trace: Trace) -> Tensor:
    """The first evaluation that looked at a block in full resolution (B, T, h, w), -1 where none did."""
    if not trace.evaluations:
        raise ValueError("the trace is empty: it recorded no evaluation")
    seen = torch.stack([refined_blocks(e, trace) for e in trace.evaluations])
    return torch.where(seen.any(dim=0), seen.int().argmax(dim=0), -1)


def promotion_map(
    trace: Trace, scale: int = 8, palette: str = DEFAULT_PALETTE, strip: bool = False
) -> Tensor:
    """When each block was refined (B, H * scale, n * W * scale, 3): dark early, bright late, grey never.

    Of a video the middle frame, or with `strip` some of its frames in a row.
    """
    first = first_refined(trace)
    first = first[:, evenly(first.shape[1], FRAMES_IN_A_STRIP if strip else 1)]
    steps = on_canvas(first, trace, scale)
    colours = colour(steps / max(len(trace.evaluations) - 1, 1), palette)
    return side_by_side(torch.where(steps.unsqueeze(-1) < 0, torch.tensor(NEVER), colours))


def converged_mask(evaluation: Evaluation, trace: Trace, tau: float, scale: int = 8) -> Tensor:
    """1 where the block's convergence value is below `tau`, else 0: (B * T, H * scale, W * scale)."""
    return on_canvas((values_of(evaluation) < tau).float(), trace, scale).flatten(0, 1)


def refined_mask(evaluation: Evaluation, trace: Trace, scale: int = 8) -> Tensor:
    """1 where the evaluation looked in full resolution, else 0: (B * T, H * scale, W * scale)."""
    return on_canvas(refined_blocks(evaluation, trace).float(), trace, scale).flatten(0, 1)


def brightness_mask(evaluation: Evaluation, trace: Trace, scale: int = 8) -> Tensor:
    """The heatmap without colours, 0 converged to 1 changing: (B * T, H * scale, W * scale)."""
    return on_canvas(brightness(values_of(evaluation)), trace, scale).flatten(0, 1)
