"""Looks that a model turns out not to take: answered at full resolution instead of losing the run.

What can be foreseen is (obstacles.py). For the rest the first evaluation of each kind of look is watched:
where the model, a ControlNet or another pack raises in it, the same evaluation is made at full resolution,
and so are all later ones of the kind. Interrupts, full memory and what is raised at full resolution pass
through.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...fresco_core import MixedLook
from ..host.devices import settle
from .run import Run

log = logging.getLogger(__name__)

MOST_WORDS = 200  # of an exception's message that are told


class LookFailed(Exception):
    """Raised in place of what a model raised in the first evaluation of a kind of look."""


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Around all that calls a model or ControlNet at the run's current look, which is not the full one."""
    try:
        yield
    except Exception as error:
        if run.kind in run.proven or passes_through(error):
            raise
        raise LookFailed(f"{type(error).__name__}: {str(error)[:MOST_WORDS]}") from error


def passes_through(error: Exception) -> bool:
    """Whether an exception says nothing about the look: an interrupt, full memory, a look that has failed."""
    from comfy.model_management import InterruptProcessingException

    memory = (torch.cuda.OutOfMemoryError, MemoryError)
    if isinstance(error, (*memory, LookFailed, InterruptProcessingException)):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def evaluate(run: Run, executor: Any, args: tuple, kwargs: dict, sigma: Any, model_options: dict) -> Any:
    """PREDICT_NOISE's own call at the run's look, and once more at full resolution where that fails."""
    options = model_options.get("transformer_options", {})
    run.choose_look(sigma, options)
    try:
        prediction = executor(*args, **kwargs)
        run.proven.add(run.kind)
        return prediction
    except LookFailed as failure:
        settle(model_options)
        _refuse(run, failure)
    run.choose_look(sigma, options)  # behind the handler, whose exception holds the call's memory
    return executor(*args, **kwargs)


def _refuse(run: Run, failure: LookFailed) -> None:
    """Say what has failed, and take no look of its kind any more."""
    assert run.course is not None
    look = run.view.look
    mixed = isinstance(look, MixedLook)
    what = "the mixed steps" if mixed else "the rest"
    how = "with fine and coarse tokens" if mixed else f"on {run.trace.canvas.size(look.level)}"
    run.note(
        f"takes {what} of this run at full resolution: {type(run.target.model).__name__} could not be called "
        f"{how} ({failure})"
    )
    log.debug("the look that failed:", exc_info=failure)
    run.course.refuse()
    run.spending.take()
    run.controls.clear()
