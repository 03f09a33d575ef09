"""How much faster a run was than as many full steps would have been, by the seconds that its own took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from statistics import median_low

from ...fresco_core import Evaluation
from ...fresco_core.schedule.looks import FEWER_FRAMES, level_name
from .recording import RunTrace
from .spending import Spent

FULL = (0, False, 0)
EQUAL = 0.05  # a gain or loss within which two times are called the same
GAP, BESIDE = 0.25, 3  # between two kinds of evaluations, and how many of each tell them from noise


@dataclass(frozen=True)
class Gain:
    """seconds: of the run, `bridge` of them over pixels. full_step: of one full evaluation, the cheapest;
    full_most: of the dearest. plain: what the run's evaluations would have taken in full. warm_up: what its
    first took longer than others of its kind, counted in both. measured: full evaluations that this is read
    from. steps: of the run."""

    seconds: float
    plain: float
    full_step: float
    full_most: float
    warm_up: float
    bridge: float
    measured: int
    steps: int

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.plain / self.seconds

    def over(self, steps: int) -> float:
        """How many times faster than another number of full steps."""
        per_step = (self.plain - self.warm_up) / self.steps
        return (per_step * steps + self.warm_up) / self.seconds


def gain_of(trace: RunTrace) -> Gain | None:
    """The gain of a finished run that took coarse looks; None where there was none, no full step to measure,
    full steps that are no measure of the others, or steps that the model did not make.

    A full evaluation takes the (lower) middle of those that the run made, without its very first, in which a
    device warms up. All else, the sampler's own work and previews, is counted in both; bridges and whatever
    the change of size costs only in the run.
    """
    kinds = [_kind(e) for e in trace.evaluations]
    if not trace.seconds or len(trace.spans) != len(kinds) or all(kind == FULL for kind in kinds):
        return None
    if trace.plan is None or _answered_elsewhere(trace):
        return None
    full = _full_ones(trace)
    found = [in_full(spent, full) for spent in _spent(trace)]
    steps = [seconds for seconds in found if seconds is not None]
    if len(steps) < len(found):
        return None
    warm_up = warm_up_of(trace)
    bridge = sum(trace.crossings.values())
    rest = max(trace.seconds - sum(trace.spans) - bridge, 0.0)
    plain = sum(steps) + warm_up + rest
    ends = min(steps), max(steps)
    return Gain(trace.seconds, plain, *ends, warm_up, bridge, len(full), trace.plan.steps)


def in_full(asked: Spent, full: Sequence[tuple[Spent, float]]) -> float | None:
    """Seconds of an evaluation at full resolution, by `full` ones and the seconds of each; None where they do
    not tell.

    By those that cost as much; where those are one or none, by the seconds that others take for their work.
    What ControlNets take is not known, so that others have the same share of them.
    """
    own = [seconds for spent, seconds in full if _cost(spent) == _cost(asked)]
    others = [(spent.work, seconds) for spent, seconds in full if spent.share == asked.share]
    if len(own) > 1 or len(own) == len(others):
        return median_low(own) if own and not parted(own) else None
    rates = [seconds / work for work, seconds in others if work]
    return median_low(rates) * asked.work if rates and not parted(rates) else None


def parted(seconds: Sequence[float]) -> bool:
    """Whether times of evaluations that should take the same, in the run's order, are of two kinds: alike in
    each, far from the other's, and the one kind in a single part of the run. Noise is scattered."""
    s = sorted(seconds)
    for count in range(BESIDE, len(s) - BESIDE + 1):
        low, high = s[:count], s[count:]
        alike = all(side[-1] <= (1.0 + GAP) * side[0] for side in (low, high))
        if alike and high[0] > (1.0 + GAP) * low[-1]:
            dear = [one >= high[0] for one in seconds]
            return sum(a != b for a, b in pairwise(dear)) <= 2
    return False


def _full_ones(trace: RunTrace) -> list[tuple[Spent, float]]:
    """What the run's full evaluations but its very first have cost, and the seconds of each."""
    kinds = [_kind(e) for e in trace.evaluations]
    measured = list(zip(_spent(trace), trace.spans, kinds))[1:]
    return [(spent, seconds) for spent, seconds, kind in measured if kind == FULL]


def _spent(trace: RunTrace) -> list[Spent]:
    """What each evaluation has cost, the same for all where that was not counted."""
    return [spent or Spent(0, 0) for _, spent in zip_longest(trace.evaluations, trace.spent)]


def _cost(spent: Spent) -> tuple[int, int]:
    """What a full evaluation's seconds depend on."""
    return spent.work, spent.controlled


