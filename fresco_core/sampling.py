"""Samplers for use without a host: Euler's method, and the passes of a plan."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .canvas.edge import Margin
from .canvas.noise_field import check_finite
from .canvas.noise_level import FLOW, Parameterisation, recompose
from .course import Course
from .look.bridge import Autoencoder, Enlarge, bicubic, bridged
from .look.dense import Denoiser, dense_look
from .look.mixed import MixedDenoiser, MixedLook, mixed_look
from .look.promotion import Order
from .schedule.plan import Plan
from .trace import Trace

Callback = Callable[[int, Tensor, Tensor], None]
"""callback(step, counted over all passes; clean prediction; canvas)."""

Rewind = Callable[[Tensor, Tensor, Tensor, Parameterisation], Tensor]
"""rewind(clean prediction, noise field, sigma, parameterisation) -> the canvas at sigma; see `recompose`."""


def flow_sigmas(steps: int, shift: float = 1.0) -> list[float]:
    """steps + 1 sigmas from 1 to 0, even, then shifted: s t / (1 + (s - 1) t) (SD3, arXiv 2403.03206)."""
    return [shift * t / (1.0 + (shift - 1.0) * t) for t in (1.0 - i / steps for i in range(steps + 1))]


def euler_step(x: Tensor, x0: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """One step of dx/dsigma = (x - x0) / sigma, for flow and variance-exploding states alike."""
    return x + (x - x0) * ((sigma_next - sigma) / sigma)


@torch.no_grad()
def sample(
    denoise: Denoiser | MixedDenoiser, noise: Tensor, plan: Plan, parameterisation: Parameterisation = FLOW,
    callback: Callback | None = None, trace: Trace | None = None, rewind: Rewind = recompose,
    order: Order | None = None, autoencoder: Autoencoder | None = None, enlarge: Enlarge = bicubic,
) -> Tensor:
    """Run every pass of `plan` with Euler from pure `noise` (B, C, ..., H, W); returns the clean canvas.

    Between passes `rewind` makes the canvas from the last prediction and the same noise, less what of the
    first draft a variance-exploding start holds; a later pass takes no look that would hide detail which the
    prediction already has. `trace`, where given, records every
    evaluation. `order` is for mixed steps whose schedule names no other; those need a MixedDenoiser. Passes
    that cross the bridge need an autoencoder. Raises ValueError for noise that is not finite and where what
    the plan needs is missing.
    """
    check_finite("noise", noise)
    if autoencoder is None and plan.schedule.via_pixels and len(plan.passes) > 1:
        raise ValueError(f"'{plan.schedule}' carries a draft over pixels; give an autoencoder")
    if plan.mixed and not isinstance(denoise, MixedDenoiser):
        raise ValueError(
            f"'{plan.schedule}' has mixed steps, but {type(denoise).__name__} has no 'mixed' and no "
            "'own_clock'; give a MixedDenoiser, or a schedule without 'mixed'"
        )
    block_level = 2 if trace is None else trace.block_level
    course = Course(plan, noise.shape[0], parameterisation, order, block_level, watched=trace is not None)
    margin, x0, step, first = Margin(), torch.zeros_like(noise), 0, plan.passes[0].sigmas[0]
    for index, planned in enumerate(plan.passes):
        crossing = course.crossing(index) if index else None
        if crossing is not None and autoencoder is not None:
            x0 = bridged(x0, *crossing, autoencoder, plan.canvas, enlarge, halvings=course.look.halvings)
        sigmas = torch.tensor(planned.sigmas, device=noise.device)  # in float32, as the plan has them
        if index == 1:  # what the first state holds beside the draft, which was drawn from all of it
            noise = noise - parameterisation.signal(first) / parameterisation.noise(first) * x0
        x = (rewind if index else recompose)(x0, noise, sigmas[0], parameterisation)
        course.begin_pass(index, x0)
        for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
            at, seen = sigma.expand(x.shape[0]), course.next_look(sigma)
            if isinstance(seen, MixedLook):
                assert isinstance(denoise, MixedDenoiser)
                x0 = mixed_look(denoise, x, at, seen.layout, plan.canvas, parameterisation, margin, x0)
            else:
                x0 = dense_look(denoise, x, at, seen.level, parameterisation, margin, x0, seen.halvings)
            convergence = course.observe(x0)
            if trace is not None:
                trace.add(index, sigma, seen, convergence)
            if callback is not None:
                callback(step, x0, x)
            x = euler_step(x, x0, sigma, sigma_next)
            step += 1
        if planned.sigmas[-1] == 0.0:
            x0 = x
    if trace is not None:
        trace.finish()
    return x0
