"""A run's steps divided among the looks of a schedule."""

from __future__ import annotations

from .schedule import Schedule, ScheduleError, pass_amounts


def divided(schedule: Schedule, steps: int) -> list[list[int]]:
    """Steps of each look that carries an amount, per pass; largest remainders, `least` steps each."""
    looks = [look for p in schedule.passes for look in pass_amounts(p)]
    fixed = sum(look.count or 0 for look in looks)
    free = [look for look in looks if look.count is None]
    needed = fixed + sum(look.least for look in free)
    if (not free and fixed != steps) or needed > steps:
        raise ScheduleError(
            f"'{schedule}' sets {fixed} steps{' and more' if free else ''}, but the sampler has "
            f"{steps}; set the "
            f"sampler's steps to {fixed if not free else f'{needed} or more'}, or leave the "
            f"counts out "
            "and the steps are divided"
        )
    open_looks = sum(1 for look in free if look.share is None)
    rest = 1.0 - fixed / steps - sum(look.share or 0.0 for look in free)
    even = max(rest, 0.0) / open_looks if open_looks else 0.0
    wanted = [
        float(look.count) if look.count is not None else steps * (even if look.share is None else look.share)
        for look in looks
    ]
    counts = [look.count or max(look.least, int(w)) for look, w in zip(looks, wanted)]
    movable = [i for i, look in enumerate(looks) if look.count is None]
    while movable and sum(counts) != steps:
        missing = 1 if sum(counts) < steps else -1
        able = [i for i in movable if counts[i] + missing >= looks[i].least]
        i = max(able, key=lambda i: missing * (wanted[i] - counts[i]))
        counts[i] += missing
    parts = iter(counts)
    return [[next(parts) for _ in pass_amounts(p)] for p in schedule.passes]
