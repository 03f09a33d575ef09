"""Schedules fitted to a canvas: what `~` means.

A look marked `~` becomes finer where its level would be smaller than the model is trained for, and the looks
behind it with it; it becomes coarser where its level would be larger than that, as a composition is best
drawn at a size that the model knows. `spectral` counts as marked, but never begins coarser than it says, and
mixed looks keep to the level of their coarse tokens. A marked look that begins a draft is left out where the
run has too few steps for it.
"""

from __future__ import annotations

from dataclasses import replace

from ..canvas.levels import LEVELS
from ..canvas.size import Canvas
from .looks import Amount, Count, Dense, Look, Mixed, Pass, Phase, Portion, Spectral, Until
from .schedule import Schedule

COARSEST = 2  # that a `~` look becomes by itself


def fitted(schedule: Schedule, canvas: Canvas) -> Schedule:
    """The schedule without `~`: every look at a level that the canvas suits. Looks that come to have one
    level become one. Models of unknown classes have all looks fitted."""
    return Schedule(tuple(_fitted_pass(p, canvas) for p in schedule.passes))


def shortened(schedule: Schedule, steps: int) -> Schedule:
    """The schedule without those of its first looks marked `~` that a run of so few steps has no room for;
    the look behind takes their part."""
    first, *later = schedule.passes
    while len(first.phases) > 1 and first.phases[0].look.about and steps < schedule.least_steps:
        dropped, then, *rest = first.phases
        if not (first.by_sigma or isinstance(then.amount, Count)):
            then = replace(then, amount=_together(dropped.amount, then.amount))
        first = replace(first, phases=(then, *rest))
        schedule = Schedule((first, *later))
    return schedule


def _fitted_pass(p: Pass, canvas: Canvas) -> Pass:
    phases: list[Phase] = []
    full = False  # a look has become so: those behind it do
    for phase in p.phases:
        look = phase.look
        if look.about or isinstance(look, Spectral) or (canvas.unknown and look.level):
            coarser = isinstance(look, Dense) and look.about
            look = _at(look, _suited(look, canvas, coarser))
            full = full or look.level == 0
        if full:
            look = Dense(0)
        if phases and phases[-1].look.level < look.level:
            look = _at(look, phases[-1].look.level)
        phase = replace(phase, look=look)
        if phases and phases[-1].look == look:
            phase = _joined(phases.pop(), phase)
        phases.append(phase)
    return replace(p, phases=tuple(phases))


def _at(look: Look, level: float) -> Look:
    """The look without its mark and at another level; what is full is Dense."""
    if level and isinstance(look, Mixed):
        return replace(look, about=False)
    if level and isinstance(look, Spectral):
        return replace(look, level=level)
    return Dense(level)


def _suited(look: Look, canvas: Canvas, coarser: bool) -> float:
    level = look.level
    while level > 0 and not canvas.suits(level):
        level = 0 if isinstance(look, Mixed) else max(known for known in LEVELS if known < level)
    most = canvas.trained[1] or float("inf")
    while coarser and 1 <= level < COARSEST and canvas.pixels(level) > most and canvas.suits(level + 1):
        level += 1
    return level


def _joined(first: Phase, then: Phase) -> Phase:
    """Two phases of one look as one, with the steps of both."""
    if isinstance(first.amount, Until):
        return then  # divided by sigma: it goes on to where the second ends
    amount = _together(first.amount, then.amount)
    return replace(then, amount=amount, least=1 if isinstance(amount, Count) else first.least + then.least)


def _together(a: Amount | None, b: Amount | None) -> Amount | None:
    """The amount of two phases' steps together; None, whatever is left, where it is not known."""
    if isinstance(a, Count) and isinstance(b, Count):
        return Count(a.steps + b.steps)
    if isinstance(a, Portion) and isinstance(b, Portion):
        return Portion(round(a.part + b.part, 12))  # 30%, not 30.000000000000004%
    return None