def _answered_elsewhere(trace: RunTrace) -> int:
    """How many steps at least the model has not evaluated: EasyCache or LazyCache answers for it."""
    return 0 if trace.plan is None else max(trace.plan.steps - len(trace.evaluations), trace.answered)


def _kind(evaluation: Evaluation) -> tuple[float, bool, int]:
    """What an evaluation's seconds depend on: its level, whether it was mixed, and its halvings in time."""
    return evaluation.level, evaluation.fine is not None, evaluation.halvings


def warm_up_of(trace: RunTrace) -> float:
    """Seconds that a run's first evaluation took longer than others of its kind; 0 where there is none."""
    kinds = [(_kind(e), _cost(spent)) for e, spent in zip(trace.evaluations, _spent(trace))]
    alike = [s for s, kind in list(zip(trace.spans, kinds))[1:] if kind == kinds[0]]
    return max(trace.spans[0] - median_low(alike), 0.0) if alike else 0.0


def result_in_words(trace: RunTrace, baseline_steps: int = 0) -> str:
    """The run's seconds and the gain in one line, and what that is read from in a second, where it can be
    told."""
    if not trace.evaluations or not trace.seconds or trace.plan is None:
        return "nothing was sampled"
    took = f"{seconds_in_words(trace.seconds)} for {trace.plan.steps} steps"
    if trace.plan.plain:
        reason = trace.plan.reason
        return f"{took}; ran plain: {reason}" if reason else f"{took} at full resolution"
    if all_full(trace):
        return f"{took} at full resolution, not as planned"
    gain = gain_of(trace)
    if elsewhere := _answered_elsewhere(trace):
        return f"{took}; {elsewhere} of them were answered by another node"
    if gain is None and _full_ones(trace):
        return f"{took}; its full steps are no measure of its coarse ones"
    if gain is None:
        return f"{took}; no full step was taken to compare with"
    words = f"{took}: {compared(gain.ratio)} {gain.steps} full steps would have been"
    if baseline_steps and baseline_steps != gain.steps:
        words += f", {compared(gain.over(baseline_steps))} {baseline_steps}"
    return f"{words}\n{basis_in_words(gain)}"


def all_full(trace: RunTrace) -> bool:
    """Whether every evaluation was at full resolution, whatever was planned."""
    return bool(trace.evaluations) and all(_kind(e) == FULL for e in trace.evaluations)


def basis_in_words(gain: Gain) -> str:
    """What a gain is read from."""
    measured = "measured once in this run" if gain.measured == 1 else "measured in this run"
    words = f"{gain.steps} full steps: {seconds_in_words(gain.plain)}; one evaluation in full took "
    least, most = seconds_in_words(gain.full_step), seconds_in_words(gain.full_most)
    words += f"{least}, {measured}" if least == most else f"{least} to {most}, {measured}"
    if gain.bridge:
        words += f"; {seconds_in_words(gain.bridge)} of the run were spent over pixels"
    if gain.warm_up > EQUAL * gain.seconds:
        words += f"; the first step's {seconds_in_words(gain.warm_up)} of warming up is counted in both"
    return words


def compared(ratio: float) -> str:
    """'1.9x faster than', with as many digits as a measurement of one run is good for."""
    if abs(ratio - 1.0) <= EQUAL:
        return "as fast as"
    times, word = (ratio, "faster") if ratio > 1.0 else (1.0 / ratio, "slower")
    return f"{times:.1f}x {word} than" if times < 9.95 else f"{times:.0f}x {word} than"


def seconds_in_words(seconds: float) -> str:
    """Seconds with two or three digits."""
    if seconds >= 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 9.95 else f"{seconds:.2g} s"


def summary(trace: RunTrace) -> dict[str, object]:
    """A run in a few fields, for the metadata of what is saved behind it."""
    plan, gain = trace.plan, gain_of(trace)
    if plan is None:
        return {}
    levels = [_looked(e) for e in trace.evaluations]
    found: dict[str, object] = {
        "schedule": str(plan.schedule),
        "steps": plan.steps,
        "evaluations": {level: levels.count(level) for level in dict.fromkeys(levels)},
        "seconds": round(trace.seconds, 3),
    }
    if gain is not None:
        found["faster"] = round(gain.ratio, 2)
    if plan.reason:
        found["plain"] = plan.reason
    return found


def _looked(evaluation: Evaluation) -> str:
    """What an evaluation saw, as schedules write it."""
    if evaluation.fine is not None:
        return "mixed"
    name = level_name(evaluation.level)
    return f"{FEWER_FRAMES[evaluation.halvings]} frames {name}" if evaluation.halvings else name
