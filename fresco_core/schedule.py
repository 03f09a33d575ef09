"""The resolution schedule: passes over one canvas, each with the looks that its steps take at the model.

grammar.py reads it from one line of text; printing a schedule gives a line that reads back as an equal one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .contradictions import MAX_LOOKS, ScheduleError, check
from .passes import (
    AUTO_LEVEL,
    AUTO_TOLERANCE,
    FIRST_STEP,
    MAX_LEVEL,
    MIXED_LEVEL,
    Look,
    Pass,
    in_words,
    level_name,
    pass_amounts,
)

__all__ = [
    "AUTO_LEVEL",
    "AUTO_TOLERANCE",
    "FIRST_STEP",
    "MAX_LEVEL",
    "MAX_LOOKS",
    "MIXED_LEVEL",
    "Look",
    "Pass",
    "Schedule",
    "ScheduleError",
    "level_name",
    "pass_amounts",
]


@dataclass(frozen=True)
class Schedule:
    """Passes over one canvas. Raises ScheduleError when they contradict each other or themselves."""

    passes: tuple[Pass, ...] = field(default=(Pass((Look(0),)),))

    def __post_init__(self) -> None:
        check(self.passes)

    def __str__(self) -> str:
        return in_words(self.passes)

    @property
    def off(self) -> bool:
        """True where every step is full and there is one pass: the host's own sampling."""
        partly = any(look.level or look.fine for p in self.passes for look in p.looks)
        return len(self.passes) == 1 and not partly and self.passes[0].end == 0.0

    @property
    def ends_full(self) -> bool:
        """Whether the last look sees the whole canvas at full resolution, as a run that ends clean needs."""
        last = self.passes[-1].looks[-1]
        return last.level == 0 and last.fine is None

    @property
    def deepest(self) -> int:
        """The coarsest level used."""
        return max(look.level for p in self.passes for look in p.looks)

    def named(self, what: str, focus: bool = False) -> str | None:
        """The `order`, `clock` or `frame` that its mixed looks name, or its focus looks; None where none
        does."""
        looks = (look for p in self.passes for look in p.looks if look.fine and (look.level == 0) == focus)
        return next((name for name in (getattr(look, what) for look in looks) if name), None)
