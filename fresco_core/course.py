"""The engine: which look each evaluation of a run gets, from its plan and what it has predicted so far.

`sampling.sample` and hosts lead a run through one Course: `begin_pass` before each pass, `next_look` before
each evaluation, `observe` behind it. What a look is made of, and how the sampler steps, is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .canvas.haar import unpack_channels
from .canvas.noise_level import FLOW, Parameterisation
from .look.convergence import ConvergenceTracker
from .look.dense import FULL, DenseLook
from .look.mixed import MixedLook
from .look.promotion import DEFAULT_ORDER, ORDERS, Order, Promoter
from .look.spectral import SpectralRule
from .look.spectrum import coarsest_level
from .schedule.looks import MAX_LEVEL
from .schedule.plan import Plan, PlannedPass
from .schedule.stage import within
from .schedule.steps import FULL_STEP, Step

ChosenLook = DenseLook | MixedLook


@dataclass
class _Now:
    """Where a run is: its pass, what that may not be coarser than, whether its mixed looks go on all the
    same, the sigma from which on it has its last look, and whether it has come to that look, behind which no
    other follows."""

    index: int = 0
    coarsest: int = MAX_LEVEL
    keeps_mixed: bool = False
    full_below: float = 0.0
    settled: bool = False


class Course:
    """The decisions of one run over `plan`, of a canvas (batch, C, ..., H, W).

    order: which blocks of mixed steps are fine first, unless the schedule names it. watched: whether the
    convergence of every evaluation is wanted, in blocks of 2^block_level latent pixels.
    """

    def __init__(
        self, plan: Plan, batch: int, parameterisation: Parameterisation = FLOW, order: Order | None = None,
        block_level: int = 2, watched: bool = False,
    ):
        self.plan = plan
        self.parameterisation = parameterisation
        self.look: ChosenLook = FULL
        self._batch = batch
        self._now = _Now()
        self._rule = SpectralRule(parameterisation)
        self._refused: set[type] = set()
        named = ORDERS[plan.schedule.order or DEFAULT_ORDER]
        chosen = named if order is None or plan.schedule.order else order
        self._promoter = Promoter(plan.canvas, chosen) if plan.mixed else None
        self._tracker = ConvergenceTracker(block_level) if watched or plan.mixed else None

    @property
    def planned(self) -> PlannedPass:
        """The pass that the run is in."""
        return self.plan.passes[self._now.index]

    @property
    def pass_index(self) -> int:
        """The number of that pass, from 0."""
        return self._now.index

    def crossing(self, index: int) -> tuple[float, float] | None:
        """The levels that the last prediction crosses between before a pass, from which it was drawn at to
        the first look; None where it needs no bridge."""
        planned = self.plan.passes[index]
        levels = self.look.level, planned.levels[0]
        coarser = levels[0] > levels[1] or self.look.halvings
        return levels if planned.via_pixels and coarser else None

    def begin_pass(self, index: int, picture: Tensor | None = None, full_below: float = 0.0) -> str | None:
        """Before a pass that begins from the clean `picture` (B, C, ..., H, W), a later one's from the last
        prediction. Predictions of one pass are not compared with those of the next.

        From full_below on it has its last look, for samplers that leave their grid. Returns why the pass is
        full against its plan, if it is: a coarse look would hide detail which the picture already has. Reads
        from the device once, where a later pass is coarse.
        """
        planned = self.plan.passes[index]
        now = self._now = _Now(index, full_below=full_below)
        if self._tracker is not None:
            self._tracker.reset()
        if self._promoter is not None:
            self._promoter.begin_pass()
        if picture is None:
            return None
        if index and any(planned.levels):
            sigma, spread = planned.sigmas[0], self._spread(picture)
            now.coarsest = coarsest_level(spread, sigma, MAX_LEVEL, self.parameterisation)
            held = any(step.fine is None and step.level > now.coarsest for step in planned.looks)
            now.keeps_mixed = self.plan.goes_on_mixed(index) and not held  # a pass never becomes coarser
        if planned.tolerance is not None:
            self._rule.reset(self._spread(picture), planned.levels[0])
        if now.coarsest or now.keeps_mixed:
            return None
        return (
            f"pass {index + 1} starts at sigma {planned.sigmas[0]:.4g}, where a coarse look would lose "
            "detail that the picture already has"
        )

    def next_look(self, sigma: Tensor) -> ChosenLook:
        """The look of the evaluation at `sigma`, shape () or (B,). Reads from the device only in passes that
        change their look, once an evaluation, and only until the last look is reached."""
        step = self._next_step(sigma)
        if step.fine is not None and self._promoter is not None:
            self.look = MixedLook(self._promoter.layout(step.fine, self._batch, sigma.device))
        else:
            self.look = DenseLook(step.level, step.halvings)
        return self.look

    def look_full(self) -> ChosenLook:
        """The look of an evaluation that must see the whole canvas, whatever is planned."""
        self.look = FULL
        return self.look

    def observe(self, prediction: Tensor) -> Tensor | None:
        """Take in the clean prediction (B, C, ..., H, W) of the evaluation; returns its convergence
        (B, T, h, w), None for a pass's first or where nobody watches."""
        convergence = None if self._tracker is None else self._tracker.update(prediction)
        if self._promoter is not None:
            self._promoter.observe(prediction, convergence)
        if self.planned.tolerance is not None:
            self._rule.observe(self._spread(prediction), self.look.level)
        return convergence

    def refuse(self) -> None:
        """Take no look of the current one's kind any more: the model does not. Where it takes no dense ones,
        mixed ones are not tried."""
        self._refused.add(type(self.look))

    def _next_step(self, sigma: Tensor) -> Step:
        now, planned, value, index = self._now, self.planned, 0.0, -1
        if not (planned.uniform or now.settled):
            value = self._rule.read(sigma)
            index = -1 if value <= now.full_below * (1.0 + 1e-5) else planned.step_at(value)
            held = planned.least_sigma > 0.0 and planned.looks[-1] != FULL_STEP
            now.settled = not held and planned.looks[index] == planned.looks[-1]
        step = planned.looks[index]
        keeps = step.fine is not None and now.keeps_mixed
        level = step.level if keeps else min(step.level, now.coarsest)
        if planned.tolerance is not None:
            level = self._rule.choose(level, planned.tolerance, value)
            now.settled = level == 0
        step = step if level == step.level else Step(level, halvings=step.halvings)
        if planned.least_sigma:
            step = within(value, step, planned.least_sigma, self.parameterisation)
        kind = DenseLook if step.fine is None else MixedLook
        return FULL_STEP if {DenseLook, kind} & self._refused else step

    def _spread(self, x: Tensor) -> Tensor:
        """x with the pixels that its channels hold spread out."""
        return unpack_channels(x, self.plan.canvas.packing)
