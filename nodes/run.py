"""The state of one run of the sampler. It lives in the run's own model options and goes with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..fresco_core import (
    ConvergenceTracker,
    Parameterisation,
    Plan,
    Schedule,
    Trace,
    coarse_state,
    complete,
    expand,
    hashed_noise,
    make_plan,
    margin_state,
    merge,
    needs_margin,
)
from ..fresco_core.clock import over_batch
from ..fresco_core.transform import extend, level_size, pack_channels, padded_size, unpack_channels
from . import compat

log = logging.getLogger(__name__)

KEY = "fresco"
RUN = "fresco_run"


@dataclass(frozen=True)
class Settings:
    """What FrescoApply was asked for. `traces` receives the trace of each run, if anybody wants it."""

    schedule: Schedule
    prior: str
    traces: list[Trace] | None = None


@dataclass
class Run:
    """One run: its plan, the look of the current evaluation, and the trace."""

    settings: Settings
    model: Any
    parameterisation: Parameterisation
    trace: Trace
    seed: int
    packing: int = 1
    plan: Plan | None = None
    pass_index: int = 0
    level: int = 0
    settled: bool = False
    full_below: float = 0.0
    prediction: Tensor | None = None
    clean_mask: Tensor | None = None
    controls: dict[int, Any] = field(default_factory=dict)
    beyond: dict[int, Tensor] = field(default_factory=dict)
    tracker: ConvergenceTracker = field(default_factory=ConvergenceTracker)

    def prepare(self, sigmas: Tensor) -> Plan:
        """Work the schedule out for this run's sigmas, before the first step. Raises ScheduleError."""
        self.plan = make_plan(
            self.settings.schedule,
            sigmas.tolist(),
            self.trace.canvas,
            self.parameterisation,
            compat.sigma_max_of(self.model),
        )
        self.trace.plan = self.plan
        if self.plan.reason:
            log.warning("Fresco runs plain: %s", self.plan.reason)
        return self.plan

    def begin_pass(self, index: int, sampler: Any, transformer_options: dict) -> None:
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
        self.trace.add(self.pass_index, sigma, self.level, self.tracker.update(prediction))

    def coarse(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """(p, sigma_k) that the model is called with for a canvas x (B, C, ..., H, W), or an area of it, at
        sigma (B,)."""
        x = unpack_channels(x, self.packing)
        margin = self._margin(x, sigma)
        state, level_sigma = coarse_state(x, sigma, self.level, self.parameterisation, margin)
        state = self._whole_tokens(state)
        if self.clean_mask is not None and self.clean_mask.shape[-2:] == x.shape[-2:]:
            # where the mask is 0 the canvas holds the clean latent, which needs no rescaling
            s = over_batch(sigma, state)
            mask = self._whole_tokens(merge(self.clean_mask, self.level)).to(state)
            mask = repeated(mask, x.shape[0])
            state = state * (mask + (1.0 - mask) / self.parameterisation.state_scale(s, self.level))
        return pack_channels(state, self.packing), level_sigma

    def condition(self, tensor: Tensor) -> Tensor:
        """A conditioning latent brought to the level: block means."""
        low = merge(unpack_channels(tensor, self.packing), self.level)
        return pack_channels(self._whole_tokens(low), self.packing)

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
        self.beyond.clear()
        self.prediction = self.clean_mask = None
        self.tracker.reset()
        self.trace.finish()

    @property
    def _token(self) -> int:
        """Side of a token in unpacked latent pixels."""
        return self.trace.canvas.patch * self.packing

    def _whole_tokens(self, state: Tensor) -> Tensor:
        """A level's tensor continued to whole tokens; not every family does that by itself."""
        return extend(state, padded_size((state.shape[-2], state.shape[-1]), 0, self._token))

    def _margin(self, x: Tensor, sigma: Tensor) -> Tensor | None:
        """What lies beyond the canvas's edge at this sigma, where the level has broken blocks or tokens."""
        size = (x.shape[-2], x.shape[-1])
        canvas = (self.trace.canvas.height * self.packing, self.trace.canvas.width * self.packing)
        if size != canvas or not needs_margin(size, self.level, self._token):
            return None
        shape = (self.trace.batch, *x.shape[1:-2], *padded_size(size, self.level, self._token))
        if self.level not in self.beyond:
            self.beyond[self.level] = hashed_noise(self.seed, shape, device=x.device)
        last = None if self.prediction is None else unpack_channels(self.prediction, self.packing).to(x)
        noise = self.beyond[self.level].to(x)
        margin = margin_state(last, noise, sigma.flatten()[:1], self.parameterisation)
        return repeated(margin, x.shape[0])


def repeated(tensor: Tensor, batch: int) -> Tensor:
    """A tensor of the run's batch (or 1) repeated to one that holds it several times, for cond and uncond."""
    return tensor.repeat(batch // tensor.shape[0], *(1,) * (tensor.ndim - 1))
