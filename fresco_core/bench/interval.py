"""A mean over a few runs, and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Student's t at 97.5 %, by degrees of freedom from 1 on
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL = 1.959964


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % confidence interval, which are infinite for a single value."""

    mean: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there were enough values for an interval."""
        return math.isfinite(self.high - self.low)


def interval(values: Sequence[float]) -> Interval:
    """Of at least one value, by Student's t."""
    count = len(values)
    mean = sum(values) / count
    if count == 1:
        return Interval(mean, -math.inf, math.inf)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1))
    half = quantile(count - 1) * spread / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def quantile(freedom: int) -> float:
    """Student's t at 97.5 %; beyond the table by its expansion around the normal quantile (Fisher and
    Cornish)."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
