"""A run's steps divided among a schedule's looks: whether its amounts fit, and how many each look gets."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from .clock import Parameterisation
from .fitting import least_steps
from .schedule import Look, Pass, Schedule, ScheduleError, pass_amounts
from .wording import percent, quoted


def check_amounts(schedule: Schedule, steps: int) -> None:
    """Raises ScheduleError where counts and shares do not add up to a run of `steps`.

    Every share is rounded up or down to whole steps. Looks without an amount take the rest, a step each at
    least. Runs that are too short for the schedule are not judged: they are plain.
    """
    if steps < max(least_steps(schedule), 2):
        return
    _check_counts(schedule, steps)
    if not _add_up(_amounts(schedule), steps):
        raise ScheduleError(_what_is_found(schedule, steps))


def _amounts(schedule: Schedule) -> list[Look]:
    return [look for p in schedule.passes for look in pass_amounts(p)]


def _check_counts(schedule: Schedule, steps: int) -> None:
    looks = _amounts(schedule)
    fixed = sum(look.count or 0 for look in looks)
    free = [look for look in looks if look.count is None]
    needed = fixed + sum(look.least for look in free)
    if needed > steps or (not free and fixed != steps):
        more, wanted = (" and more", f"{needed} or more") if free else ("", str(fixed))
        raise ScheduleError(
            f"{quoted(schedule)} sets {fixed} steps{more}, but the sampler has {steps}; set the sampler's "
            f"steps to {wanted}, or leave the counts out and the steps are divided"
        )


def _add_up(looks: list[Look], steps: int) -> bool:
    fixed = sum(look.count or 0 for look in looks)
    shared = [round(look.share * steps, 6) for look in looks if look.share is not None]
    takers = sum(1 for look in looks if look.count is None and look.share is None)
    fewest = fixed + sum(map(math.floor, shared)) + takers
    return fewest <= steps and (takers > 0 or steps <= fixed + sum(map(math.ceil, shared)))


def _what_is_found(schedule: Schedule, steps: int) -> str:
    looks = _amounts(schedule)
    fixed = sum(look.count or 0 for look in looks)
    share = sum(look.share or 0.0 for look in looks)
    taker = next((look for look in looks if look.count is None and look.share is None), None)
    found = (
        f"{quoted(schedule)} asks for {fixed} steps and {percent(round(share, 6))} of the run's {steps}, "
        f"that is {fixed + share * steps:.6g}"
    )
    if taker is not None:
        return f"{found}, and leaves none for {quoted(taker)}; ask for less, or raise the sampler's steps"
    fitting = round(fixed / (1.0 - share)) if share < 1.0 else 0
    or_steps = f", or set the sampler's steps to {fitting}" if _add_up(looks, fitting) else ""
    return (
        f"{found}; expected {steps} together: leave one amount out, and its look takes the rest{or_steps}"
    )


def divided(schedule: Schedule, steps: int) -> list[list[int]]:
    """Steps of each look that carries an amount, per pass; largest remainders, `least` steps each."""
    _check_counts(schedule, steps)
    looks = _amounts(schedule)
    fixed = sum(look.count or 0 for look in looks)
    takers = sum(1 for look in looks if look.count is None and look.share is None)
    rest = 1.0 - fixed / steps - sum(look.share or 0.0 for look in looks)
    even = max(rest, 0.0) / takers if takers else 0.0
    wanted = [
        float(look.count) if look.count is not None else steps * (even if look.share is None else look.share)
        for look in looks
    ]
    counts = [look.count or max(look.least, int(w)) for look, w in zip(looks, wanted)]
    _adjust(counts, wanted, [None if look.count is not None else look.least for look in looks], steps)
    parts = iter(counts)
    return [[next(parts) for _ in pass_amounts(p)] for p in schedule.passes]


def _adjust(counts: list[int], wanted: list[float], least: list[int | None], steps: int) -> None:
    """Add or take single steps, each where it is wanted most, until the counts make `steps`; those without a
    `least` are fixed."""
    missing = steps - sum(counts)
    step = 1 if missing > 0 else -1
    heap = [
        (step * (counts[i] - wanted[i]), i)
        for i, few in enumerate(least)
        if few is not None and counts[i] + step >= few
    ]
    heapq.heapify(heap)
    for _ in range(abs(missing)):
        if not heap:
            return
        _, i = heapq.heappop(heap)
        counts[i] += step
        if counts[i] + step >= (least[i] or 0):
            heapq.heappush(heap, (step * (counts[i] - wanted[i]), i))


def looks_of_steps(
    p: Pass, parts: Sequence[int], sigmas: Sequence[float], parameterisation: Parameterisation
) -> list[Look]:
    """The look of every step of a pass over `sigmas` whose looks with an amount have `parts` steps."""
    if not p.by_sigma:
        return [look for look, count in zip(p.looks, parts) for _ in range(count)]
    looks, index = [], 0
    for sigma in sigmas[:-1]:
        share = parameterisation.share(sigma)
        while (until := p.looks[index].until) is not None and share <= until:
            index += 1
        looks.append(p.looks[index])
    if sigmas[-1] == 0.0 and p.looks[-1].level == 0:
        looks[-1] = p.looks[-1]  # a grid of few steps may jump over the last 'until'; the last step is full
    return looks
