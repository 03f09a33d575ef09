"""Looks that a model turns out not to take: answered at full resolution instead of losing the run.

What can be foreseen is (obstacles.py). For the rest every evaluation at a look that is not the full one is
watched, as what cannot take one may begin in mid-run: where the model, a ControlNet or another pack raises in
it, the same evaluation is made at full resolution, and so are all later ones of the kind. A run of several
passes in which that is the very first evaluation begins anew, plain: its passes in full would cost all their
steps and refine with some. So does a run in which anything else fails with its plan, such as a pack that
counts the run's steps; what fails in a plain run as well is raised there. Interrupts and full memory pass
through.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...fresco_core import MixedLook, plain_plan
from ...fresco_core.look.dense import FULL
from ..host.caches import restart_block_caches, restart_step_cache
from ..host.devices import settle
from ..host.samplers import restart_keyframes
from .run import Run

log = logging.getLogger(__name__)

MOST_WORDS = 200  # of an exception's message that are told


class LookFailed(Exception):
    """Raised in place of what a model raised in an evaluation at a look that is not the full one."""


class BeginPlain(Exception):
    """Raised through the host's sampler where a run is to begin anew, plain; says why."""


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Around all that calls a model or ControlNet at the run's current look, which is not the full one."""
    try:
        yield
    except Exception as error:
        if passes_through(error):
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
        return executor(*args, **kwargs)
    except LookFailed as failure:
        settle(model_options)
        reason = _could_not(run, failure)
        anew = _at_the_beginning(run) and not isinstance(run.view.look, MixedLook)
        if not anew:
            _refuse(run, reason)
        log.debug("the look that failed:", exc_info=failure)
        let_go(failure)
    if anew:
        raise BeginPlain(reason)
    run.spending.take()
    run.controls.clear()
    run.choose_look(sigma, options)  # behind the handler, whose exception holds the call's memory
    return executor(*args, **kwargs)


def _at_the_beginning(run: Run) -> bool:
    """Whether a run of several passes has not evaluated anything yet."""
    return len(run.plan.passes) > 1 and not run.trace.evaluations


def why_plain(run: Run, error: Exception) -> str | None:
    """Why a run whose sampling has raised is to begin anew, plain; None where that would change nothing."""
    if isinstance(error, BeginPlain):
        return str(error)
    if run.plan.plain or passes_through(error):
        return None
    return f"the plan could not be run ({type(error).__name__}: {str(error)[:MOST_WORDS]})"


def begin_plain(run: Run, reason: str, guider: Any, transformer_options: dict) -> None:
    """Bring a run back before its first evaluation, with a plan of full steps alone, because of `reason`."""
    plan = plain_plan(run.plan.schedule, run.grid, run.plan.canvas, reason)
    log.warning("Fresco runs plain: %s", reason)
    run.trace.plan, run.course = plan, run.led_through(plan)
    run.trace.begin_anew()
    run.spending.take()
    run.controls.clear()
    run.view.look = FULL
    restart_step_cache(transformer_options)
    restart_block_caches(run.target.model, transformer_options)
    restart_keyframes(guider)


def let_go(failure: BaseException) -> None:
    """Drop the frames of a failed call, which hold its tensors: they and the exceptions hold each other, and
    so would stay while the same evaluation is made in full."""
    error: BaseException | None = failure
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _could_not(run: Run, failure: LookFailed) -> str:
    """What has failed, in words."""
    look = run.view.look
    mixed = isinstance(look, MixedLook)
    how = "with fine and coarse tokens" if mixed else f"on {run.trace.canvas.size(look.level)}"
    return f"{type(run.target.model).__name__} could not be called {how} ({failure})"


def _refuse(run: Run, reason: str) -> None:
    """Say so, and take no look of the current kind any more."""
    assert run.course is not None
    what = "the mixed steps" if isinstance(run.view.look, MixedLook) else "the rest"
    run.note(f"takes {what} of this run at full resolution: {reason}")
    run.course.refuse()
