"""The shares of fine blocks of mixed steps, and of queried tokens of focus steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .schedule import Look

MAX_LENGTHS = 6  # distinct numbers of image tokens in a run: compiled models recompile for each


def wanted_share(looks: Sequence[Look], step: int) -> float | None:
    """The share of fine blocks, or of queried tokens, that a step's look asks for; None for dense looks."""
    fine = looks[step].fine
    if fine is None:
        return None
    steps = [i for i, look in enumerate(looks) if look == looks[step]]
    part = (step - steps[0]) / (len(steps) - 1) if len(steps) > 1 else 0.5
    return fine[0] + part * (fine[1] - fine[0])


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
    """The one of `values` that is nearest to `value`."""
    return min(values, key=lambda v: abs(v - value))
