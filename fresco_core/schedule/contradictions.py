"""What passes must not be, alone and together, to make a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..canvas.levels import LEVELS
from .looks import (
    FEWER_FRAMES,
    FIRST_STEP,
    Amount,
    Count,
    Look,
    Mixed,
    Pass,
    Phase,
    Portion,
    Spectral,
    Until,
    in_words,
    level_name,
)
from .wording import MAX_LENGTH, ScheduleError, brief, brief_percent, quoted

SMALLEST = 1e-6  # of sigmas and parts, if not 0: below it float32 grids cannot tell steps apart
TOLERANCES = (1e-12, 1e12)
MAX_COUNT = 1_000_000
MAX_LOOKS = 64  # of all passes


def check(passes: Sequence[Pass]) -> None:
    """Raises ScheduleError where passes make no schedule, naming the first thing that is wrong."""
    if not passes:
        raise ScheduleError("a schedule needs at least one pass")
    looks = sum(len(p.phases) for p in passes)
    if looks > MAX_LOOKS:
        raise ScheduleError(f"the schedule has {looks} looks; expected {MAX_LOOKS} at the most")
    for index, p in enumerate(passes):
        for problem in _of_pass(p, index):
            raise ScheduleError(f"pass {index + 1} ({quoted(p.describe(len(passes) == 1))}): {problem}")
    text = in_words(tuple(passes))
    for problem in _of_all(passes):
        raise ScheduleError(f"{quoted(text)}: {problem}")
    if len(text) > MAX_LENGTH:
        raise ScheduleError(
            f"{quoted(text)} has {len(text)} characters in its own words; expected {MAX_LENGTH} at the most, "
            "with fewer passes, looks or decimals"
        )


def _of_pass(p: Pass, index: int) -> Iterator[str]:
    """What is wrong with a pass by itself; each check may rely on those before it."""
    if not p.phases:
        yield "it has no look"
    for phase in p.phases:
        yield from _of_look(phase)
        yield from _of_amount(phase.amount)
        yield from _of_least(phase, p)
    if any(isinstance(phase.look, Spectral) for phase in p.phases[1:]):
        yield "'spectral' is the first look of its pass, without '~'"
    depths = [_depth(phase.look) for phase in p.phases]
    if len(set(depths)) < len(depths) or any(b[0] > a[1] or b[1] > a[1] for a, b in zip(depths, depths[1:])):
        yield "looks must go from coarse to fine within a pass, each once"
    yield from _of_frames(p, index)
    yield from _of_ends(p, index)
    if p.by_sigma:
        yield from _of_sigmas(p)


def _depth(look: Look) -> tuple[float, float]:
    """How coarse a look is where it begins and where it ends: its level, less the part that is fine; where
    `spectral` ends, the run decides."""
    if isinstance(look, Mixed):
        return look.level - look.floor, look.level - look.ceiling
    return look.level, 0 if isinstance(look, Spectral) else look.level


def _of_look(phase: Phase) -> Iterator[str]:
    look = phase.look
    if look.level not in LEVELS:
        yield f"level {look.level} is none of {', '.join(map(level_name, LEVELS))}"
    if look.level == 0 and (isinstance(look, Spectral) or look.about):
        yield f"'~' and 'spectral' go with a coarse level such as '1/2'; found {quoted(look)}"
    low, high = TOLERANCES
    if isinstance(look, Spectral) and not low <= look.tolerance <= high:
        yield (
            f"'spectral' with a tolerance of {brief(look.tolerance)}; expected a tolerance above 0, from "
            f"{brief(low)} to {brief(high)}"
        )
    if isinstance(look, Mixed):
        floor, ceiling = look.floor, look.ceiling
        ends = 0.0 <= floor <= ceiling <= 1.0 and floor != 1.0
        if not ends or ceiling < SMALLEST or 0.0 < floor < SMALLEST:
            yield (
                f"mixed from {brief_percent(floor)} to {brief_percent(ceiling)}; expected rising percentages "
                "between 0% and 100%; for none of the blocks fine write '1/2', for all of them 'full'"
            )


def _of_amount(amount: Amount | None) -> Iterator[str]:
    match amount:
        case Count(steps) if steps < 1:
            yield f"a look of {steps} steps; expected at least one, or leave the look out"
        case Portion(part) if not SMALLEST <= part <= 1.0:
            yield f"{brief_percent(part)} of the steps; expected above 0% (from 0.0001% on) and up to 100%"
        case Until(share) if not SMALLEST <= share < 1.0:
            yield f"sigma {brief(share)} after 'until'; expected between 0 and 1, from 0.000001 on"


def _of_least(phase: Phase, p: Pass) -> Iterator[str]:
    if max(phase.least, phase.amount.steps if isinstance(phase.amount, Count) else 0) > MAX_COUNT:
        yield f"a look of more than {MAX_COUNT} steps; expected as many as the sampler has"
    if phase.least < 1 or (phase.least > 1 and (isinstance(phase.amount, Count) or p.by_sigma)):
        yield (
            f"'min x{phase.least}' belongs to a percentage of the steps, from x1 on, not to a count or to a "
            "pass divided by 'until'"
        )


def _of_frames(p: Pass, index: int) -> Iterator[str]:
    mixed = any(isinstance(phase.look, Mixed) for phase in p.phases)
    if p.halvings and (p.halvings not in FEWER_FRAMES or index or mixed):
        yield "fewer frames, 'half' or 'quarter', are for a first pass without mixed looks; leave them out"


def _of_ends(p: Pass, index: int) -> Iterator[str]:
    if (p.start is None) != (index == 0):
        first = "the first pass starts where the sampler starts, not at a sigma"
        yield first if index == 0 else "a later pass needs the sigma it starts from"
    if (p.via_pixels or p.keeps_sound) and index == 0:
        yield "the first pass begins with noise, which has no picture to carry over pixels, nor sound to keep"
    start = None if p.start is FIRST_STEP else p.start
    if start is not None and not SMALLEST <= start <= 1.0:
        yield f"it starts at sigma {brief(start)}; expected between 0 and 1, from 0.000001 on"
    if p.end and not SMALLEST <= p.end < min(start or 1.0, 1.0):
        yield f"it ends at sigma {brief(p.end)}; expected from 0 up to below its start"


def _of_sigmas(p: Pass) -> Iterator[str]:
    *amounts, last = [phase.amount for phase in p.phases]
    untils = [amount.share for amount in amounts if isinstance(amount, Until)]
    if isinstance(last, Until) or len(untils) < len(amounts):
        yield (
            "with 'until', every look but the last needs one, and the last has none: only it may carry a "
            "count or percentage (that of the whole pass)"
        )
    for a, b in zip(untils, untils[1:]):
        if b >= a:
            yield f"sigmas out of order, {brief(a)}, {brief(b)}; expected falling"


def _of_all(passes: Sequence[Pass]) -> Iterator[str]:
    """What is wrong with passes together."""
    starts = [p.start for p in passes if p.start is not None and p.start is not FIRST_STEP]
    for a, b in zip(starts, starts[1:]):
        if b >= a:
            yield (
                f"the rewinds are {brief(a)}, then {brief(b)}; expected each below the one before it, or a "
                "later pass would undo an earlier one"
            )
    if passes[-1].end != 0.0:
        yield "the last pass stops early; only those before it may (set the sampler's end step to keep noise)"
    looks = (phase.look for p in passes for phase in p.phases)
    if len(orders := {look.order for look in looks if isinstance(look, Mixed) and look.order}) > 1:
        yield f"it names the orders {' and '.join(sorted(orders))}; a run has one: name it in one look"
    if any(later.keeps_sound and p.end != 0.0 for p, later in zip(passes, passes[1:])):
        yield "'keep sound' needs a draft that runs to its end: leave its 'to' out, or 'keep sound'"
    yield from _of_parts([phase for p in passes for phase in p.counted])


def _of_parts(phases: Sequence[Phase]) -> Iterator[str]:
    parts = [phase.amount.part for phase in phases if isinstance(phase.amount, Portion)]
    total, all_parts = sum(parts), len(parts) == len(phases)
    if total > 1.0 + 1e-6 or (all_parts and total < 1.0 - 1e-6):
        yield f"its percentages add up to {total * 100:.4g}%; expected 100%"
    if parts and not all_parts and total > 1.0 - 1e-6:
        left = next(phase for phase in phases if not isinstance(phase.amount, Portion))
        yield (
            f"its percentages add up to {total * 100:.4g}% and leave no step for {quoted(left)}; expected "
            "less, or a percentage for every look"
        )
