"""Rules that might become presets: one line each, for every number of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fresco_core.canvas.size import Canvas
from fresco_core.demo.subjects import SHIFT
from fresco_core.sampling import flow_sigmas
from fresco_core.schedule.planning import make_plan
from fresco_core.schedule.wording import ScheduleError
from fresco_core.text.grammar import parse
from fresco_core.text.presets import PRESETS

from .settings import Setting

TOTALS = (4, 6, 8, 12, 20, 30)
FEW_TOTALS = (8,)
"""Where candidates are tried first."""

BRIDGED_STARTS = (0.5, 0.65, 0.8, 0.9, 0.95)
COPIED_STARTS = (0.9, 0.95, 0.97)
"""Where the draft gives little more than its composition."""
FULL_STEPS = (1, 2, 3)
FEW_FULL_STEPS = (2, 3)
PARTS = (25, 50)


def candidates() -> list[str]:
    """Lines of schedules, without doubles."""
    own = [line for line in PRESETS.values() if line != "full" and "mixed" not in line]
    return list(dict.fromkeys([*own, *_counted(), *_divided(), *_three_levels(), *_one_pass()]))


def _counted() -> Iterator[str]:
    """A draft and a fixed number of full steps behind it."""
    for start in BRIDGED_STARTS:
        yield from (f"draft 1/2; refine {start:g} via pixels x{n}" for n in FULL_STEPS)
    for start in COPIED_STARTS:
        yield from (f"draft 1/2; refine {start:g} x{n}" for n in FEW_FULL_STEPS)


def _divided() -> Iterator[str]:
    """A draft and a part of the steps behind it, two at least."""
    for way in ("0.8 via pixels", "0.95 via pixels", "0.97"):
        yield from (f"draft 1/2 {100 - part}%; refine {way} {part}% min x2" for part in PARTS)


def _three_levels() -> Iterator[str]:
    """A quarter, a half, and full steps."""
    for middle, start in ((0.8, 0.6), (0.9, 0.7), (0.95, 0.85)):
        yield f"draft 1/4 40%; refine {middle:g} via pixels 1/2; refine {start:g} via pixels x2"


def _one_pass() -> Iterator[str]:
    """A switch in mid-run."""
    yield from (f"1/2 until {sigma:g}, full" for sigma in (0.9, 0.75, 0.6))
    yield from (f"1/2 {part}%, full {100 - part}%" for part in PARTS)
    yield from (f"spectral {tolerance:g} 80%, full 20%" for tolerance in (0.01, 0.05))


def settings_of(line: str, totals: Sequence[int], canvas: Canvas) -> list[Setting]:
    """A rule at some numbers of steps, where it does not run plain."""
    found = []
    for steps in totals:
        try:
            plan = make_plan(parse(line), flow_sigmas(steps, SHIFT), canvas, autoencoder=True)
        except ScheduleError:
            continue
        if not plan.plain:
            found.append(Setting(line, steps))
    return found
