"""The trace that Fresco Convergence is given, and what is to be said of it."""

from __future__ import annotations

from torch import Tensor

from ...fresco_core import Canvas, Trace
from ...fresco_core.text.in_words import trace_in_words
from ..engine.gain import result_in_words
from ..engine.recording import Recordings, RunTrace, fits
from .trace_steps import step_count, valued_steps


def resolved(
    trace: Trace | Recordings, samples: dict | None, image: Tensor | None
) -> tuple[Trace, str | None]:
    """The trace that is meant, and what to say where that is not sure: Fresco Apply's runs are there once the
    sampler behind it has run, and only what comes from that sampler waits for it. One of no run has notes
    that say why."""
    if not isinstance(trace, Recordings):
        return trace, None
    if samples is not None:
        found = trace.of(samples["samples"])
    elif image is not None:
        found = trace.of_picture(image) or trace.of(None)
    else:
        return nothing(
            "a trace of Fresco Apply is read behind the sampler: connect its latent to samples, or its "
            "picture to image"
        ), None
    if found is None:
        return nothing(
            "no run of this model has been recorded: connect samples or image of the sampler that uses it, "
            "and change its seed where the host has kept its result"
        ), None
    if samples is not None or image is None or fits(found, image):
        return found, None
    return found, (
        f"no recorded run fits the picture, {len(image)} of {image.shape[2]}x{image.shape[1]}: the last is "
        "taken, which may be another sampler's"
    )


def nothing(why: str) -> RunTrace:
    """The trace of no run."""
    return RunTrace(0, Canvas(1, 1), 0, notes=[why])


def summary_of(trace: Trace) -> str:
    """What a run did, in words: its seconds where they were measured, then its evaluations."""
    words = trace_in_words(trace)
    if not isinstance(trace, RunTrace) or not trace.seconds:
        return words
    return "; ".join((*result_in_words(trace).split("\n"), words))


def valueless(trace: Trace) -> str | None:
    """What to say of a trace without values; None where it has some."""
    if valued_steps(trace):
        return None
    count = len(trace.evaluations)
    if count == 0 and trace.plan is None and isinstance(trace, RunTrace) and trace.notes:
        return "; ".join(trace.notes)
    if count == 0:
        return "nothing was sampled (denoise 0, or a latent that is no picture): there is nothing to show"
    steps = "one step was" if count == 1 else f"{count} steps were"
    return f"{steps} sampled, and convergence needs two of one pass: there is nothing to show"


def beyond(trace: Trace, step: int) -> str | None:
    """What to say of a step that the run has not; None where it has it."""
    count = step_count(trace)
    return f"step is {step} and the run has {count}: the mask is of the last" if step > count > 0 else None
