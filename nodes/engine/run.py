"""The state of one run of the sampler. It lives in the run's own model options and goes with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ...fresco_core import Course, Margin, Plan, Schedule, plain_plan
from ...fresco_core.look.promotion import Order
from ...fresco_core.text.in_words import plan_sentence
from ..families import adapter_of
from ..families.family import MixedAdapter
from ..host.caches import end_step_cache_at, restart_block_caches, restart_step_cache
from ..host.conds import conditions_of, declared_maps, given_once
from ..host.samplers import off_grid, restart_keyframes
from ..host.windows import kept_frames, not_along_frames, windows_of
from . import frames
from .cost import as_run, describe_plan, references_of
from .guides import guide_frames
from .kept_pixels import unkeepable
from .look import CanvasView
from .network_inputs import Given
from .obstacles import unmergeable, unmixable
from .recording import RunTrace
from .spending import Spending
from .streams import bound_together, words_of
from .target import Target
from .thin_guides import thin_guides

log = logging.getLogger(__name__)

KEY = "fresco"
RUN = "fresco_run"


@dataclass(frozen=True)
class Bridge:
    """What carries a draft over pixels: the host's VAE, and its UPSCALE_MODEL if one is wanted."""

    vae: Any
    upscale_model: Any = None


class Recorder(Protocol):
    """Whatever takes the traces of runs: a list, or what nodes behind the sampler read."""

    def append(self, trace: RunTrace, /) -> None:
        """Take the trace of a run that has ended."""


@dataclass(frozen=True)
class Settings:
    """What FrescoApply was asked for. Clones of a model share it; old hosts would copy it, and its VAE.

    traces: receives the trace of each run, if anybody wants it. tell: receives words for the user, the plan
    before the first step and what came of it behind the last. baseline_steps: full steps to compare with, 0
    for as many as the run has. order: of promotion, for mixed steps whose schedule names no other. live: draw
    the convergence over the host's previews. bridge: for passes that begin over pixels. node: the id of the
    node that asked. seen: receives a run once it has its plan.
    """

    schedule: Schedule
    traces: Recorder | None = None
    tell: Callable[[str], None] | None = None
    baseline_steps: int = 0
    order: Order | None = None
    live: bool = False
    bridge: Bridge | None = None
    node: str | None = None
    seen: Callable[[Run], None] | None = None

    def __deepcopy__(self, memo: dict) -> Settings:
        return self

    @property
    def idle(self) -> bool:
        """Whether a run with these settings is the host's own, with nothing to record."""
        return self.schedule.off and self.traces is None and not self.live


