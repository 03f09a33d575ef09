"""Looks and passes, what a schedule is made of, and their words.

An Enum stands for what is no number, so that every number of a schedule means itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from .wording import number, percent

MAX_LEVEL = 3
MIXED_LEVEL = 1  # of the coarse tokens of a mixed look

AUTO_LEVEL = 2  # the coarsest that `auto` begins with unless it names another
AUTO_TOLERANCE = 0.01  # of `auto`: power of predicted detail over that of noise, up to which it hides


class FirstStep(Enum):
    """A start that is no noise share: where a first, shorter step of the pass would lead."""

    FIRST_STEP = "first step"


FIRST_STEP: Final = FirstStep.FIRST_STEP


def level_name(level: int) -> str:
    """A level as schedules write it: full, 1/2, 1/4, ..."""
    return "full" if level == 0 else f"1/{1 << level}"


class ScheduleError(ValueError):
    """A schedule that cannot be read, contradicts itself or does not fit the run; says what to do."""


@dataclass(frozen=True)
class Look:
    """How the model sees the canvas for some steps of a pass.

    level: 0 full, 1 half, 2 quarter resolution. fine: for a mixed look, floor and ceiling of the share (0..1)
    of its blocks that are seen at full resolution, while the others are seen at `level`; with level 0, for a
    focus look, of the share of its tokens that are queried. until: the look lasts while the noise share is
    above this. count or share: its number of steps, or its share (0..1) of the steps of the whole run. At
    most one of the three divides a pass, except that the last look of a pass divided by `until` carries the
    amount of the pass. least: it has at least that many steps, or the run is plain. about: fitted to what the
    model is trained for. auto: the tolerance of a look that is as coarse as `level` at first and becomes
    finer as the run's spectrum asks for. order, of a mixed or focus look: which blocks are fine, or tokens
    queried, first; clock and frame, of a mixed one: those of its coarse tokens; None for the run's own.
    """

    level: int
    until: float | None = None
    count: int | None = None
    share: float | None = None
    fine: tuple[float, float] | None = None
    least: int = 1
    about: bool = False
    auto: float | None = None
    order: str | None = None
    clock: str | None = None
    frame: str | None = None

    @property
    def depth(self) -> tuple[float, float]:
        """How coarse the look is where it begins and where it ends: its level, less the share that is
        fine; of `auto`, nothing."""
        if self.auto is not None:
            return self.level, 0
        floor, ceiling = (self.fine if self.level else None) or (0.0, 0.0)
        return self.level - floor, self.level - ceiling

    def __str__(self) -> str:
        words = [level_name(self.level)]
        if self.fine is not None:
            word = "mixed" if self.level else "focus"
            words = [word, "..".join(percent(part) for part in dict.fromkeys(self.fine))]
            words += [name for name in (self.order, self.clock, self.frame) if name]
        if self.auto is not None:
            words = ["auto"] + words * (self.level != AUTO_LEVEL)
            words += [number(self.auto)] * (self.auto != AUTO_TOLERANCE)
        if self.until is not None:
            words.append(f"until {number(self.until)}")
        words += _amount(self.count, self.share) + [f"min x{self.least}"] * (self.least > 1)
        return "~" * self.about + " ".join(words)


def _amount(count: int | None, share: float | None) -> list[str]:
    if count is not None:
        return [f"x{count}"]
    return [] if share is None else [percent(share)]


@dataclass(frozen=True)
class Pass:
    """One run of the sampler over the canvas.

    looks: coarse to fine. start: the noise share that the canvas is rewound to, None for the first pass;
    FIRST_STEP goes to where a step of the pass, shorter than the others (grid.DRAFT_THIRDS), would lead from
    pure noise with the draft for its prediction. end: the noise share at which the pass stops; a later pass
    refines its last prediction.
    """

    looks: tuple[Look, ...]
    start: float | FirstStep | None = None
    end: float = 0.0

    @property
    def by_sigma(self) -> bool:
        """Whether the looks are divided by noise level; else by steps."""
        return any(look.until is not None for look in self.looks)

    def describe(self, alone: bool) -> str:
        """The pass in the schedule's own words; `alone` for a schedule of one pass."""
        words = [] if alone else ["draft"] if self.start is None else ["refine"]
        words += [] if self.start is None or self.start is FIRST_STEP else [number(self.start)]
        looks = ", ".join(map(str, self.looks))
        if self.start is not None and len(self.looks) == 1 and self.looks[0].level == 0:
            looks = looks.removeprefix("full").strip()
        words += [looks] if looks else []
        return " ".join(words + ([f"to {number(self.end)}"] if self.end else []))


def in_words(passes: tuple[Pass, ...]) -> str:
    """Passes as one line of text."""
    return "; ".join(p.describe(len(passes) == 1) for p in passes)


def pass_amounts(p: Pass) -> tuple[Look, ...]:
    """The looks that divide the run's steps: one for a pass divided by sigma, else every look."""
    return (p.looks[-1],) if p.by_sigma else p.looks
