"""Schedules fitted to a canvas: what `~` means.

A look marked `~` becomes finer where its level would be smaller than the model is trained for, and the looks
behind it with it; it becomes coarser where its level would be larger than that, as a composition is best
drawn at a size that the model knows. `auto` counts as marked, but never begins coarser than it says, and
mixed looks keep to the level of their coarse tokens. A marked look that begins a draft is left out where the
run has too few steps for it.
"""

from __future__ import annotations

from dataclasses import replace

from .canvas import Canvas
from .schedule import Look, Pass, Schedule, pass_amounts

COARSEST = 2  # that a `~` look becomes by itself


def fitted(schedule: Schedule, canvas: Canvas) -> Schedule:
    """The schedule without `~`: every look at a level that the canvas suits. Looks that come to have one
    level become one. Models of unknown classes have all looks fitted."""
    return Schedule(tuple(_fitted_pass(p, canvas) for p in schedule.passes))


def shortened(schedule: Schedule, steps: int) -> Schedule:
    """The schedule without those of its first looks marked `~` that a run of so few steps has no room for;
    the look behind takes their share."""
    first, *later = schedule.passes
    while len(first.looks) > 1 and first.looks[0].about and steps < least_steps(schedule):
        dropped, then, *rest = first.looks
        first = replace(first, looks=(replace(then, share=_sum(dropped.share, then.share)), *rest))
        schedule = Schedule((first, *later))
    return schedule


def least_steps(schedule: Schedule) -> int:
    """Steps that a run has at least, or it is plain."""
    return sum(look.least for p in schedule.passes for look in pass_amounts(p))


def _fitted_pass(p: Pass, canvas: Canvas) -> Pass:
    looks: list[Look] = []
    full = False  # a look has become so: those behind it do, focus looks as well
    for look in p.looks:
        if look.about or look.auto is not None or (canvas.unknown and look.level):
            coarser = look.about and look.fine is None
            look = _at(look, _suited(look.level, canvas, coarser))
            full = full or look.level == 0
        if full:
            look = _at(look, 0)
        if looks and looks[-1].level < look.level:
            look = _at(look, looks[-1].level)
        if looks and (looks[-1].level, looks[-1].fine, looks[-1].auto) == (look.level, look.fine, None):
            look = _joined(looks.pop(), look)
        looks.append(look)
    return replace(p, looks=tuple(looks))


def _at(look: Look, level: int) -> Look:
    """The look without its mark and at another level; what is full is neither mixed, focus nor `auto`."""
    if level == 0:
        look = replace(look, fine=None, order=None, clock=None, frame=None, auto=None)
    return replace(look, level=level, about=False)


def _suited(level: int, canvas: Canvas, coarser: bool) -> int:
    while level > 0 and not canvas.suits(level):
        level -= 1
    most = canvas.trained[1]
    while coarser and most is not None and 0 < level < COARSEST and canvas.pixels(level) > most:
        if not canvas.suits(level + 1):
            break
        level += 1
    return level


def _joined(first: Look, then: Look) -> Look:
    """Two looks of one level as one, with the steps of both."""
    if first.until is not None:
        return then  # divided by sigma: it goes on to where the second ends
    if first.count is not None and then.count is not None:
        return replace(then, count=first.count + then.count)
    share = _sum(first.share, then.share)
    return replace(then, count=None, share=share, least=first.least + then.least)


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else round(a + b, 12)  # 30%, not 30.000000000000004%