@dataclass
class Run:
    """One run: its trace, which holds the plan, and what leads it through that.

    grid: the sampler's sigmas that the plan was made for. mixing: of a plan with mixed steps, the family's
    adapter and whether coarse tokens have their own clock. controls: what stands for ControlNets, and
    for pictures that patches of the network look at, in the current pass. spending: what the current
    evaluation's calls have cost. pass_sigmas: of the current pass, where a plan has several.
    """

    settings: Settings
    target: Target
    trace: RunTrace
    view: CanvasView
    grid: list[float] = field(default_factory=list)
    course: Course | None = None
    mixing: tuple[MixedAdapter, bool] | None = None
    controls: dict[Any, Any] = field(default_factory=dict)
    spending: Spending = field(default_factory=Spending)
    pass_sigmas: Tensor | None = None

    @property
    def plan(self) -> Plan:
        """What is planned."""
        assert self.trace.plan is not None
        return self.trace.plan

    def note(self, words: str) -> None:
        """Say something of this run that was not planned: in the log now, on the node behind the run."""
        log.warning("Fresco %s", words)
        self.trace.notes.append(words)

    def prepare(self, conds: dict[str, list[dict]], model_options: dict) -> Plan:
        """Hold the plan against this run's conditioning, and tell it, before the first step."""
        plan, settings, model = self.plan, self.settings, self.target.model
        given, values = self.view.given, given_once(conds)
        given.maps, given.repeated = declared_maps(conds), kept_frames(model_options)
        given.thin = thin_guides(values, given.repeated)
        given.behind = guide_frames(values, plan.canvas)
        reason = unmergeable(model, plan, conds, model_options)
        reason = reason or bound_together(self.view.streams, conds, model_options)
        reason = reason or unkeepable(given.kept, conds, model_options)
        assert self.view.prediction is not None
        shape = tuple(self.view.streams.first(self.view.prediction).shape)
        reason = reason or not_along_frames(model_options, shape)
        if reason is not None and not plan.plain:
            plan = plain_plan(plan.schedule, self.grid, plan.canvas, reason)
        several = bool(self.view.streams.shapes)
        plan = frames.with_followed_frames(plan, self.grid, model, conds, model_options, several)
        if plan.mixed:
            self.mixing, reason = self._mixing(conds, model_options)
            if reason is not None:
                self.note(f"takes mixed steps at full resolution: {reason}")
                plan = plan.dense()
        if plan.reason:
            log.warning("Fresco runs plain: %s", plan.reason)
        self.trace.plan, self.course = plan, self.led_through(plan)
        architecture = self.target.architecture
        known = None if architecture is None else as_run(architecture, conds, self.view.streams)
        vae = settings.bridge.vae if settings.bridge is not None else None
        windows = windows_of(model_options, plan.canvas.frames)
        references = references_of(model, conds)
        words = describe_plan(plan, known, settings.baseline_steps, vae, windows, references)
        words += "" if plan.plain else words_of(self.view.streams, plan) + frames.words_of(plan, conds)
        self.trace.words = words
        if settings.seen is not None:
            settings.seen(self)
        if settings.tell is not None:
            settings.tell(f"{plan_sentence(plan)}\n{words}")
        if not plan.plain:
            log.info("Fresco will do:\n%s", words)
        return plan

    def led_through(self, plan: Plan) -> Course:
        """What leads the run through a plan."""
        settings = self.settings
        return Course(
            plan,
            self.trace.batch,
            self.target.parameterisation,
            settings.order,
            self.trace.block_level,
            watched=settings.traces is not None or settings.live,
        )

    def begin_pass(self, index: int, sampler: Any, guider: Any, transformer_options: dict) -> None:
        """Called before each pass. Nothing learned on one pass (predictions to compare, cached steps) holds
        for the next.

        Samplers that leave the grid may evaluate last far above its last sigmas: below the middle of their
        range in log sigma (the last evaluation of DPM-Solver-fast lies there or lower) they see the pass's
        last look.
        """
        assert self.course is not None
        sigmas = self.plan.passes[index].sigmas
        last = sigmas[-1] if sigmas[-1] > 0.0 else sigmas[-2]
        full_below = (sigmas[0] * last) ** 0.5 if off_grid(sampler) else 0.0
        picture = self.view.prediction
        picture = None if picture is None else self.view.streams.first(picture)
        held = self.course.begin_pass(index, picture, full_below)
        if held is not None:
            self.note(f"looks at full resolution: {held}")
        self.controls.clear()
        if index:
            restart_step_cache(transformer_options)
            restart_keyframes(guider)
        if not self.plan.plain:
            end_step_cache_at(transformer_options, sigmas[-2])

    def shows(self, x: Tensor) -> bool:
        """Whether a sampler's state x, all that the run holds, is the canvas. Samplers that show the model
        something else (parts, other sizes) have it seen at full resolution."""
        assert self.course is not None
        canvas, x = self.trace.canvas, self.view.streams.first(x)
        frames = (canvas.frames,) if x.ndim == 5 else ()
        if tuple(x.shape[2:]) == (*frames, canvas.height, canvas.width):
            return True
        if not self.view.foreign:
            found = "x".join(map(str, x.shape[2:]))
            self.note(
                f"looks at full resolution where the sampler evaluates {found}, as the latent is "
                f"{canvas.height}x{canvas.width}"
            )
        self.view.foreign, self.view.look = True, self.course.look_full()
        return False

    def choose_look(self, sigma: Tensor, transformer_options: dict) -> None:
        """The look of the evaluation at `sigma`; what other nodes keep of steps at another level begins
        anew."""
        assert self.course is not None
        before = self.level
        self.view.look = self.course.next_look(sigma)
        if self.level != before:
            restart_step_cache(transformer_options)
            restart_block_caches(self.target.model, transformer_options)

    @property
    def keeps_sound(self) -> bool:
        """Whether the current pass keeps sound that the run holds."""
        plan, course = self.plan, self.course
        if plan.plain or course is None or not self.view.streams.shapes:
            return False
        return plan.schedule.passes[course.pass_index].keeps_sound

    @property
    def level(self) -> tuple[float, int]:
        """The current look's level, and how often it halves the frames."""
        return self.view.look.level, self.view.look.halvings

    def record(self, prediction: Tensor, sigma: Tensor, answered: bool) -> None:
        """Keep the guided prediction of an evaluation, and whether a step cache has answered for it."""
        assert self.course is not None
        self.view.prediction = prediction
        convergence = self.course.observe(self.view.streams.first(prediction))
        spent = self.spending.take()
        self.trace.spent.append(None if answered else spent)
        flops = 0 if answered else spent.flops
        self.trace.add(self.course.pass_index, sigma, self.view.look, convergence, flops, spent.full_flops)

    def close(self) -> None:
        """End of the run, on every way out."""
        self.controls.clear()
        self.view.prediction = self.course = None
        self.view.given = Given()
        self.view.margin = Margin()
        self.trace.finish()

    def _mixing(
        self, conds: dict[str, list[dict]], model_options: dict
    ) -> tuple[tuple[MixedAdapter, bool] | None, str | None]:
        """How this run takes mixed steps, or why it cannot."""
        network = self.target.model.diffusion_model
        adapter, reason = adapter_of(network)
        if adapter is None:
            return None, reason
        if self.view.given.kept is not None:
            return None, "what inpainting keeps is bound to the whole grid"
        reason = unmixable(conds, model_options, adapter.arguments)
        if reason is not None:
            return None, reason
        return (adapter, adapter.one_clock(network, conditions_of(conds)) is None), None
