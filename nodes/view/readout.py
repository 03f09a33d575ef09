"""A trace as plain numbers: for the viewer on the node, and for API users through the history."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...fresco_core import Evaluation, Trace
from ...fresco_core.view.colours import PALETTES
from ...fresco_core.view.heatmap import DECADES, evenly, refined_blocks, values_of
from .trace_steps import step_numbers

LOWEST, SPAN = -8.0, 10.0  # values from 1e-8 to 1e2 as 16-bit numbers, evenly in log10
MOST_CODES = 1 << 17  # of all maps together; larger traces are sent with larger blocks
MOST_ROWS = 100  # of a trace in the history


def recorded(trace: Trace) -> list[Evaluation]:
    """The evaluations that have convergence values, in order."""
    return [e for e in trace.evaluations if e.convergence is not None]


def rows(trace: Trace, tau: float) -> list[dict[str, Any]]:
    """One row per evaluation, numbers to four digits. `step` is the sampler's, from 1, as the node's inputs
    count them; `convergence` and `converged` are None where there is no value."""
    return [
        {
            "step": step,
            "pass": e.pass_index,
            "sigma": _short(e.sigma),
            "level": e.level,
            "tokens": e.tokens,
            "refined": _short(refined_blocks(e, trace).float().mean()),
            "convergence": None if e.convergence is None else _short(e.convergence.float().mean()),
            "converged": None if e.convergence is None else _short((e.convergence < tau).float().mean()),
        }
        for step, e in zip(step_numbers(trace), trace.evaluations)
    ]


def some_rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most MOST_ROWS of the rows, evenly with both ends: what a history entry has room for."""
    return found if len(found) <= MOST_ROWS else [found[i] for i in evenly(len(found), MOST_ROWS)]


def maps(trace: Trace, palette: str) -> dict[str, Any] | None:
    """The mean over frames of every recorded evaluation's values, by block, as text; None without any.

    `values` and `fine` are base64 of little-endian 16-bit codes and of bytes, both of `shape` (steps, batch,
    rows, columns). A code c stands for 10^(lowest + span * c / 65535). `fine`, in traces of mixed tokens, is
    1 where the block was seen in full resolution.
    """
    shown = recorded(trace)
    if not shown:
        return None
    values = torch.stack([values_of(e).mean(dim=1) for e in shown])
    factor = _factor(values.numel(), (values.shape[-2], values.shape[-1]))
    codes = ((_larger_blocks(values, factor).clamp_min(1e-30).log10() - LOWEST) / SPAN).clamp(0, 1) * 65535
    fine = None
    if any(e.fine is not None for e in shown):
        blocks = torch.stack([refined_blocks(e, trace).float().amax(dim=1) for e in shown])
        fine = _text((_larger_blocks(blocks, factor) > 0).numpy().astype(np.uint8))
    return {
        "shape": list(codes.shape),
        "lowest": LOWEST,
        "span": SPAN,
        "values": _text(codes.round().numpy().astype("<u2")),
        "fine": fine,
        "size": [trace.canvas.height * trace.scale, trace.canvas.width * trace.scale],
        "block": (trace.scale << trace.block_level) * factor,
        "full_tokens": trace.canvas.tokens(0),
        "decades": DECADES,
        "palette": [list(point) for point in PALETTES[palette]],
    }


def _factor(count: int, size: tuple[int, int]) -> int:
    """The power of two by which the sides of `count` blocks shrink to at most MOST_CODES."""
    factor = 1
    while count // factor**2 > MOST_CODES and min(size) > factor:
        factor *= 2
    return factor


def _larger_blocks(values: Tensor, factor: int) -> Tensor:
    """Means of `factor` x `factor` blocks of (steps, batch, h, w); incomplete ones at the border count."""
    if factor == 1:
        return values
    return torch.nn.functional.avg_pool2d(values, factor, ceil_mode=True, count_include_pad=False)


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _short(value: Tensor | float) -> float | None:
    """A number to four digits; None for what JSON cannot say."""
    number = float(value)
    return float(f"{number:.4g}") if math.isfinite(number) else None
