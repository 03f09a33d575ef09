"""Runs that are stages of a longer one, or start from a picture: what they may look at.

A stage ends above sigma 0, or jumps to 0 from far above it, to be given noise again. Its model may be made
for its range of sigmas alone (the two experts of Wan 2.2), so no look asks it about a sigma below the
stage's end. A run may begin coarse only from nearly pure noise,
and only where nothing that it starts from is hidden (spectrum.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from ..canvas.noise_level import Parameterisation, noise_halvings
from .looks import SPECTRAL_TOLERANCE, Pass, Phase, Spectral, level_name
from .plan import PlannedPass
from .schedule import Schedule
from .steps import Step

NEARLY_ALL_NOISE = 0.95
"""Of the noise share of a whole run's start: what starts lower is no run from pure noise. Below it a draft
loses much to the plain run, also from a flat or empty picture (test_low_starts)."""


NO_LAST_STEP = 0.87
"""Of the noise share: no run of four steps or more makes a picture with its last step from here, at any usual
shift; the high-noise experts of Wan 2.2 end at 0.875 and 0.9."""


def stage_end(sigmas: Sequence[float], parameterisation: Parameterisation) -> float:
    """The sigma at which a run ends as a stage; 0 for a run that ends clean."""
    early = len(sigmas) > 4 and parameterisation.share(float(sigmas[-2])) >= NO_LAST_STEP
    return float(sigmas[-2] if early and sigmas[-1] == 0.0 else sigmas[-1])


def starts_low(sigma: float, sigma_max: float, parameterisation: Parameterisation) -> bool:
    """Whether a run starts clearly below pure noise, where detail that is still to come shows already."""
    return parameterisation.share(sigma) <= NEARLY_ALL_NOISE * parameterisation.share(sigma_max)


def suits_stage(schedule: Schedule) -> bool:
    """Whether a stage can take the schedule as it is: one pass, not `spectral` that is bound to end full."""
    first = schedule.passes[0].phases[0].look
    return len(schedule.passes) == 1 and not (isinstance(first, Spectral) and schedule.ends_full)


def for_stage(schedule: Schedule) -> Schedule:
    """A rule for a run that ends above sigma 0: every step as coarse as the noise allows, from the level of
    the schedule's first look on."""
    first = schedule.passes[0].phases[0].look
    tolerance = first.tolerance if isinstance(first, Spectral) else SPECTRAL_TOLERANCE
    look = Spectral(first.level, tolerance) if first.level else first
    return Schedule((Pass((Phase(look),), halvings=schedule.halvings),))


def held(
    p: PlannedPass, coarsest: int, end: float, parameterisation: Parameterisation
) -> tuple[PlannedPass, str | None]:
    """The first pass of a run that ends at `end`, no step of it coarser than `coarsest` and none whose own
    sigma is below the end; and why any became finer."""
    looks, why = [], None
    for sigma, step in zip(p.sigmas, p.looks):
        if step.level > coarsest:
            step = Step(coarsest, halvings=step.halvings)
            why = f"no look is coarser than {level_name(coarsest)}: it would hide the given picture's detail"
        looks.append(within(sigma, step, end, parameterisation))
        if looks[-1] != step:
            why = f"no look leaves the stage, which ends at sigma {end:.4g}"
    return replace(p, looks=tuple(looks), least_sigma=end), why


def within(sigma: float, step: Step, end: float, parameterisation: Parameterisation) -> Step:
    """The step, or a finer one, whose own sigma at the canvas's `sigma` is not below `end`: with more frames
    first, then at finer levels."""
    own = parameterisation.level_sigma(sigma, noise_halvings(step.level, step.halvings))
    if own >= end * (1.0 - 1e-6) or step.level == step.halvings == 0:
        return step
    finer = Step(step.level, halvings=step.halvings - 1) if step.halvings else Step(ceil(step.level) - 1)
    return within(sigma, finer, end, parameterisation)
