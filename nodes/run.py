"""The state of one run of the sampler. It lives in the run's own model options and goes with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..fresco_core import (
    ConvergenceTracker,
    Margin,
    Parameterisation,
    Plan,
    Schedule,
    Trace,
    coarse_state,
    complete,
    expand,
    make_plan,
    merge,
    plain_plan,
)
from ..fresco_core.cost import Architecture, plan_cost
from ..fresco_core.transform import (
    extend,
    level_size,
    pack_channels,
    padded_size,
    repeated,
    unpack_channels,
)
from . import compat

log = logging.getLogger(__name__)

KEY = "fresco"
RUN = "fresco_run"


@dataclass(frozen=True)
class Settings:
    """What FrescoApply was asked for.

    traces: receives the trace of each run, if anybody wants it. tell: receives the plan in words before the
    first step. baseline_steps: full steps to compare the cost with, 0 for as many as the run has.
    """

    schedule: Schedule
    prior: str
    traces: list[Trace] | None = None
    tell: Callable[[str], None] | None = None
    baseline_steps: int = 0


@dataclass
class Run:
    """One run: its plan, the look of the current evaluation, and the trace."""

    settings: Settings
    model: Any
    parameterisation: Parameterisation
    trace: Trace
    seed: int
    packing: int = 1
    architecture: Architecture | None = None
    plan: Plan | None = None
    pass_index: int = 0
    level: int = 0
    settled: bool = False
    full_below: float = 0.0
    prediction: Tensor | None = None
    kept_mask: Tensor | None = None
    latent: Tensor | None = None
    spent: tuple[int, int] = (0, 0)
    controls: dict[int, Any] = field(default_factory=dict)
    margin: Margin = field(init=False)
    tracker: ConvergenceTracker = field(init=False)

    def __post_init__(self) -> None:
        self.margin = Margin(self.seed)
        self.tracker = ConvergenceTracker(self.trace.block_level)

    def prepare(self, sigmas: Tensor, conds: dict[str, list[dict]]) -> Plan:
        """Work the schedule out for this run's sigmas, before the first step. Raises ScheduleError."""
        grid = sigmas.tolist()
        sigma_max = float(self.model.model_sampling.sigma_max)
        plan = make_plan(self.settings.schedule, grid, self.trace.canvas, self.parameterisation, sigma_max)
        reason = compat.unmergeable(conds)
        if reason is not None and not plan.plain:
            plan = plain_plan(plan.schedule, grid, plan.canvas, reason)
        if plan.reason:
            log.warning("Fresco runs plain: %s", plan.reason)
        self.plan = self.trace.plan = plan
        words = describe_plan(plan, self.architecture, self.settings.baseline_steps)
        if self.settings.tell is not None:
            self.settings.tell(words)
        if not plan.plain:
            log.info("Fresco will do:\n%s", words)
        return plan

    def begin_pass(self, index: int, sampler: Any, guider: Any, transformer_options: dict) -> None:
        """Called before each pass. Nothing learned on one pass (predictions to compare, cached steps) holds
        for the next.

        Samplers that leave the grid may evaluate last far above its last sigmas: below the middle of their
        range in log sigma (the last evaluation of DPM-Solver-fast lies there or lower) they see the pass's
        last look.
        """
        assert self.plan is not None
        sigmas = self.plan.passes[index].sigmas
        last = sigmas[-1] if sigmas[-1] > 0.0 else sigmas[-2]
        self.full_below = (sigmas[0] * last) ** 0.5 if compat.off_grid(sampler) else 0.0
        self.pass_index = index
        self.settled = False
        self.tracker.reset()
        self.controls.clear()
        if index:
            compat.restart_step_cache(transformer_options, size_changed=False)
            compat.restart_hooks(guider)

    def choose_level(self, sigma: Tensor, transformer_options: dict) -> int:
        """The level of the evaluation at `sigma`. Reads sigma from the device only in passes that change
        their look, and only until the last look is reached."""
        assert self.plan is not None
        planned = self.plan.passes[self.pass_index]
        if planned.uniform or self.settled:
            level = planned.levels[-1]
        else:
            value = float(sigma.flatten()[0])
            level = planned.levels[-1 if value <= self.full_below * (1.0 + 1e-5) else planned.step_at(value)]
            self.settled = level == planned.levels[-1]
        if level != self.level:
            compat.restart_step_cache(transformer_options, size_changed=True)
        self.level = level
        return level

    def record(self, prediction: Tensor, sigma: Tensor) -> None:
        """Keep the guided prediction of an evaluation."""
        self.prediction = prediction
        convergence = None if self.settings.traces is None else self.tracker.update(prediction)
        self.trace.add(self.pass_index, sigma, self.level, convergence, None, *self.spent)
        self.spent = (0, 0)

    def spend(self, flops: int, full_flops: int) -> None:
        """Count a call of the network towards the current evaluation."""
        self.spent = (self.spent[0] + flops, self.spent[1] + full_flops)

    def coarse(self, x: Tensor, sigma: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor]:
        """(p, sigma_k) that the model is called with for a canvas x (B, C, ..., H, W), an area or a context
        window of it, at sigma (B,)."""
        state = unpack_channels(x, self.packing)
        size = padded_size((state.shape[-2], state.shape[-1]), self.level, self._token)
        last = compat.windowed(self.prediction, x, transformer_options)
        if last is None:  # an area: its border is no edge
            state = extend(state, size)
        else:
            last = unpack_channels(last, self.packing).to(state)
            state = self.margin.around(state, sigma, size, last, self.parameterisation)
        state, level_sigma = coarse_state(state, sigma, self.level, self.parameterisation)
        if self.kept_mask is not None:
            state = self._with_kept(state, level_sigma, x, transformer_options)
        return pack_channels(state, self.packing), level_sigma

    def condition(self, tensor: Tensor, x: Tensor) -> Tensor:
        """A conditioning tensor on x's grid, or one m times as fine, brought to the level: block means.

        Other sizes (reference pictures) are brought to the level of their own grid.
        """
        times = times_as_fine(tensor, x)
        base = x.shape[-2:] if times else tensor.shape[-2:]
        packing = self.packing if tensor.shape[1] == x.shape[1] else 1
        token = self.trace.canvas.patch * packing
        whole = padded_size((base[0] * packing, base[1] * packing), self.level, token)
        size = (whole[0] * max(times, 1), whole[1] * max(times, 1))
        return pack_channels(merge(extend(unpack_channels(tensor, packing), size), self.level), packing)

    def on_canvas(self, low: Tensor, size: tuple[int, int]) -> Tensor:
        """A prediction made at the level copied over the canvas (or area) of `size`."""
        height, width = size[0] * self.packing, size[1] * self.packing
        low_h, low_w = level_size((height, width), self.level)
        low = unpack_channels(low, self.packing)[..., :low_h, :low_w]
        return pack_channels(expand(low, self.level, (height, width)), self.packing)

    def with_detail(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """A blockwise constant canvas prediction, completed by the detail prior."""
        low = merge(unpack_channels(prediction, self.packing), self.level)
        out = complete(
            low,
            unpack_channels(x, self.packing),
            sigma,
            self.level,
            self.parameterisation,
            self.settings.prior,
        )
        return pack_channels(out, self.packing).to(prediction.dtype)

    def close(self) -> None:
        """End of the run, on every way out."""
        self.controls.clear()
        self.prediction = self.kept_mask = self.latent = None
        self.margin = Margin()
        self.tracker.reset()
        self.trace.finish()

    def _with_kept(self, state: Tensor, level_sigma: Tensor, x: Tensor, transformer_options: dict) -> Tensor:
        """The level's state with what inpainting keeps as the model sees it: clean, in its family."""
        mask = compat.windowed(self.kept_mask, x, transformer_options)
        latent = compat.windowed(self.latent, x, transformer_options)
        if mask is None or latent is None:
            return state
        merged = repeated(self.condition(latent, x), x.shape[0]).to(state)
        kept = compat.kept_latent(self.model, level_sigma, merged, torch.zeros_like(merged))
        painted = repeated(self.condition(mask, x), x.shape[0]).to(state)
        return state * painted + kept * (1.0 - painted)

    @property
    def _token(self) -> int:
        """Side of a token in unpacked latent pixels."""
        return self.trace.canvas.patch * self.packing


def describe_plan(plan: Plan, architecture: Architecture | None, baseline_steps: int) -> str:
    """The plan in words, with its cost where the architecture is known."""
    if architecture is None:
        return plan.describe()
    return f"{plan.describe()}\n{plan_cost(plan, architecture).describe(baseline_steps)}"


def times_as_fine(tensor: Tensor, x: Tensor) -> int:
    """How many times as fine as x's grid a tensor's is, both ways alike; 0 if no whole number."""
    times = tensor.shape[-1] // x.shape[-1]
    return times if tuple(tensor.shape[-2:]) == (times * x.shape[-2], times * x.shape[-1]) else 0
