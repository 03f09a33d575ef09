"""What passes must not be, alone and together, to make a schedule."""

from __future__ import annotations

from collections.abc import Sequence

from .passes import FIRST_STEP, MAX_LEVEL, MIXED_LEVEL, Look, Pass, in_words, pass_amounts
from .wording import MAX_LENGTH, brief, brief_percent, quoted, quoted_word

SMALLEST = 1e-6  # of sigmas and shares, if not 0: below it float32 grids cannot tell steps apart
TOLERANCES = (1e-12, 1e12)
MAX_COUNT = 1_000_000
MAX_LOOKS = 64  # of all passes


class ScheduleError(ValueError):
    """A schedule that cannot be read, contradicts itself or does not fit the run; says what to do."""


def check(passes: Sequence[Pass]) -> None:
    """Raises ScheduleError where passes make no schedule, naming the first thing that is wrong."""
    if not passes:
        raise ScheduleError("a schedule needs at least one pass")
    looks = sum(len(p.looks) for p in passes)
    if looks > MAX_LOOKS:
        raise ScheduleError(f"the schedule has {looks} looks; expected {MAX_LOOKS} at the most")
    for index, p in enumerate(passes):
        for problem in (_of_looks(p), _of_order(p), _of_ends(p, index), _of_sigmas(p)):
            if problem is not None:
                raise ScheduleError(f"pass {index + 1} ({quoted(p.describe(len(passes) == 1))}): {problem}")
    text = in_words(tuple(passes))
    for problem in (_of_rewinds(passes), _of_last_end(passes), _of_names(passes), _of_shares(passes)):
        if problem is not None:
            raise ScheduleError(f"{quoted(text)}: {problem}")
    if len(text) > MAX_LENGTH:
        raise ScheduleError(
            f"{quoted(text)} has {len(text)} characters in its own words; expected {MAX_LENGTH} at the most, "
            "with fewer passes, looks or decimals"
        )


def _of_looks(p: Pass) -> str | None:
    if not p.looks:
        return "it has no look"
    return next((problem for problem in map(_of_look, p.looks) if problem is not None), None)


def _of_look(look: Look) -> str | None:
    if not 0 <= look.level <= MAX_LEVEL:
        return f"level {look.level} is outside 0..{MAX_LEVEL}"
    if look.count is not None and look.count < 1:
        return f"a look of {look.count} steps; expected at least one, or leave the look out"
    if max(look.count or 0, look.least) > MAX_COUNT:
        return f"a look of more than {MAX_COUNT} steps; expected as many as the sampler has"
    if look.share is not None and not SMALLEST <= look.share <= 1.0:
        return f"a share of {brief_percent(look.share)}; expected above 0% (from 0.0001% on) and up to 100%"
    if look.until is not None and not SMALLEST <= look.until < 1.0:
        return f"sigma {brief(look.until)} after 'until'; expected between 0 and 1, from 0.000001 on"
    if look.count is not None and look.share is not None:
        return f"a look of {look.count} steps and {brief_percent(look.share)}; expected one of them"
    if look.auto is not None and look.level == 0 or look.about and look.level == 0:
        return f"'~' and 'auto' go with a coarse level such as '1/2'; found {quoted(look)}"
    low, high = TOLERANCES
    if look.auto is not None and not low <= look.auto <= high:
        return (
            f"'auto' with a tolerance of {brief(look.auto)}; expected a tolerance above 0, from {brief(low)} "
            f"to {brief(high)}"
        )
    return _of_parts(look)


def _of_parts(look: Look) -> str | None:
    if look.fine is None:
        named = look.order or look.clock or look.frame
        return f"{quoted(look)} names {quoted_word(named)}, which belongs to a mixed look" if named else None
    if look.level == 0 and (look.clock or look.frame):
        return f"{quoted(look)} names {quoted_word(look.clock or look.frame)}; focus looks name an order only"
    if look.auto is not None:
        return f"{quoted(look)} is mixed and 'auto'; expected one of them"
    if look.level not in (0, MIXED_LEVEL):
        return f"mixed with level {look.level}; expected {MIXED_LEVEL}"
    floor, ceiling = look.fine
    if not 0.0 <= floor <= ceiling <= 1.0 or floor == 1.0 or ceiling < SMALLEST or 0.0 < floor < SMALLEST:
        return (
            f"{'mixed' if look.level else 'focus'} from {brief_percent(floor)} to {brief_percent(ceiling)}; "
            "expected rising shares between 0% and 100%; for none of the blocks fine write '1/2', for all of "
            "them 'full'"
        )
    return None


