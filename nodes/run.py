"""The state of one run of the sampler. It lives in the run's own model options and goes with them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..fresco_core import (
    ConvergenceTracker,
    Layout,
    Margin,
    Parameterisation,
    Plan,
    Promoter,
    Promotion,
    Schedule,
    Settling,
    Trace,
    coarse_state,
    complete,
    expand,
    merge,
    mixed_layout,
    plain_plan,
)
from ..fresco_core.cost import Architecture, plan_cost
from ..fresco_core.mixed import DEFAULT_FRAME, complete_coarse, level_state
from ..fresco_core.promotion import promotion_of
from ..fresco_core.schedule import MAX_LEVEL
from ..fresco_core.spectrum import coarsest_level
from ..fresco_core.stage import goes_on_mixed, level_within
from ..fresco_core.transform import (
    extend,
    level_size,
    pack_channels,
    padded_size,
    repeated,
    unpack_channels,
)
from . import compat
from .architecture import with_text_of
from .caches import restart_block_caches
from .conditions import declared_maps, unmergeable
from .families import JOINT, adapter_of, clock_of, frame_of
from .focus import FocusMemory, Kept, too_much
from .refusals import Looks
from .watching import Watch, watch_of

log = logging.getLogger(__name__)

KEY = "fresco"
RUN = "fresco_run"


@dataclass(frozen=True)
class Settings:
    """What FrescoApply was asked for.

    traces: receives the trace of each run, if anybody wants it. tell: receives the plan in words before the
    first step. baseline_steps: full steps to compare the cost with, 0 for as many as the run has. promotion,
    clock and frame are for mixed steps whose schedule names no other; clock None is `native` where the family
    can. live: draw the convergence over the host's previews.
    """

    schedule: Schedule
    prior: str
    traces: list[Trace] | None = None
    tell: Callable[[str], None] | None = None
    baseline_steps: int = 0
    promotion: Promotion = Promotion()
    clock: str | None = None
    frame: str = DEFAULT_FRAME
    live: bool = False

    @property
    def idle(self) -> bool:
        """Whether a run with these settings is the host's own, with nothing to record."""
        return self.schedule.off and self.traces is None and not self.live


