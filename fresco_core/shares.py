"""The shares of fine blocks of mixed steps, and of queried tokens of focus steps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from .schedule import Look

MAX_LENGTHS = 6  # distinct numbers of image tokens in a run: compiled models recompile for each


def wanted_shares(looks: Sequence[Look]) -> list[float | None]:
    """The share of fine blocks, or of queried tokens, that each step's look asks for; None for dense looks.

    It grows evenly over the steps of a look, which follow each other.
    """
    shares: list[float | None] = []
    for look, same in groupby(looks):
        steps = sum(1 for _ in same)
        if look.fine is None:
            shares += [None] * steps
            continue
        floor, ceiling = look.fine
        parts = [step / (steps - 1) for step in range(steps)] if steps > 1 else [0.5]
        shares += [floor + part * (ceiling - floor) for part in parts]
    return shares


def few_shares(looks: Sequence[Look], wanted: Sequence[float | None]) -> dict[int, list[float]]:
    """The shares that mixed and focus steps may have, by level: so few that a run has MAX_LENGTHS numbers of
    tokens at the most, its dense ones included."""
    dense = {look.level for look in looks if look.fine is None or look.level == 0}
    dense.update(level for look in looks if look.auto is not None for level in range(look.level))
    parts = {look.level for look in looks if look.fine is not None}
    room = (MAX_LENGTHS - len(dense)) // max(len(parts), 1)
    few = {}
    for part in parts:
        shares = sorted({s for s, look in zip(wanted, looks) if s is not None and look.level == part})
        if len(shares) > room:
            ends = (shares[0], shares[-1]) if room > 1 else (sum(shares) / len(shares),) * 2
            shares = [float(s) for s in np.linspace(*ends, room)]
        few[part] = shares
    return few


def nearest(values: Sequence[float], value: float) -> float:
    """The one of the rising `values` that is nearest to `value`, the lower of two."""
    place = bisect_left(values, value)
    around = values[max(place - 1, 0) : place + 1]
    return around[0] if value - around[0] <= around[-1] - value else around[-1]
