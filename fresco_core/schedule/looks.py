"""Looks, phases and passes, what a schedule is made of, and their words.

A look is how the model sees the canvas: Dense at one level, Mixed of two, or Spectral, as coarse as the noise
allows. A phase is a look with the amount of steps that it lasts for; a pass is one run of the sampler.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ..canvas.levels import block
from .wording import number, percent

MAX_LEVEL = 3  # the coarsest
MIXED_LEVEL = 1  # of the coarse tokens of a mixed look


def level_name(level: float) -> str:
    """A level as schedules write it: full, 3/4, 1/2, 1/4, ..."""
    return "full" if level == 0 else "{1}/{0}".format(*block(level))


@dataclass(frozen=True)
class Dense:
    """All blocks at one level: 0 full, 1 half, 2 quarter resolution, or THREE_QUARTERS. about: fitted to what
    the model is trained for."""

    level: float
    about: bool = False

    def __str__(self) -> str:
        return "~" * self.about + level_name(self.level)


@dataclass(frozen=True)
class Mixed:
    """Some blocks at full resolution, the others at MIXED_LEVEL. floor, ceiling: the part (0..1) of the
    blocks that is fine at first and at last. order: which are fine first, a key of promotion.ORDERS, None for
    the run's own. about: as of Dense."""

    floor: float
    ceiling: float
    order: str | None = None
    about: bool = False
    level = MIXED_LEVEL

    def __str__(self) -> str:
        fine = "..".join(percent(part) for part in dict.fromkeys((self.floor, self.ceiling)))
        return "~" * self.about + " ".join(["mixed", fine] + ([self.order] if self.order else []))


SPECTRAL_LEVEL = 2
SPECTRAL_TOLERANCE = 0.01


@dataclass(frozen=True)
class Spectral:
    """As coarse as `level` at first, finer as the run's spectrum asks for (spectral.py). tolerance: power of
    predicted detail over that of noise, up to which a level hides it."""

    level: float = SPECTRAL_LEVEL
    tolerance: float = SPECTRAL_TOLERANCE
    about = False

    def __str__(self) -> str:
        words = ["spectral"] + [level_name(self.level)] * (self.level != SPECTRAL_LEVEL)
        return " ".join(words + [number(self.tolerance)] * (self.tolerance != SPECTRAL_TOLERANCE))


Look = Dense | Mixed | Spectral


@dataclass(frozen=True)
class Count:
    """An amount: so many steps."""

    steps: int

    def __str__(self) -> str:
        return f"x{self.steps}"


@dataclass(frozen=True)
class Portion:
    """An amount: a part (0..1) of the whole run's steps."""

    part: float

    def __str__(self) -> str:
        return percent(self.part)


@dataclass(frozen=True)
class Until:
    """An amount: as long as the noise share is above this."""

    share: float

    def __str__(self) -> str:
        return f"until {number(self.share)}"


Amount = Count | Portion | Until


@dataclass(frozen=True)
class Phase:
    """A look for some steps. least: so many steps at least, or the run is plain."""

    look: Look
    amount: Amount | None = None
    least: int = 1

    def __str__(self) -> str:
        amount = [] if self.amount is None else [str(self.amount)]
        return " ".join([str(self.look), *amount] + [f"min x{self.least}"] * (self.least > 1))

    def at(self, level: float) -> Phase:
        """The phase with a dense look at `level`."""
        return replace(self, look=Dense(level))


class FirstStep(Enum):
    """A start that is no noise share: where a first, shorter step of the pass (sigmas.DRAFT_THIRDS) would
    lead from pure noise with the draft for its prediction, within bounds (sigmas.LEAST_COPIED, LEAST_OWN)."""

    FIRST_STEP = "first step"


FIRST_STEP: Final = FirstStep.FIRST_STEP


FEWER_FRAMES = {1: "half", 2: "quarter"}
"""By halvings in time: how much of the frames is left, in words."""


@dataclass(frozen=True)
class Pass:
    """One run of the sampler over the canvas.

    phases: coarse to fine. Either all amounts are steps, or every phase but the last lasts until a noise
    share, and the last carries the amount of the pass. start: the noise share that the canvas is rewound to,
    None for the first pass. end: the noise share at which the pass stops, None where the next one begins; a
    later pass refines its last prediction. via_pixels: whether that crosses the bridge (bridge.py) first.
    halvings: in time, of the frames that each of its looks has. keeps_sound: whether sound that is made with
    a video stays what the pass before has made it.
    """

    phases: tuple[Phase, ...]
    start: float | FirstStep | None = None
    end: float | None = 0.0
    via_pixels: bool = False
    halvings: int = 0
    keeps_sound: bool = False

    @property
    def by_sigma(self) -> bool:
        """Whether the phases are divided by noise level; else by steps."""
        return any(isinstance(phase.amount, Until) for phase in self.phases)

    @property
    def counted(self) -> tuple[Phase, ...]:
        """The phases whose amounts divide the run's steps: the last one of a pass divided by sigma."""
        return self.phases[-1:] if self.by_sigma else self.phases

    def describe(self, alone: bool) -> str:
        """The pass in the schedule's own words; `alone` for a schedule of one pass."""
        words = [] if alone else ["draft"] if self.start is None else ["refine"]
        words += [] if self.start is None or self.start is FIRST_STEP else [number(self.start)]
        words += ["via pixels"] if self.via_pixels else []
        words += ["keep sound"] if self.keeps_sound else []
        words += [f"{FEWER_FRAMES.get(self.halvings)} frames"] if self.halvings else []
        phases = ", ".join(map(str, self.phases))
        if self.start is not None and len(self.phases) == 1 and self.phases[0].look == Dense(0):
            phases = phases.removeprefix("full").strip()
        words += [phases] if phases else []
        words += ["to refine"] if self.end is None else [f"to {number(self.end)}"] * (self.end > 0.0)
        return " ".join(words)


def in_words(passes: tuple[Pass, ...]) -> str:
    """Passes as one line of text."""
    return "; ".join(p.describe(len(passes) == 1) for p in passes)
