"""EasyCache: steps are skipped while the model is expected to say the same (Zhou et al., "Less is Enough",
2025).

With v the model's output and x its input, k = |change of v| / |change of x| between the last two evaluations
tells how much v changes with x. From step to step k |change of x| / |v| is added up; while the sum stays
below a threshold the step reuses the last evaluation's v - x, added to its own x. The first tenth of the
steps and the last one are always evaluated; |.| is the mean of absolute values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .painter import Painter

WARM_SHARE = 0.1


@dataclass
class _Memory:
    """Per picture: the last input, the last evaluation's input and output, the rate k and the sum so far."""

    seen: Tensor
    x: Tensor
    v: Tensor
    rate: Tensor
    total: Tensor


def easycache(painter: Painter, sigmas: Sequence[float], threshold: float = 0.1) -> Tensor:
    """Euler with the rule on each picture by itself, as in runs of one picture."""
    steps, x = len(sigmas) - 1, painter.noise
    warm = max(1, round(WARM_SHARE * steps))
    memory: _Memory | None = None
    for step, (here, there) in enumerate(zip(sigmas, sigmas[1:], strict=False)):
        due = torch.ones(len(x), dtype=torch.bool)
        if memory is not None:
            _grow(memory, x)
            if warm <= step < steps - 1:
                due = ~(memory.total < threshold)
        v = _velocity(painter, memory, x, here, due)
        memory = _remembered(memory, x, v, due)
        x = x + (there - here) * v
    return x


def _grow(memory: _Memory, x: Tensor) -> None:
    """Add what this step is expected to change; a rate that is not known yet makes the sum infinite."""
    memory.total = memory.total + memory.rate * _size(x - memory.seen) / _size(memory.v)
    memory.seen = x


def _velocity(painter: Painter, memory: _Memory | None, x: Tensor, sigma: float, due: Tensor) -> Tensor:
    if memory is None:
        return (x - painter.clean(x, sigma)) / sigma
    v = x + (memory.v - memory.x)
    rows = due.nonzero()[:, 0]
    if len(rows):
        v[rows] = (x[rows] - painter.clean(x[rows], sigma, rows)) / sigma
    return v


def _remembered(memory: _Memory | None, x: Tensor, v: Tensor, due: Tensor) -> _Memory:
    if memory is None:
        unknown = torch.full((len(x),), torch.inf)
        return _Memory(x, x, v, unknown, torch.zeros(len(x)))
    rate = _size(v - memory.v) / _size(x - memory.x)
    wide = due[:, None, None, None]
    return _Memory(
        x,
        torch.where(wide, x, memory.x),
        torch.where(wide, v, memory.v),
        torch.where(due, rate, memory.rate),
        torch.where(due, 0.0, memory.total),
    )


def _size(x: Tensor) -> Tensor:
    return x.abs().flatten(1).mean(dim=1)
