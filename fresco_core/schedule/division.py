"""A run's steps divided among a schedule's phases: whether its amounts fit, and how many each phase gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..canvas.noise_level import Parameterisation
from .looks import Amount, Count, Dense, Pass, Phase, Portion, Until
from .schedule import Schedule
from .sigmas import Sigmas
from .wording import ScheduleError, percent, quoted

ROUNDED = 2.0**-23  # of a sigma in float32, as samplers have it


def check_amounts(schedule: Schedule, steps: int) -> None:
    """Raises ScheduleError where counts and percentages do not add up to a run of `steps`.

    Every percentage is rounded up or down to whole steps. Phases without an amount take the rest, a step each
    at least. Runs that are too short for the schedule are not judged: they are plain.
    """
    if steps < max(schedule.least_steps, 2):
        return
    _check_counts(schedule, steps)
    if not _add_up(schedule.counted, steps):
        raise ScheduleError(_what_is_found(schedule, steps))


def _steps(amount: Amount | None) -> int:
    return amount.steps if isinstance(amount, Count) else 0


def _part(amount: Amount | None) -> float:
    return amount.part if isinstance(amount, Portion) else 0.0


def _check_counts(schedule: Schedule, steps: int) -> None:
    fixed = sum(_steps(phase.amount) for phase in schedule.counted)
    free = [phase for phase in schedule.counted if not isinstance(phase.amount, Count)]
    needed = fixed + sum(phase.least for phase in free)
    if needed > steps or (not free and fixed != steps):
        more, wanted = (" and more", f"{needed} or more") if free else ("", str(fixed))
        raise ScheduleError(
            f"{quoted(schedule)} sets {fixed} steps{more}, but the sampler has {steps}; set the sampler's "
            f"steps to {wanted}, or leave the counts out and the steps are divided"
        )


def _add_up(phases: Sequence[Phase], steps: int) -> bool:
    fixed = sum(_steps(phase.amount) for phase in phases)
    wanted = [round(_part(p.amount) * steps, 6) for p in phases if isinstance(p.amount, Portion)]
    takers = sum(1 for phase in phases if phase.amount is None)
    fewest = fixed + sum(map(math.floor, wanted)) + takers
    return fewest <= steps and (takers > 0 or steps <= fixed + sum(map(math.ceil, wanted)))


def _what_is_found(schedule: Schedule, steps: int) -> str:
    phases = schedule.counted
    fixed = sum(_steps(phase.amount) for phase in phases)
    part = sum(_part(phase.amount) for phase in phases)
    taker = next((phase for phase in phases if phase.amount is None), None)
    found = (
        f"{quoted(schedule)} asks for {fixed} steps and {percent(round(part, 6))} of the run's {steps}, "
        f"that is {fixed + part * steps:.6g}"
    )
    if taker is not None:
        return f"{found}, and leaves none for {quoted(taker)}; ask for less, or raise the sampler's steps"
    fitting = round(fixed / (1.0 - part)) if part < 1.0 else 0
    or_steps = f", or set the sampler's steps to {fitting}" if _add_up(phases, fitting) else ""
    return f"{found}; expected {steps} together: leave one amount out, and its look takes the rest{or_steps}"


def divided(schedule: Schedule, steps: int) -> list[list[int]]:
    """Steps of each phase that carries an amount, per pass; largest remainders, `least` steps each."""
    _check_counts(schedule, steps)
    phases = schedule.counted
    fixed = sum(_steps(phase.amount) for phase in phases)
    takers = sum(1 for phase in phases if phase.amount is None)
    rest = 1.0 - fixed / steps - sum(_part(phase.amount) for phase in phases)
    even = max(rest, 0.0) / takers if takers else 0.0
    amounts = [phase.amount for phase in phases]
    wanted = [_steps(a) + steps * (even if a is None else _part(a)) for a in amounts]
    least = [None if isinstance(phase.amount, Count) else phase.least for phase in phases]
    counts = [int(w) if few is None else max(few, int(w)) for w, few in zip(wanted, least)]
    _adjust(counts, wanted, least, steps)
    given = iter(counts)
    return [[next(given) for _ in p.counted] for p in schedule.passes]


def _adjust(counts: list[int], wanted: list[float], least: list[int | None], steps: int) -> None:
    """Add or take single steps, each where it is wanted most, until the counts make `steps`; those without a
    `least` are fixed."""
    free = [(i, few) for i, few in enumerate(least) if few is not None]
    while (missing := steps - sum(counts)) and free:
        step = 1 if missing > 0 else -1
        able = [i for i, few in free if counts[i] + step >= few]
        if not able:
            return
        counts[min(able, key=lambda i: step * (counts[i] - wanted[i]))] += step


def reached(share: float, until: float) -> bool:
    """Whether a sigma, as a noise share, is down at the one of an 'until'."""
    return share <= until * (1.0 + ROUNDED)


def phases_of_steps(
    p: Pass, counts: Sequence[int], sigmas: Sigmas, parameterisation: Parameterisation
) -> list[Phase]:
    """The phase of every step of a pass over `sigmas` whose phases with an amount have `counts` steps."""
    if not p.by_sigma:
        return [phase for phase, count in zip(p.phases, counts) for _ in range(count)]
    phases, index = [], 0
    for share in map(parameterisation.share, sigmas[:-1]):
        while isinstance(until := p.phases[index].amount, Until) and reached(share, until.share):
            index += 1
        phases.append(p.phases[index])
    if sigmas[-1] == 0.0 and p.phases[-1].look == Dense(0):
        phases[-1] = p.phases[-1]  # a grid of few steps may jump over the last 'until'; the last step is full
    return phases
