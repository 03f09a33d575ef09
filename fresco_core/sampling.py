"""Samplers for use without a host: Euler's method, and the passes of a plan."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .clock import FLOW, Parameterisation, recompose
from .convergence import ConvergenceTracker
from .detail import DEFAULT_PRIOR
from .focus import FocusDenoiser, KeyValues, focus_look
from .look import Denoiser, Margin, look
from .mixed import DEFAULT_CLOCK, DEFAULT_FRAME, MixedDenoiser, check_clock, check_frame, mixed_look
from .noise import check_finite
from .plan import Plan
from .promotion import Promoter, Promotion, promotion_of
from .received import ReceivedAttention, watched
from .schedule import MAX_LEVEL
from .settling import Settling
from .spectrum import coarsest_level
from .stage import goes_on_mixed
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
def sample_euler(denoise: Denoiser, x: Tensor, sigmas: Tensor) -> Tensor:
    """Euler over sigmas (steps + 1,), falling, from the state x (B, C, ..., H, W) at sigmas[0]."""
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        x = euler_step(x, denoise(x, sigma.expand(x.shape[0])), sigma, sigma_next)
    return x


@torch.no_grad()
def sample(
    denoise: Denoiser | MixedDenoiser | FocusDenoiser,
    noise: Tensor,
    plan: Plan,
    parameterisation: Parameterisation = FLOW,
    prior: str = DEFAULT_PRIOR,
    callback: Callback | None = None,
    trace: Trace | None = None,
    rewind: Rewind = recompose,
    promotion: Promotion | None = None,
    clock: str = DEFAULT_CLOCK,
    frame: str = DEFAULT_FRAME,
) -> Tensor:
    """Run every pass of `plan` with Euler from pure `noise` (B, C, ..., H, W); returns the clean canvas.

    Between passes `rewind` makes the canvas from the last prediction and the same noise; a later pass takes
    no look that would hide detail which the prediction already has. `trace`, where
    given, records every evaluation. `promotion` (default: its own), `clock`, one of `mixed.CLOCKS`, and
    `frame`, one of `mixed.FRAMES`, are for mixed steps whose schedule names no other. Those need a
    MixedDenoiser; focus steps need a FocusDenoiser, the order `attention` an AttentiveDenoiser. Raises
    ValueError for noise that is not finite and for a denoiser that lacks what the plan needs.
    """
    check_finite("noise", noise)
    clock = check_clock(plan.schedule.named("clock") or clock)
    frame = check_frame(plan.schedule.named("frame") or frame)
    _check_denoiser(denoise, plan)
    promotion = promotion_of(plan.schedule, promotion or Promotion())
    received, memory = ReceivedAttention(), KeyValues()
    if plan.mixed_shares and "attention" in promotion.orders:
        denoise = watched(denoise, received)
    promoter = Promoter(promotion, plan.canvas, plan.mixed_shares)
    focus = Promoter(promotion, plan.canvas, plan.focus_shares, level=0)
    settling = Settling(parameterisation)
    tracker = ConvergenceTracker() if trace is None else ConvergenceTracker(trace.block_level)
    margin = Margin()
    x0 = torch.zeros_like(noise)
    step = 0
    for index, planned in enumerate(plan.passes):
        sigmas = torch.tensor(planned.sigmas, device=noise.device, dtype=noise.dtype)
        x = (rewind if index else recompose)(x0, noise, sigmas[0], parameterisation)
        tracker.reset()
        promoter.begin_pass(index)
        coarsest = MAX_LEVEL
        if index and any(planned.levels):
            coarsest = coarsest_level(x0, planned.sigmas[0], MAX_LEVEL, parameterisation)
        if planned.tolerance is not None:
            settling.reset(x0, planned.levels[0])
        for sigma, sigma_next, level, mix in zip(
            sigmas, sigmas[1:], planned.levels, planned.mixes or (None,) * planned.steps, strict=False
        ):
            at, layout = sigma.expand(x.shape[0]), None
            if level > coarsest and not (mix and goes_on_mixed(plan, index)):
                level, mix = coarsest, None
            if planned.tolerance is not None:
                level = settling.choose(level, planned.tolerance, settling.read(sigma))
            if mix is None:
                x0 = look(denoise, x, at, level, parameterisation, prior, margin, x0)
            elif level == 0:
                assert isinstance(denoise, FocusDenoiser)
                layout = focus.layout(mix, x.shape[0], x.device)
                x0 = focus_look(denoise, x, at, layout, plan.canvas, memory, x0)
            else:
                assert isinstance(denoise, MixedDenoiser)
                layout = promoter.layout(mix, x.shape[0], x.device)
                x0 = mixed_look(
                    denoise, x, at, layout, plan.canvas, parameterisation, prior, margin, x0, clock, frame
                )
            if planned.tolerance is not None:
                settling.observe(x0, level)
            if trace is not None or plan.mixed_shares or plan.focus_shares:
                variance = tracker.update(x0)
                promoter.observe(x0, variance, received.shares)
                focus.observe(x0, variance)
            if trace is not None:
                trace.add(index, sigma, level, variance, layout)
            if callback is not None:
                callback(step, x0, x)
            x = euler_step(x, x0, sigma, sigma_next)
            step += 1
        if planned.sigmas[-1] == 0.0:
            x0 = x
    if trace is not None:
        trace.finish()
    return x0


def _check_denoiser(denoise: object, plan: Plan) -> None:
    for steps, word, needed in (
        (plan.mixed_shares, "mixed", MixedDenoiser),
        (plan.focus_shares, "focus", FocusDenoiser),
    ):
        if steps and not isinstance(denoise, needed):
            raise ValueError(
                f"'{plan.schedule}' has {word} steps, but {type(denoise).__name__} has no method '{word}'; "
                f"give a {needed.__name__}, or a schedule without '{word}'"
            )
