"""Looks that a model turns out not to take: answered at full resolution instead of losing the run.

What can be foreseen is (conditions.py). For the rest the first evaluation of each kind of look is watched:
where the model, a ControlNet or another pack raises in it, the same evaluation is made at full resolution,
and so are all later ones of the kind. Interrupts, full memory and what is raised at full resolution pass
through.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from .run import Run

log = logging.getLogger(__name__)

MOST_WORDS = 200  # of an exception's message that are told


class LookFailed(Exception):
    """Raised in place of what a model raised in the first evaluation of a kind of look."""


@dataclass
class Looks:
    """The kinds of look of a run: (level, whether mixed).

    proven: those that an evaluation has been made with. refused: those that failed.
    """

    proven: set[tuple[int, bool]] = field(default_factory=set)
    refused: set[bool] = field(default_factory=set)

    def allowed(self, level: int, mix: Any) -> tuple[int, Any]:
        """The look of an evaluation that is planned with `level` and `mix`: full resolution where its kind
        has failed. Where dense looks have, mixed ones are not tried."""
        refused = level and (False in self.refused or (mix is not None) in self.refused)
        return (0, None) if refused else (level, mix)


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Around all that calls a model or ControlNet at the run's current look, which is not the full one."""
    try:
        yield
    except Exception as error:
        if _kind(run) in run.looks.proven or passes_through(error):
            raise
        raise LookFailed(f"{type(error).__name__}: {str(error)[:MOST_WORDS]}") from error


def passes_through(error: Exception) -> bool:
    """Whether an exception says nothing about the look: an interrupt, full memory, a look that has failed."""
    from comfy.model_management import InterruptProcessingException

    memory = (torch.cuda.OutOfMemoryError, MemoryError)
    if isinstance(error, (*memory, LookFailed, InterruptProcessingException)):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def evaluate(run: Run, executor: Any, args: tuple, kwargs: dict, sigma: Any, options: dict) -> Any:
    """PREDICT_NOISE's own call at the run's look, and once more at full resolution where that fails."""
    run.choose_level(sigma, options)
    try:
        prediction = executor(*args, **kwargs)
        run.looks.proven.add(_kind(run))
        return prediction
    except LookFailed as failure:
        _refuse(run, failure)
    run.choose_level(sigma, options)  # behind the handler, whose exception holds the call's memory
    return executor(*args, **kwargs)


def _refuse(run: Run, failure: LookFailed) -> None:
    """Say what has failed, and take no look of its kind any more."""
    level, mixed = _kind(run)
    log.warning(
        "Fresco takes %s of this run at full resolution: %s could not be called %s (%s)",
        "the mixed steps" if mixed else "the rest",
        type(run.model).__name__,
        "with fine and coarse tokens" if mixed else f"on {run.trace.canvas.size(level)}",
        failure,
    )
    log.debug("the look that failed:", exc_info=failure)
    run.looks.refused.add(mixed)
    run.spent = (0, 0)
    run.controls.clear()


def _kind(run: Run) -> tuple[int, bool]:
    return run.level, run.level > 0 and run.layout is not None
