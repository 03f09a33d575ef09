"""The steps of a plan: what the model sees in each, a dense level or fine and coarse blocks mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from math import ceil

import numpy as np

from ..canvas.size import Canvas
from .looks import Look, Mixed, Phase, Spectral

MAX_LENGTHS = 6  # distinct numbers of image tokens in a run: compiled models recompile for each


@dataclass(frozen=True)
class Step:
    """level: of the whole canvas, or of the coarse blocks of a mixed step, whose part `fine` (0..1) of the
    blocks is at full resolution. halvings: in time, of its frames."""

    level: float
    fine: float | None = None
    halvings: int = 0

    def tokens(self, canvas: Canvas) -> int:
        """Image tokens per sample."""
        if self.fine is None:
            return canvas.tokens(self.level, self.halvings)
        return canvas.mixed_tokens(self.level, self.fine)


FULL_STEP = Step(0)


def steps_of(passes: Sequence[Sequence[Phase]], canvas: Canvas) -> list[tuple[Step, ...]]:
    """The steps of passes that are given as a phase for each step: every mixed step with its part of fine
    blocks, the distinct ones few.

    The part of a look grows evenly from its floor at its first step to its ceiling at its last. Mixed steps
    whose part leaves no block fine, or none coarse, are dense.
    """
    looks = [[phase.look for phase in phases] for phases in passes]
    wanted = [_wanted_parts(row) for row in looks]
    few = _few_parts(list(chain(*looks)), list(chain(*wanted)))
    seen: dict[tuple[Look, float | None], Step] = {}
    planned = []
    for row, parts in zip(looks, wanted):
        keys = [(look, _nearest(few, part)) for look, part in zip(row, parts)]
        for key in keys:
            if key not in seen:
                seen[key] = _step(*key, canvas)
        planned.append(tuple(seen[key] for key in keys))
    return planned


def _wanted_parts(looks: Sequence[Look]) -> list[float | None]:
    """The part of fine blocks that each step's look asks for; None for dense looks.

    It grows evenly over the steps of a look, which follow each other.
    """
    parts: list[float | None] = []
    for look, same in groupby(looks):
        steps = sum(1 for _ in same)
        if not isinstance(look, Mixed):
            parts += [None] * steps
            continue
        places = [step / (steps - 1) for step in range(steps)] if steps > 1 else [0.5]
        parts += [look.floor + place * (look.ceiling - look.floor) for place in places]
    return parts


def _few_parts(looks: Sequence[Look], wanted: Sequence[float | None]) -> list[float]:
    """The parts that mixed steps may have, rising: so few that a run has MAX_LENGTHS numbers of tokens at the
    most, its dense ones included."""
    dense = {look.level for look in looks if not isinstance(look, Mixed)}
    dense.update(level for look in looks if isinstance(look, Spectral) for level in range(ceil(look.level)))
    room = MAX_LENGTHS - len(dense)
    parts = sorted({part for part in wanted if part is not None})
    if len(parts) > room:
        ends = (parts[0], parts[-1]) if room > 1 else (sum(parts) / len(parts),) * 2
        parts = [float(part) for part in np.linspace(*ends, room)]
    return parts


def _nearest(few: Sequence[float], part: float | None) -> float | None:
    return None if part is None else min(few, key=lambda value: abs(value - part))


def _step(look: Look, part: float | None, canvas: Canvas) -> Step:
    if part is None:
        return Step(look.level)
    rows, columns = canvas.blocks(look.level)
    fine = canvas.fine_blocks(look.level, part)
    if fine == rows * columns:
        return FULL_STEP
    return Step(look.level, part if fine else None)
