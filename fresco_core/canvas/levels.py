"""Levels: by how many halvings of its sides a look is coarser than the canvas.

0, 1, 2, 3 stand for full, half, quarter and eighth resolution. THREE_QUARTERS is the one level between: four
pixels a side become three. As the others it is a number of halvings, so that 2^-level is always both the
ratio of the sides and what is left of the deviation of noise.
"""

from __future__ import annotations

import math

THREE_QUARTERS = math.log2(4 / 3)
LEVELS: tuple[float, ...] = (0, THREE_QUARTERS, 1, 2, 3)
"""From full to the coarsest."""


def block(level: float) -> tuple[int, int]:
    """Sides of a block in pixels: of the canvas, and of the level. Raises ValueError for what is no level."""
    if level == THREE_QUARTERS:
        return 4, 3
    if isinstance(level, bool) or not isinstance(level, int) or level < 0:
        raise ValueError(f"level is {level!r}; expected an integer >= 0 (0 full, 1 half) or THREE_QUARTERS")
    return 1 << level, 1


def side_at(side: int, level: float) -> int:
    """A side of whole blocks of the canvas in pixels of the level."""
    whole, own = block(level)
    return side // whole * own
