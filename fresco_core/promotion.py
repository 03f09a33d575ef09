"""Promotion: which blocks of a mixed step are fine, and which tokens of a focus step are queried.

Blocks are ranked by a score and the best are promoted, the same number in every sample. Within a pass
promotion is monotone: a fine block stays fine. Scores are averaged over neighbours, so that masks are
compact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas
from .layout import Layout, mixed_layout
from .noise import hashed_noise
from .transform import merge, pad_to_even, split

if TYPE_CHECKING:
    from .plan import Mix
    from .schedule import Schedule

ORDERS: tuple[str, ...] = ("low", "high", "edge", "detail", "attention", "even", "random")
FOCUS_ORDERS: tuple[str, ...] = tuple(order for order in ORDERS if order != "attention")
_TINY = 1e-30


@dataclass(frozen=True)
class Promotion:
    """How blocks are promoted.

    order: `high` variance of the prediction first, `low` first (Fresco, Eq. 7), `edge`s of the prediction
    first, what has `detail` to gain first, what the prompt pays `attention` to first, or `even`ly spread or
    at `random` for comparison. refine: the order in later passes, if another one. focus: the order in which
    focus looks query tokens. tau: where given, as many blocks are fine as have a variance below it (queried:
    as have not), between the floor and the ceiling of the look; this reads one number per evaluation from the
    device. Without tau the share grows evenly from floor to ceiling. per_frame: frames of a video
    choose blocks of their own; else a block is promoted in all frames by its mean score. seed: of `random`.
    """

    order: str = "high"
    refine: str | None = None
    focus: str = "high"
    tau: float | None = None
    per_frame: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for order in self.orders:
            if order not in ORDERS:
                raise ValueError(f"unknown promotion order {order!r}; expected one of {', '.join(ORDERS)}")
        if self.focus not in FOCUS_ORDERS:
            raise ValueError(
                f"focus looks have no order {self.focus!r}; expected one of {', '.join(FOCUS_ORDERS)}"
            )
        if self.tau is not None and self.tau <= 0.0:
            raise ValueError(f"tau is {self.tau:g}; expected a positive share of the prediction's variance")

    @property
    def orders(self) -> tuple[str, str]:
        """Of the first pass and of later ones."""
        return self.order, self.refine or self.order


def promotion_of(schedule: Schedule, promotion: Promotion) -> Promotion:
    """`promotion` with the orders that the schedule's looks name, of all passes."""
    order, focus = schedule.named("order"), schedule.named("order", focus=True)
    if order:
        promotion = replace(promotion, order=order, refine=None)
    return replace(promotion, focus=focus or promotion.focus)


class Promoter:
    """The promotion of one run: keeps the score of the last prediction and the blocks that are fine."""

    def __init__(self, promotion: Promotion, canvas: Canvas, shares: tuple[float, ...], level: int = 1):
        """`shares`, rising: the shares of fine blocks that the run may use. At level 0 it says which tokens a
        focus look queries."""
        self.promotion = promotion
        self._orders = promotion.orders if level else (promotion.focus,)
        self.order = self._orders[0]
        self.level = level
        self._canvas = canvas
        self._shares = shares
        self._grid = (canvas.token_frames, *canvas.blocks(level))
        self._scores: dict[str, Tensor] = {}
        self._variance: Tensor | None = None
        self._mask: Tensor | None = None

    def begin_pass(self, index: int) -> None:
        """Every block may be chosen anew, in the pass's order, by the scores known so far."""
        self._mask = None
        self.order = self._orders[min(index, len(self._orders) - 1)]

    def observe(
        self, prediction: Tensor, variance: Tensor | None = None, attention: Tensor | None = None
    ) -> None:
        """Take in an evaluation: its clean prediction (B, C, ..., H, W), the tracker's (B, T, h, w), and the
        attention that the canvas received in it (B, T, rows, columns), on whatever grid the model saw."""
        if variance is not None:
            self._variance = on_grid(variance, self._grid)
        for order in set(self._orders):
            score = self._scored(order, prediction, attention)
            if score is not None:
                self._scores[order] = smoothed(score)

    def _scored(self, order: str, prediction: Tensor, attention: Tensor | None) -> Tensor | None:
        """An order's score (B, *grid) of an evaluation; None where it has nothing to say."""
        match order:
            case "edge":
                return gradient(prediction, self._grid)
            case "detail":
                return visible_detail(prediction, self.level, self._grid).clamp_min(_TINY).log()
            case "attention":
                return None if attention is None else on_grid(attention, self._grid)
            case "low" | "high" if self._variance is not None:
                sign = -1.0 if order == "low" else 1.0
                return sign * self._variance.clamp_min(_TINY).log()
        return None

    def layout(self, mix: Mix, batch: int, device: torch.device) -> Layout:
        """The layout of the next evaluation, of a step with `mix`."""
        blocks = self._canvas.fine_blocks(self.level, self._share(mix))
        count = blocks * self._grid[0]
        if self._mask is not None and self._mask.shape[0] != batch:
            self._mask = None
        mask = promote(self._ranking(batch, device), count, self._mask, self.promotion.per_frame)
        self._mask = mask if self.level else None  # who is queried may change, what is fine stays fine
        return mixed_layout(mask, count, self.level)

    def _ranking(self, batch: int, device: torch.device) -> Tensor:
        score = self._scores.get(self.order)
        if score is not None and score.shape[0] == batch:
            return score
        if self.order == "random":
            shape = (batch, 1, *self._grid) if self.promotion.per_frame else (batch, 1, 1, *self._grid[1:])
            drawn = hashed_noise(self.promotion.seed, shape, device=device).squeeze(1)
            return drawn.expand(batch, *self._grid)
        return evenly(self._grid, device).expand(batch, *self._grid)

    def _share(self, mix: Mix) -> float:
        tau = self.promotion.tau
        if tau is None or self._variance is None or mix.share == 1.0:
            return mix.share
        settled = float((self._variance < tau).float().mean(dim=(1, 2, 3)).min())
        able = [s for s in self._shares if mix.floor - 1e-6 <= s <= mix.ceiling + 1e-6] or [mix.share]
        if self.level == 0:
            return min((s for s in able if s >= 1.0 - settled), default=able[-1])
        return max((s for s in able if s <= settled), default=able[0])


