"""The steps of a trace as its sampler, which may evaluate the model twice in one, counts them: from 1 on."""

from __future__ import annotations

from ...fresco_core import Evaluation, Trace
from ..engine.recording import RunTrace


def step_numbers(trace: Trace) -> list[int]:
    """The sampler's step of each evaluation; the evaluation's own number where the sampler has told none."""
    told = trace.steps if isinstance(trace, RunTrace) else []
    count = len(trace.evaluations)
    return [step + 1 for step in told] if len(told) == count else list(range(1, count + 1))


def step_count(trace: Trace) -> int:
    """The number of the last step; 0 without any."""
    return max(step_numbers(trace), default=0)


def valued_steps(trace: Trace) -> list[int]:
    """The steps that have convergence values."""
    numbers = zip(step_numbers(trace), trace.evaluations)
    return list(dict.fromkeys(number for number, e in numbers if e.convergence is not None))


def evaluation_of(trace: Trace, step: int) -> Evaluation:
    """The evaluation that stands for a step: its last with values, else its last, else that before it."""
    before = [(n, e) for n, e in zip(step_numbers(trace), trace.evaluations) if n <= step]
    own = [e for n, e in before if n == before[-1][0]] if before else trace.evaluations[:1]
    return next((e for e in reversed(own) if e.convergence is not None), own[-1])
