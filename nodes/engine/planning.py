"""The plan of a run, worked out before anything is loaded: what steps, sigmas, canvas and latent tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from ...fresco_core import Plan, ScheduleError, check_finite, make_plan, plain_plan
from ...fresco_core.look.spectrum import coarsest_level, coarsest_level_unseen, holds_noise
from ...fresco_core.schedule.looks import MAX_LEVEL
from ..host.samplers import from_the_top, least_steps, off_grid
from ..host.vae import unsuited
from .frames import told_apart
from .run import Run


def plan_run(
    run: Run, sampler: Any, sigmas: Tensor, noise: Tensor, latent: Tensor, mask: Tensor | None
) -> None:
    """Give `run` its plan, for `sampler` over `sigmas` from a latent in the model's scale; noise, latent and
    mask are of all that the run holds.

    Raises ScheduleError where the schedule does not fit, ValueError for values that are not finite.
    """
    run.grid = sigmas.tolist()
    run.trace.plan = _plan(run, sampler, noise, latent, mask)


def _plan(run: Run, sampler: Any, noise: Tensor, latent: Tensor, mask: Tensor | None) -> Plan:
    schedule, canvas, grid = run.settings.schedule, run.trace.canvas, run.grid
    if schedule.off or len(grid) < 2:
        return plain_plan(schedule, grid, canvas)
    for name, values in (("noise", noise), ("latent", latent), ("mask", mask)):
        if values is not None:
            check_finite(name, values)
    first = run.view.streams.first
    plan = make_plan(
        schedule,
        grid,
        canvas,
        run.target.parameterisation,
        float(run.target.sampling.sigma_max),
        coarsest_start(run, grid[0], first(noise), first(latent), None if mask is None else first(mask)),
        least_steps(sampler),
        _has_bridge(run, first(noise).shape[1]),
        told_apart(
            schedule.halvings,
            grid[0],
            float(run.target.sampling.sigma_max),
            first(latent),
            None if mask is None else first(mask),
        ),
    )
    return _down_to(grid[-2], plan) if off_grid(sampler) else plan


def _has_bridge(run: Run, channels: int) -> bool:
    """Whether the run can carry a draft of so many channels over pixels. Raises ScheduleError where it has a
    VAE of another model, and needs it."""
    bridge, latent = run.settings.bridge, run.target.model.latent_format
    reason = None if bridge is None else unsuited(bridge.vae, channels, latent.latent_dimensions)
    if reason is not None and run.settings.schedule.via_pixels:
        raise ScheduleError(reason)
    return bridge is not None


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
    paints. A run without noise of its own goes on from a canvas that holds it, which is a picture only where
    a soft mask keeps it in part, noise and all."""
    if not latent.any() or from_the_top(sigma, float(run.target.sampling.sigma_max)):
        return MAX_LEVEL
    at, picture = run.target.parameterisation, run.view.unpacked(latent)
    mask = None if mask is None else run.view.unpacked(mask.to(latent.device))
    if noise.any():
        return coarsest_level(picture, sigma, MAX_LEVEL, at, mask)
    if not holds_noise(picture * at.signal(sigma), sigma, at):
        return 0
    level = coarsest_level_unseen(sigma, MAX_LEVEL, at)
    return level if mask is None else coarsest_level(picture, sigma, level, at, mask * (mask < 1.0))
