"""Promotion: which blocks of a mixed step are fine.

Blocks are ranked by a score and the best are promoted, the same number in every sample. Within a pass
promotion is monotone: a fine block stays fine. Scores are averaged over neighbours, so that masks are
compact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas.size import Canvas
from .token_layout import Layout, mixed_layout

Grid = tuple[int, int, int]
"""Frames, rows and columns of blocks."""

Order = Callable[[Tensor, Tensor | None, Grid], Tensor | None]
"""order(prediction (B, C, ..., H, W), variance (B, *grid), grid) -> the score (B, *grid) of each block, the
best promoted first; None where an evaluation says nothing yet. The variance is that of convergence.py, None
for a pass's first prediction."""

_TINY = 1e-30


def low(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: what has converged first (Fresco, Eq. 7)."""
    return None if variance is None else -variance.clamp_min(_TINY).log()


def high(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: what still changes first."""
    return None if variance is None else variance.clamp_min(_TINY).log()


ORDERS: dict[str, Order] = {"low": low, "high": high}
DEFAULT_ORDER = "high"


class Promoter:
    """The promotion of one run: keeps the score of the last prediction and the blocks that are fine."""

    def __init__(self, canvas: Canvas, order: Order = high, level: int = 1):
        self.level = level
        self._order = order
        self._canvas = canvas
        self._grid = (canvas.token_frames, *canvas.blocks(level))
        self._score: Tensor | None = None
        self._variance: Tensor | None = None
        self._mask: Tensor | None = None

    def begin_pass(self) -> None:
        """Every block may be chosen anew, by the score known so far."""
        self._mask = None

    def observe(self, prediction: Tensor, variance: Tensor | None = None) -> None:
        """Take in an evaluation: its clean prediction (B, C, ..., H, W), and the tracker's (B, T, h, w)."""
        if variance is not None:
            self._variance = on_grid(variance, self._grid)
        score = self._order(prediction, self._variance, self._grid)
        if score is not None:
            self._score = F.avg_pool2d(score, 3, stride=1, padding=1, count_include_pad=False)

    def layout(self, fine: float, batch: int, device: torch.device) -> Layout:
        """The layout of the next evaluation, `fine` (0..1) of whose blocks are fine."""
        count = self._canvas.fine_blocks(self.level, fine) * self._grid[0]
        if self._mask is not None and self._mask.shape[0] != batch:
            self._mask = None
        score = self._score
        if score is None or score.shape[0] != batch:
            score = evenly(self._grid, device).expand(batch, *self._grid)
        self._mask = promote(score, count, self._mask)
        return mixed_layout(self._mask, count, self.level)


def promote(score: Tensor, count: int, fine: Tensor | None) -> Tensor:
    """The mask (B, T, rows, columns) of the `count` best blocks of every sample, those of `fine` first.

    A block is chosen in all frames together, by its mean score.
    """
    frames = score.shape[1]
    score = score.mean(dim=1, keepdim=True)
    if fine is not None:
        score = score.masked_fill(fine[:, :1], torch.inf)
    flat = score.flatten(1)
    best = flat.topk(count // frames, dim=1).indices
    mask = torch.zeros_like(flat, dtype=torch.bool).scatter(1, best, True).reshape(score.shape)
    return mask.expand(-1, frames, -1, -1) if frames > 1 else mask


def on_grid(values: Tensor, grid: Grid) -> Tensor:
    """Values (B, T, h, w) averaged over, or copied to, a grid (T', rows, columns)."""
    near = values.cpu() if values.is_mps else values  # MPS has no kernel for it; the maps are small
    return F.adaptive_avg_pool3d(near.float(), grid).to(values.device)


def evenly(grid: Grid, device: torch.device) -> Tensor:
    """Scores (1, *grid) whose best n are spread evenly over each frame, for every n (the R2 sequence,
    Roberts 2018)."""
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in grid[1:])  # which not every device has
    score = (rows.reshape(-1, 1) * 0.7548776662466927 + columns * 0.5698402909980532) % 1.0
    return score.float().to(device).expand(1, *grid)
