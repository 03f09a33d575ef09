"""Edits of a schedule as a drawing makes them: a stage gets longer, coarser, starts elsewhere.

A stage is one look of one pass; stages are counted over the whole schedule. Edits return a new schedule and
keep its style: counts stay counts, percentages percentages, sigmas sigmas. What contradicts itself raises
ScheduleError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ..canvas.noise_level import FLOW, Parameterisation
from ..schedule.division import divided, phases_of_steps, reached
from ..schedule.looks import Amount, Count, Mixed, Phase, Portion, Until
from ..schedule.plan import Plan
from ..schedule.schedule import Schedule
from ..schedule.wording import ScheduleError


@dataclass(frozen=True)
class Stage:
    """One look of one pass in a plan: the steps from `first` up to and without `end`, over all passes.

    fine: of a mixed look, the parts of the blocks (0..1) that are fine in its first and last step.
    """

    pass_index: int
    look_index: int
    level: float
    first: int
    end: int
    fine: tuple[float, float] | None = None


def stages(plan: Plan, parameterisation: Parameterisation = FLOW) -> tuple[Stage, ...]:
    """The stages of a plan, in order; one that its pass has no step for has first == end.

    A plan that runs plain is one stage.
    """
    if plan.plain:
        return (Stage(0, 0, 0, 0, plan.steps),)
    found, first = [], 0
    counts = divided(plan.schedule, plan.steps)
    for pass_index, (p, planned) in enumerate(zip(plan.schedule.passes, plan.passes)):
        steps = Counter(phases_of_steps(p, counts[pass_index], planned.sigmas, parameterisation))
        for look_index, phase in enumerate(p.phases):
            look, end = phase.look, first + steps[phase]
            fine = (look.floor, look.ceiling) if isinstance(look, Mixed) else None
            found.append(Stage(pass_index, look_index, look.level, first, end, fine))
            first = end
    return tuple(found)


def _before(plan: Plan, pass_index: int) -> int:
    return sum(p.steps for p in plan.passes[:pass_index])


def move_boundary(plan: Plan, stage: int, step: int, parameterisation: Parameterisation = FLOW) -> Schedule:
    """The plan's schedule with the end of `stage` at `step`, each stage keeping at least one step.

    A boundary within a pass that is divided by sigma moves to the sigma half-way between its two steps.
    """
    found = stages(plan, parameterisation)
    if not 0 <= stage < len(found) - 1:
        raise ScheduleError(
            f"stage {stage + 1} has no boundary to move; the schedule has {len(found)} stages"
        )
    here, after = found[stage], found[stage + 1]
    if after.end - here.first < 2:
        raise ScheduleError(
            f"stages {stage + 1} and {stage + 2} have {after.end - here.first} steps in this run; a boundary "
            "moves between two at least"
        )
    step = min(max(step, here.first + 1), after.end - 1)
    by_sigma = plan.schedule.passes[here.pass_index].by_sigma
    if here.pass_index == after.pass_index and by_sigma:
        return _with_until(plan, here, step, parameterisation)
    lengths = [s.end - s.first for s in found]
    lengths[stage], lengths[stage + 1] = step - here.first, after.end - step
    return _with_lengths(plan.schedule, found, lengths)


def _with_until(plan: Plan, stage: Stage, step: int, parameterisation: Parameterisation) -> Schedule:
    sigmas = plan.passes[stage.pass_index].sigmas
    local = step - _before(plan, stage.pass_index)
    early, late = (parameterisation.share(s) for s in sigmas[local - 1 : local + 1])
    middle = (early + late) / 2
    until = _fewest_decimals(middle, lambda until: reached(late, until) and not reached(early, until))
    return _with_amounts(plan.schedule, {(stage.pass_index, stage.look_index): Until(until)})


def _fewest_decimals(value: float, holds: Callable[[float], bool]) -> float:
    """`value` rounded to three decimals, or to as many as it needs for `holds`; as it is where none do."""
    rounded = (round(value, places) for places in range(3, 13))
    return next((r for r in rounded if holds(r)), value)


def _with_lengths(schedule: Schedule, found: Sequence[Stage], lengths: Sequence[int]) -> Schedule:
    """The schedule with the given numbers of steps, written as percentages unless it counts."""
    steps: dict[tuple[int, int], int] = {}
    for stage, length in zip(found, lengths):
        p = schedule.passes[stage.pass_index]
        place = stage.pass_index, len(p.phases) - 1 if p.by_sigma else stage.look_index
        steps[place] = steps.get(place, 0) + length
    wanted = list(steps.values())
    if schedule.counts:
        return _with_amounts(schedule, {place: Count(n) for place, n in steps.items()})
    for places in range(3, 13):  # as few decimals as bring the same steps back
        parts = [round(n / sum(wanted), places) for n in wanted[:-1]]
        parts.append(round(1.0 - sum(parts), places))
        if min(parts) <= 0.0:
            continue
        changed = _with_amounts(schedule, {place: Portion(part) for place, part in zip(steps, parts)})
        if list(chain.from_iterable(divided(changed, sum(wanted)))) == wanted:
            break
    return changed


def _with_amounts(schedule: Schedule, amounts: Mapping[tuple[int, int], Amount]) -> Schedule:
    """The schedule with other amounts, without a least number of steps, for phases named by pass and look."""

    def changed(place: tuple[int, int], phase: Phase) -> Phase:
        return replace(phase, amount=amounts[place], least=1) if place in amounts else phase

    return _changed(schedule, changed)


def set_level(schedule: Schedule, stage: int, level: float) -> Schedule:
    """The schedule with another level in `stage`; a mixed or `spectral` stage becomes a plain one."""
    places = [(i, j) for i, p in enumerate(schedule.passes) for j in range(len(p.phases))]
    if not 0 <= stage < len(places):
        raise ScheduleError(f"stage {stage + 1} is not there; the schedule has {len(places)} stages")
    return _changed(schedule, lambda place, phase: phase.at(level) if place == places[stage] else phase)


def set_start(schedule: Schedule, pass_index: int, share: float) -> Schedule:
    """The schedule with a later pass that starts at another noise share."""
    if not 0 < pass_index < len(schedule.passes):
        raise ScheduleError(f"pass {pass_index + 1} does not start at a sigma of its own")
    passes = list(schedule.passes)
    passes[pass_index] = replace(passes[pass_index], start=round(share, 2))
    return Schedule(tuple(passes))


def _changed(schedule: Schedule, change: Callable[[tuple[int, int], Phase], Phase]) -> Schedule:
    """The schedule with every phase as `change` makes it of its pass and look, and of itself."""
    passes = (
        replace(p, phases=tuple(change((i, j), phase) for j, phase in enumerate(p.phases)))
        for i, p in enumerate(schedule.passes)
    )
    return Schedule(tuple(passes))