def promote(score: Tensor, count: int, fine: Tensor | None, per_frame: bool = False) -> Tensor:
    """The mask (B, T, rows, columns) of the `count` best blocks of every sample, those of `fine` first.

    Blocks of all frames together are chosen by their mean score, `count` / T of them.
    """
    frames = 1 if per_frame else score.shape[1]
    if not per_frame:
        score = score.mean(dim=1, keepdim=True)
        fine = None if fine is None else fine[:, :1]
    if fine is not None:
        score = score.masked_fill(fine, torch.inf)
    flat = score.flatten(1)
    best = flat.topk(count // frames, dim=1).indices
    mask = torch.zeros_like(flat, dtype=torch.bool).scatter(1, best, True).reshape(score.shape)
    return mask.expand(-1, frames, -1, -1) if frames > 1 else mask


def on_grid(values: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Values (B, T, h, w) averaged over, or copied to, a grid (T', rows, columns)."""
    return F.adaptive_avg_pool3d(values.float(), grid)


def smoothed(score: Tensor) -> Tensor:
    """The mean of each block (B, T, rows, columns) and its eight neighbours of the same frame."""
    return F.avg_pool2d(score, 3, stride=1, padding=1, count_include_pad=False)


def gradient(prediction: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Squared slope of the blockwise prediction, mean over channels: (B, C, ..., H, W) -> (B, *grid)."""
    video = prediction if prediction.ndim == 5 else prediction.unsqueeze(2)
    blocks = F.adaptive_avg_pool3d(video.float(), grid)
    down, right = torch.gradient(blocks, dim=(-2, -1))
    return (down * down + right * right).mean(dim=1)


def visible_detail(prediction: Tensor, level: int, grid: tuple[int, int, int]) -> Tensor:
    """Energy of the finest detail that the level shows, (B, C, ..., H, W) -> (B, *grid).

    Spectra fall smoothly, so that it predicts how much the level hides in the same place, wherever the
    prediction is coarse; what finer looks have found already does not count.
    """
    detail = split(pad_to_even(merge(prediction.float(), level)))[1]
    energy = (detail * detail).mean(dim=(0, 2))
    return on_grid(energy if energy.ndim == 4 else energy.unsqueeze(1), grid)


def evenly(grid: tuple[int, int, int], device: torch.device) -> Tensor:
    """Scores (1, *grid) whose best n are spread evenly over each frame, for every n (the R2 sequence,
    Roberts 2018)."""
    rows = torch.arange(grid[1], device=device, dtype=torch.float64).reshape(-1, 1)
    columns = torch.arange(grid[2], device=device, dtype=torch.float64)
    score = ((rows * 0.7548776662466927 + columns * 0.5698402909980532) % 1.0).float()
    return score.expand(1, *grid)
