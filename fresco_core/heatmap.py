"""Pictures of a trace: convergence heatmaps and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from .trace import Evaluation, Trace
from .transform import expand

# Nine points of matplotlib's viridis (CC0, van der Walt and Smith): perceptually uniform, dark to bright
_VIRIDIS = (
    (0.267, 0.005, 0.329),
    (0.279, 0.175, 0.483),
    (0.230, 0.322, 0.546),
    (0.173, 0.449, 0.558),
    (0.128, 0.567, 0.551),
    (0.158, 0.684, 0.502),
    (0.369, 0.789, 0.383),
    (0.678, 0.864, 0.190),
    (0.993, 0.906, 0.144),
)


def viridis(values: Tensor) -> Tensor:
    """Colours (..., 3) in [0, 1] of values (...) in [0, 1], linear between nine points of the map."""
    table = torch.tensor(_VIRIDIS, dtype=torch.float32)
    scaled = values.float().clamp(0.0, 1.0) * (len(_VIRIDIS) - 1)
    low = scaled.floor().long().clamp(max=len(_VIRIDIS) - 2)
    part = (scaled - low).unsqueeze(-1)
    return table[low] * (1.0 - part) + table[low + 1] * part


def on_canvas(blocks: Tensor, trace: Trace, scale: int = 1) -> Tensor:
    """Blockwise values (B, T, h, w) on the canvas, times `scale`: (B, T, H * scale, W * scale)."""
    values = expand(blocks, trace.block_level, (trace.canvas.height, trace.canvas.width))
    return values.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def _values(evaluation: Evaluation) -> Tensor:
    if evaluation.convergence is None:
        raise ValueError(
            "this evaluation has no convergence value: it is the first of its pass, and a variance needs two"
        )
    return evaluation.convergence


def heatmap(evaluation: Evaluation, trace: Trace, scale: int = 8, decades: float = 4.0) -> Tensor:
    """Convergence of one evaluation, mean over frames, as pictures (B, H * scale, W * scale, 3) in [0, 1].

    log10 of the variance over `decades` below 1: bright blocks still change, dark ones have converged. Raises
    ValueError for an evaluation without values (the first of a pass).
    """
    values = (
        _values(evaluation).float().mean(dim=1, keepdim=True).clamp_min(1e-30).log10() + decades
    ) / decades
    return viridis(on_canvas(values, trace, scale).flatten(0, 1))


def converged_mask(evaluation: Evaluation, trace: Trace, tau: float, scale: int = 8) -> Tensor:
    """1 where the block's convergence value is below `tau`, else 0: (B * T, H * scale, W * scale)."""
    return on_canvas((_values(evaluation) < tau).float(), trace, scale).flatten(0, 1)
