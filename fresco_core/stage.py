"""Runs that are stages of a longer one, or start from a picture: what they may look at.

A stage ends above sigma 0. Its model may be made for its range of sigmas alone (the two experts of Wan 2.2),
so no look asks it about a sigma below the stage's end. A run may begin coarse only from nearly pure noise,
and only where nothing that it starts from is hidden (spectrum.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .clock import Parameterisation
from .schedule import AUTO_TOLERANCE, Look, Pass, Schedule, level_name

if TYPE_CHECKING:
    from .plan import Plan


NEARLY_ALL_NOISE = 0.95
"""Of the noise share of a whole run's start: what starts lower is no run from pure noise. Below it a draft
loses much to the plain run, also from a flat or empty picture (test_low_starts)."""


def starts_low(sigma: float, sigma_max: float, parameterisation: Parameterisation) -> bool:
    """Whether a run starts clearly below pure noise, where detail that is still to come shows already."""
    return parameterisation.share(sigma) <= NEARLY_ALL_NOISE * parameterisation.share(sigma_max)


def counted(schedule: Schedule) -> bool:
    """Whether any look has a number of steps of its own, so that the schedule is no rule for other runs."""
    return any(look.count is not None for p in schedule.passes for look in p.looks)


def suits_stage(schedule: Schedule) -> bool:
    """Whether a stage can take the schedule as it is: one pass, not `auto` that is bound to end full."""
    return len(schedule.passes) == 1 and not (schedule.passes[0].looks[0].auto and schedule.ends_full)


def for_stage(schedule: Schedule) -> Schedule:
    """A rule for a run that ends above sigma 0: every step as coarse as the noise allows, from the level of
    the schedule's first look on."""
    first = schedule.passes[0].looks[0]
    return Schedule((Pass((Look(first.level, auto=first.auto or AUTO_TOLERANCE),)),))


def held_levels(
    sigmas: Sequence[float],
    levels: Sequence[int],
    coarsest: int,
    end: float,
    parameterisation: Parameterisation,
) -> tuple[list[int], str | None]:
    """The levels of the steps that begin at `sigmas`, none coarser than `coarsest` and none whose own sigma
    is below `end`; and why any became finer."""
    out, why = [], None
    for sigma, level in zip(sigmas, levels):
        held = min(level, coarsest)
        if held < level:
            why = f"no look is coarser than {level_name(coarsest)}: it would hide the given picture's detail"
        within = level_within(sigma, held, end, parameterisation)
        if within < held:
            why = f"no look leaves the stage, which ends at sigma {end:.4g}"
        out.append(within)
    return out, why


def goes_on_mixed(plan: Plan, index: int) -> bool:
    """Whether a pass comes behind one that ends mixed: what its own mixed looks see coarse, that has too, as
    blocks stay fine once they are."""
    return index > 0 and plan.passes[index - 1].mix_at(-1) is not None


def level_within(sigma: float, level: int, end: float, parameterisation: Parameterisation) -> int:
    """The coarsest level, `level` at the most, whose own sigma at the canvas's `sigma` is not below `end`."""
    while level and parameterisation.level_sigma(sigma, level) < end * (1.0 - 1e-6):
        level -= 1
    return level