@dataclass
class Run:
    """One run: its plan, the look of the current evaluation, and the trace."""

    settings: Settings
    model: Any
    sampling: Any
    parameterisation: Parameterisation
    trace: Trace
    seed: int
    packing: int = 1
    architecture: Architecture | None = None
    grid: list[float] = field(default_factory=list)
    plan: Plan | None = None
    pass_index: int = 0
    coarsest: int = MAX_LEVEL
    level: int = 0
    settled: bool = False
    foreign: bool = False
    full_below: float = 0.0
    prediction: Tensor | None = None
    kept_mask: Tensor | None = None
    latent: Tensor | None = None
    spent: tuple[int, int] = (0, 0)
    controls: dict[int, Any] = field(default_factory=dict)
    maps: frozenset[str] = frozenset()
    looks: Looks = field(default_factory=Looks)
    lock: threading.Lock = field(default_factory=threading.Lock)
    adapter: Any = None
    clock: str = "shared"
    frame: str = DEFAULT_FRAME
    promoter: Promoter | None = None
    focus: Promoter | None = None
    layout: Layout | None = None
    watch: Watch | None = None
    memory: FocusMemory = field(default_factory=FocusMemory)
    margin: Margin = field(init=False)
    tracker: ConvergenceTracker = field(init=False)
    settling: Settling = field(init=False)

    def __post_init__(self) -> None:
        self.margin = Margin(self.seed)
        self.tracker = ConvergenceTracker(self.trace.block_level)
        self.settling = Settling(self.parameterisation)

    def prepare(self, conds: dict[str, list[dict]], model_options: dict) -> Plan:
        """Hold the plan against this run's conditioning, and tell it, before the first step."""
        plan = self.plan
        assert plan is not None
        self.maps = declared_maps(conds)
        reason = unmergeable(self.model, plan, conds, model_options)
        if reason is not None and not plan.plain:
            plan = plain_plan(plan.schedule, self.grid, plan.canvas, reason)
        if plan.parts:
            self.adapter, reason = adapter_of(self.model.diffusion_model)
            reason = reason or self._unmixable(plan, conds, model_options)
            if reason is not None:
                log.warning("Fresco takes %s steps at full resolution: %s", " and ".join(plan.parts), reason)
                plan = plan.dense()
            elif plan.focus_shares and (reason := too_much(self, plan.canvas, conds)) is not None:
                log.warning("Fresco takes focus steps at full resolution: %s", reason)
                plan = plan.without_focus()
            if plan.mixed_shares:
                self.promoter = Promoter(self.promotion, plan.canvas, plan.mixed_shares)
                named, asked = self.settings.schedule.named, self.settings
                network, given = self.model.diffusion_model, compat.conditions_of(conds)
                self.clock = clock_of(self.adapter, network, given, named("clock") or asked.clock)
                self.frame = frame_of(self.adapter, named("frame") or asked.frame)
            if plan.focus_shares:
                self.focus = Promoter(self.promotion, plan.canvas, plan.focus_shares, level=0)
        if plan.reason:
            log.warning("Fresco runs plain: %s", plan.reason)
        self.plan = self.trace.plan = plan
        architecture = None if self.architecture is None else with_text_of(self.architecture, conds)
        words = describe_plan(plan, architecture, self.settings.baseline_steps)
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
        self.coarsest = MAX_LEVEL
        if index and any(self.plan.passes[index].levels) and self.prediction is not None:
            self.coarsest = self._coarsest_after(self.prediction, sigmas[0])
        if self.plan.passes[index].tolerance is not None and self.prediction is not None:
            self.settling.reset(self.unpacked(self.prediction), self.plan.passes[index].levels[0])
        self.controls.clear()
        self.memory.clear()
        for promoter in self._promoters:
            promoter.begin_pass(index)
        if index:
            compat.restart_step_cache(transformer_options)
            compat.restart_hooks(guider)
        if not self.plan.plain:
            compat.end_step_cache_at(transformer_options, sigmas[-2])

    def shows(self, x: Tensor) -> bool:
        """Whether a sampler's state x (B, C, ..., H, W) is the canvas. Samplers that show the model something
        else (parts, other sizes) have it seen at full resolution."""
        canvas = self.trace.canvas
        frames = (canvas.frames,) if x.ndim == 5 else ()
        if tuple(x.shape[2:]) == (*frames, canvas.height, canvas.width):
            return True
        if not self.foreign:
            log.warning(
                "Fresco looks at full resolution where the sampler evaluates %s, as the latent is %dx%d",
                "x".join(map(str, x.shape[2:])),
                canvas.height,
                canvas.width,
            )
        self.foreign, self.level, self.layout, self.watch = True, 0, None, None
        return False

    def choose_level(self, sigma: Tensor, transformer_options: dict) -> int:
        """The level of the evaluation at `sigma`. Reads from the device only in passes that change their
        look, once an evaluation, and only until the last look is reached."""
        assert self.plan is not None
        planned = self.plan.passes[self.pass_index]
        step, value = -1, 0.0
        if not (planned.uniform or self.settled):
            value = self.settling.read(sigma)
            step = -1 if value <= self.full_below * (1.0 + 1e-5) else planned.step_at(value)
            last = planned.levels[-1], planned.mix_at(-1)
            held = planned.least_sigma > 0.0 and planned.levels[-1] > 0
            self.settled = not held and (planned.levels[step], planned.mix_at(step)) == last
        level, mix = planned.levels[step], planned.mix_at(step)
        if level > self.coarsest and not (mix and goes_on_mixed(self.plan, self.pass_index)):
            level, mix = self.coarsest, None
        if planned.tolerance is not None:
            level = self.settling.choose(level, planned.tolerance, value)
            self.settled = level == 0
        if level and planned.least_sigma:
            within = level_within(value, level, planned.least_sigma, self.parameterisation)
            level, mix = within, mix if within == level else None
        level, mix = self.looks.allowed(level, mix)
        promoter = self.promoter if level else self.focus
        if mix is None or promoter is None:
            self.layout = None
        else:
            self.layout = promoter.layout(mix, self.trace.batch, sigma.device)
        self.watch = None if self.promoter is None else watch_of(self.promotion, self.trace.canvas, level)
        if level or self.layout is None:
            self.memory.clear()
        else:
            self.memory.begin()
        if level != self.level:
            compat.restart_step_cache(transformer_options)
            restart_block_caches(self.model, transformer_options)
        self.level = level
        return level

    def record(self, prediction: Tensor, sigma: Tensor) -> None:
        """Keep the guided prediction of an evaluation."""
        self.prediction = prediction
        convergence = None
        if self.settings.traces is not None or self._promoters or self.settings.live:
            convergence = self.tracker.update(prediction)
        for promoter in self._promoters:
            promoter.observe(prediction, convergence, None if self.watch is None else self.watch.shares)
        if self.plan is not None and self.plan.passes[self.pass_index].tolerance is not None:
            self.settling.observe(self.unpacked(prediction), self.level)
        self.trace.add(self.pass_index, sigma, self.level, convergence, self.layout, *self.spent)
        self.spent = (0, 0)

    def spend(self, flops: int, full_flops: int) -> None:
        """Count a call of the network towards the current evaluation; from any thread."""
        with self.lock:  # the host calls each of several GPUs from a thread of its own
            self.spent = (self.spent[0] + flops, self.spent[1] + full_flops)

    def kept_for(self, x: Tensor, transformer_options: dict) -> Kept | None:
        """Where the evaluation is a focus step: what is kept for its call of the network on x (B, C, ..., H,
        W). The evaluation queries all tokens from a call on that has nothing."""
        if self.level or self.layout is None:
            return None
        kept = self.memory.take(x, transformer_options)
        if kept.prediction is None and not self.layout.whole:
            mask = torch.ones_like(self.layout.mask)
            self.layout = mixed_layout(mask, mask[0].numel(), level=0)
        return kept

    def coarse(self, x: Tensor, sigma: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor]:
        """(p, sigma_k) that the model is called with for a canvas x (B, C, ..., H, W), an area or a context
        window of it, at sigma (B,)."""
        state, _ = self._continued(x, sigma, transformer_options)
        state, level_sigma = coarse_state(state, sigma, self.level, self.parameterisation)
        if self.kept_mask is not None:
            state = self._with_kept(state, level_sigma, x, transformer_options)
        return pack_channels(state, self.packing), level_sigma

    def mixed_states(
        self, x: Tensor, sigma: Tensor, transformer_options: dict
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For a mixed evaluation of the canvas x (B, C, ..., H, W) at sigma (B,): x continued to whole
        blocks, what coarse tokens are read from, and its noise level."""
        canvas, last = self._continued(x, sigma, transformer_options)
        if last is not None:
            last = repeated(extend(last, (canvas.shape[-2], canvas.shape[-1])), canvas.shape[0])
        parameterisation = self.parameterisation
        state, state_sigma = level_state(canvas, sigma, self.level, self.clock, parameterisation, last)
        return self.packed(canvas), self.packed(state), state_sigma

    @property
    def promotion(self) -> Promotion:
        """The order of promotion that the schedule names, or the settings'."""
        return promotion_of(self.settings.schedule, self.settings.promotion)

    def whole(self, concat: Tensor | None, x: Tensor) -> Tensor | None:
        """Channels that the host concatenates to x, continued as far as `mixed_states` continues x."""
        if concat is None:
            return None
        return extend(concat, padded_size((x.shape[-2], x.shape[-1]), self.level, self.trace.canvas.patch))

    def fine_pixels(self, x: Tensor) -> Tensor:
        """Where the unpacked pixels of x, a batch of the run's canvases, are fine; shaped to mask them."""
        assert self.layout is not None
        layout = self.layout.for_batch(x.shape[0])
        return layout.fine_pixels(self._token, self.trace.canvas.frame_patch, self.unpacked(x))

    def unpacked(self, x: Tensor) -> Tensor:
        """x with the pixels that the host packs into its channels spread out."""
        return unpack_channels(x, self.packing)

    def packed(self, x: Tensor) -> Tensor:
        """Inverse of `unpacked`."""
        return pack_channels(x, self.packing)

    def _continued(self, x: Tensor, sigma: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor | None]:
        """x unpacked and continued to whole tokens of the level, and the last prediction of what x shows."""
        state = self.unpacked(x)
        size = padded_size((state.shape[-2], state.shape[-1]), self.level, self._token)
        last = compat.windowed(self.prediction, x, transformer_options)
        if last is None:  # an area: its border is no edge
            return extend(state, size), None
        last = self.unpacked(last).to(state)
        return self.margin.around(state, sigma, size, last, self.parameterisation), last

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
        """A canvas prediction that is constant over what is coarse, completed by the detail prior there."""
        if self.layout is not None:
            out = complete_coarse(
                self.unpacked(prediction),
                self.unpacked(x),
                sigma,
                self.fine_pixels(x),
                self.level,
                self.parameterisation,
                self.settings.prior,
            )
            return self.packed(out).to(prediction.dtype)
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
        self.promoter = self.focus = self.layout = self.watch = None
        self.memory.clear()
        self.margin = Margin()
        self.tracker.reset()
        self.trace.finish()

    def _coarsest_after(self, picture: Tensor, sigma: float) -> int:
        """The coarsest level that hides nothing of the clean picture that a later pass starts from."""
        coarsest = coarsest_level(self.unpacked(picture), sigma, MAX_LEVEL, self.parameterisation)
        if coarsest == 0:
            log.warning(
                "Fresco takes pass %d at full resolution: it starts at sigma %.4g, where a coarse look would "
                "lose detail that the picture already has",
                self.pass_index + 1,
                sigma,
            )
        return coarsest

    @property
    def _promoters(self) -> list[Promoter]:
        return [promoter for promoter in (self.promoter, self.focus) if promoter is not None]

    def _unmixable(self, plan: Plan, conds: dict[str, list[dict]], model_options: dict) -> str | None:
        """Why this run cannot take the plan's mixed and focus steps, which its model's adapter could; None if
        it can."""
        if plan.mixed_shares and "attention" in self.promotion.orders:
            if self.adapter not in JOINT:
                return "this family does not tell where attention goes; use another promotion order"
            if any("ref_latents" in c.get("model_conds", {}) for group in conds.values() for c in group):
                return "where attention goes is not told beside references; use another promotion order"
        if self.kept_mask is not None:
            return "what inpainting keeps is bound to the whole grid"
        return compat.unmixable(conds, model_options, self.adapter.CONDITIONS)

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
    limits = None if plan.plain else plan.canvas.limits()
    words = plan.describe() if limits is None else f"{plan.describe()}\n{limits}"
    if architecture is None:
        return words
    return f"{words}\n{plan_cost(plan, architecture).describe(baseline_steps)}"


def times_as_fine(tensor: Tensor, x: Tensor) -> int:
    """How many times as fine as x's grid a tensor's is, both ways alike; 0 if no whole number."""
    times = tensor.shape[-1] // x.shape[-1]
    return times if tuple(tensor.shape[-2:]) == (times * x.shape[-2], times * x.shape[-1]) else 0
