"""Which blocks of mixed steps are fine first: the pack's orders, and others to compare them with.

A Promoter averages every score over neighbouring blocks.
"""

from __future__ import annotations

from torch import Tensor, gradient

from fresco_core.canvas.haar import merge, pad_to_even, split
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.look.promotion import ORDERS as OWN
from fresco_core.look.promotion import Grid, Order, on_grid
from fresco_core.schedule.looks import MIXED_LEVEL

_TINY = 1e-30
_SEED = 0


def edge(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: edges first, by the squared slope of the blockwise prediction, mean over channels."""
    down, right = gradient(on_grid(_video(prediction), grid), dim=(-2, -1))
    return (down * down + right * right).mean(dim=1)


def detail(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: what has detail to gain first, by the energy of the finest detail that coarse blocks show.

    Spectra fall smoothly, so that it predicts how much the level hides in the same place, wherever the
    prediction is coarse; what finer looks have found already does not count.
    """
    shown = split(pad_to_even(merge(_video(prediction).float(), MIXED_LEVEL)))[1]
    return on_grid((shown * shown).mean(dim=(0, 2)), grid).clamp_min(_TINY).log()


def even(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: evenly spread, as a Promoter does where no evaluation says anything."""
    return None


def random(prediction: Tensor, variance: Tensor | None, grid: Grid) -> Tensor | None:
    """An Order: at random, the same in all frames and evaluations."""
    batch = prediction.shape[0]
    drawn = hashed_noise(_SEED, (batch, 1, 1, *grid[1:]), device=prediction.device)
    return drawn[:, 0].expand(batch, *grid)


def _video(prediction: Tensor) -> Tensor:
    """(B, C, H, W) as one frame (B, C, 1, H, W)."""
    return prediction if prediction.ndim == 5 else prediction.unsqueeze(2)


ORDERS: dict[str, Order] = {**OWN, "edge": edge, "detail": detail, "even": even, "random": random}