def _of_order(p: Pass) -> str | None:
    for look in p.looks:
        if look.auto is not None and (look is not p.looks[0] or look.about):
            return "'auto' is the first look of its pass, without '~'"
        if look.least < 1 or (look.least > 1 and (look.count is not None or p.by_sigma)):
            return (
                f"'min x{look.least}' belongs to a share of the steps, from x1 on, not to a count or to a "
                "pass divided by 'until'"
            )
    depths = [look.depth for look in p.looks]
    twice = len({(look.level, look.fine) for look in p.looks}) < len(p.looks)
    if twice or any(b[0] > a[1] or b[1] > a[1] for a, b in zip(depths, depths[1:])):
        return "looks must go from coarse to fine within a pass, each once"
    return None


def _of_ends(p: Pass, index: int) -> str | None:
    if (p.start is None) != (index == 0):
        if index == 0:
            return "the first pass starts where the sampler starts, not at a sigma"
        return "a later pass needs the sigma it starts from"
    start = None if p.start is FIRST_STEP else p.start
    if start is not None and not SMALLEST <= start <= 1.0:
        return f"it starts at sigma {brief(start)}; expected between 0 and 1, from 0.000001 on"
    falls = start is None or p.end < start
    if not (p.end == 0.0 or SMALLEST <= p.end < 1.0) or not falls:
        return f"it ends at sigma {brief(p.end)}; expected from 0 up to below its start"
    return None


def _of_sigmas(p: Pass) -> str | None:
    if not p.by_sigma:
        return None
    untils = [look.until for look in p.looks[:-1] if look.until is not None]
    if p.looks[-1].until is not None or len(untils) < len(p.looks) - 1:
        return "with 'until', every look but the last needs one, and the last has none"
    rise = next(((a, b) for a, b in zip(untils, untils[1:]) if b >= a), None)
    if rise is not None:
        return f"sigmas out of order, {brief(rise[0])}, {brief(rise[1])}; expected falling"
    if any(look.count is not None or look.share is not None for look in p.looks[:-1]):
        return (
            "divided by 'until', so only the last look may carry a count or share (that of the whole pass)"
        )
    return None


def _of_rewinds(passes: Sequence[Pass]) -> str | None:
    starts = [p.start for p in passes if p.start is not None and p.start is not FIRST_STEP]
    rise = next(((a, b) for a, b in zip(starts, starts[1:]) if b >= a), None)
    if rise is None:
        return None
    return (
        f"the rewinds are {brief(rise[0])}, then {brief(rise[1])}; expected each below the one before it, "
        "or a later pass would undo an earlier one"
    )


def _of_last_end(passes: Sequence[Pass]) -> str | None:
    if not passes[-1].end:
        return None
    return (
        f"the last pass stops at sigma {brief(passes[-1].end)}; only passes before the last may stop early "
        "(set the sampler's end step to keep noise)"
    )


def _of_names(passes: Sequence[Pass]) -> str | None:
    for what in ("order", "clock", "frame"):
        looks = [look for p in passes for look in p.looks if getattr(look, what)]
        names = {(look.level, getattr(look, what)) for look in looks}
        if len(names) > len({look.level for look in looks}):
            found = " and ".join(sorted({name for _, name in names}))
            return f"it names the {what}s {found}; a run has one: name it in one look"
    return None


def _of_shares(passes: Sequence[Pass]) -> str | None:
    amounts = [a for p in passes for a in pass_amounts(p)]
    shares = [look.share for look in amounts if look.share is not None]
    total, all_shared = sum(shares), len(shares) == len(amounts)
    if total > 1.0 + 1e-6 or (all_shared and total < 1.0 - 1e-6):
        return f"its shares add up to {total * 100:.4g}%; expected 100%"
    if shares and not all_shared and total > 1.0 - 1e-6:
        left = next(look for look in amounts if look.share is None)
        return (
            f"its shares add up to {total * 100:.4g}% and leave no step for {quoted(left)}; expected less, "
            "or a share for every look"
        )
    return None
