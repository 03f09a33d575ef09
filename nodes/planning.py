"""The plan of a run, worked out before anything is loaded: what steps, sigmas, canvas and latent tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from ..fresco_core import Plan, check_finite, make_plan, plain_plan
from ..fresco_core.schedule import MAX_LEVEL
from ..fresco_core.spectrum import coarsest_level, coarsest_level_unseen
from . import compat
from .run import Run


def plan_run(
    run: Run, sampler: Any, sigmas: Tensor, noise: Tensor, latent: Tensor, mask: Tensor | None
) -> None:
    """Give `run` its plan, for `sampler` over `sigmas` from a latent (B, C, ..., H, W) in the model's scale.

    Raises ScheduleError where the schedule does not fit, ValueError for values that are not finite.
    """
    run.grid = sigmas.tolist()
    run.plan = run.trace.plan = _plan(run, sampler, noise, latent, mask)


def _plan(run: Run, sampler: Any, noise: Tensor, latent: Tensor, mask: Tensor | None) -> Plan:
    schedule, canvas, grid = run.settings.schedule, run.trace.canvas, run.grid
    if schedule.off or len(grid) < 2:
        return plain_plan(schedule, grid, canvas)
    for name, values in (("noise", noise), ("latent", latent), ("mask", mask)):
        if values is not None:
            check_finite(name, values)
    plan = make_plan(
        schedule,
        grid,
        canvas,
        run.parameterisation,
        float(run.sampling.sigma_max),
        coarsest_start(run, grid[0], noise, latent, mask),
        compat.least_steps(sampler),
    )
    return _down_to(grid[-2], plan) if compat.off_grid(sampler) else plan


def _down_to(sigma: float, plan: Plan) -> Plan:
    """The plan for a sampler that stops at its grid's last positive sigma and leaves that noise: no pass
    leaves more than the run itself would."""
    passes = tuple(
        replace(p, sigmas=(*p.sigmas[:-2], min(p.sigmas[-2], sigma), p.sigmas[-1])) if p.steps > 1 else p
        for p in plan.passes
    )
    return replace(plan, passes=passes)


def coarsest_start(run: Run, sigma: float, noise: Tensor, latent: Tensor, mask: Tensor | None) -> int:
    """The coarsest level that hides nothing of the latent that a run starts from at `sigma`, where the mask
    paints. A run without noise of its own goes on from a canvas that holds it."""
    if not latent.any() or sigma >= float(run.sampling.sigma_max):
        return MAX_LEVEL
    if not noise.any():
        return coarsest_level_unseen(sigma, MAX_LEVEL, run.parameterisation)
    mask = None if mask is None else run.unpacked(mask.to(latent.device))
    return coarsest_level(run.unpacked(latent), sigma, MAX_LEVEL, run.parameterisation, mask)
