"""LTX-Video's guides on a grid of their own (IC-LoRA), f times as coarse as the video's.

The host spreads such a guide over the video's grid: its pixel (i, j) lies at (i f, j f), and a mask below 0
takes what is between out of the sequence. A run of half the size has half of the guide's pixels, spread in
the same way. So that block means are those, the pixels of a block's own means are brought together to where
its mean belongs, and a prediction's are brought back. That is a rearrangement of a frame, which has its
inverse; what is between stays between, and no mean has both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.canvas.levels import block
from ..host.windows import windowed
from .kept_pixels import MASK

PLACES = "keyframe_idxs"  # the conditioning that says where every token of a guide belongs


@dataclass
class ThinGuides:
    """Of every frame of a canvas with `size` (H, W) by how much its grid is coarser, 1 for the video's own.

    repeated: frames that every context window has.
    """

    factors: tuple[int, ...]
    size: tuple[int, int]
    repeated: list[int]
    _orders: dict[tuple, Tensor] = field(default_factory=dict)

    def arranged(self, x: Tensor, level: float, transformer_options: dict, back: bool) -> Tensor:
        """x (B, C, T, H, W), the canvas or a window of it, with what is one pixel at `level` together, or
        `back` where it was."""
        key = level, back, x.device
        if key not in self._orders:
            orders = torch.stack([order(factor, self.size, block(level)[0]) for factor in self.factors])
            orders = (orders.argsort(-1) if back else orders).to(x.device)
            self._orders[key] = orders.view(1, 1, -1, *self.size)
        seen = windowed(self._orders[key], x, transformer_options, self.repeated)
        assert seen is not None, "the host shows its network a part of the canvas that it has not told of"
        return x.flatten(-2).gather(-1, seen.flatten(-2).expand(*x.shape[:-2], -1)).view(x.shape)


def order(factor: int, size: tuple[int, int], across: int) -> Tensor:
    """Where each pixel of a frame (H * W) is taken from: the guide's pixels that are one of `across` pixels a
    side first, at the places of the block that this one is in, and all others in the places that are left."""
    height, width = size
    places = torch.arange(height * width)
    if factor == 1:
        return places
    grid = places.view(size)
    step = factor * across
    near = torch.zeros(size, dtype=torch.bool)
    near.unflatten(0, (-1, step)).unflatten(2, (-1, step))[:, :across, :, :across] = True
    own = torch.zeros(size, dtype=torch.bool)
    own[::factor, ::factor] = True
    taken = torch.empty_like(places)
    taken[near.flatten()] = grid[own]  # both in the order of rows: the same rows and columns of either
    taken[~near.flatten()] = grid[~own]
    return taken


def factors_of(mask: Tensor) -> tuple[int, ...] | None:
    """By how much the grid of each frame is coarser than that of a mask (B, C, T, H, W), from what the mask
    takes out of it; None where that is no grid. Reads from the device."""
    kept = (mask[0, 0] >= 0.0).cpu()
    found = []
    for frame in kept:
        count, pixels = int(frame.sum()), frame.numel()
        factor = 1 if count in (0, pixels) else round((pixels / count) ** 0.5)
        if count and (int(frame[::factor, ::factor].sum()) != count or count * factor**2 != pixels):
            return None
        found.append(factor)
    return tuple(found)


def thin_guides(given: dict[str, Any], repeated: list[int]) -> ThinGuides | None:
    """The guides of a run on grids of their own, whose conditioning is `given` by name; None where it has
    none. Reads from the device, where there are guides."""
    mask = given.get(MASK)
    if given.get(PLACES) is None or mask is None:
        return None
    factors = factors_of(mask)
    if factors is None or max(factors) == 1:
        return None
    return ThinGuides(factors, (mask.shape[-2], mask.shape[-1]), repeated)
