"""A plan's cost on an architecture, step by step, before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..canvas.size import Canvas
from ..schedule.plan import Plan
from ..text.in_words import flops_in_words
from .transformer import Architecture


@dataclass(frozen=True)
class StepCost:
    """One step: its pass, level, image tokens per sample, and FLOPs of one evaluation."""

    pass_index: int
    level: float
    tokens: int
    flops: int


@dataclass(frozen=True)
class PlanCost:
    """What the steps of a plan cost, and one step at full resolution, in FLOPs for one evaluation a step.

    least: whether the plan leaves levels to the run (`spectral`), so that this is the least that it can cost,
    and the gains are the largest possible. bridge: of carrying drafts over pixels, None where that is not
    known. Solvers that evaluate more than once a step multiply all of it alike, so that the gains stay.
    """

    steps: tuple[StepCost, ...]
    full_step: int
    least: bool = False
    bridge: int | None = 0

    @property
    def flops(self) -> int:
        """FLOPs of the whole run."""
        return sum(step.flops for step in self.steps) + (self.bridge or 0)

    @property
    def tokens(self) -> int:
        """Image tokens per sample of the whole run."""
        return sum(step.tokens for step in self.steps)

    @property
    def gain_equal_steps(self) -> float:
        """How many times as much the same number of steps costs at full resolution."""
        return self.gain_over(len(self.steps))

    def gain_over(self, baseline_steps: int) -> float:
        """How many times as much `baseline_steps` steps at full resolution cost."""
        return baseline_steps * self.full_step / self.flops if self.steps else 1.0

    def describe(self, baseline_steps: int = 0) -> str:
        """One line for the user; `baseline_steps` full steps are compared with too, unless 0."""
        at_least, up_to = ("at least ", "up to ") if self.least else ("", "")
        gains = f"{up_to}{self.gain_equal_steps:.2f}x less than {len(self.steps)} full steps"
        if baseline_steps:
            gains += f", {self.gain_over(baseline_steps):.2f}x less than {baseline_steps}"
        step, run = flops_in_words(self.full_step), flops_in_words(self.flops)
        unknown = "" if self.bridge is not None else ", without the VAE's share, which is not known"
        over = f", {flops_in_words(self.bridge)} of them for the VAE" if self.bridge else unknown
        return f"{step} a full step, {at_least}{run} in all{over}: {gains}"


def crossings(plan: Plan) -> list[tuple[float, float, int]]:
    """Where a plan's drafts go over pixels: the level crossed from, the level crossed to, and how often the
    draft's frames were halved. A draft as fine as the pass behind it has nothing to cross."""
    found = []
    for before, behind in zip(plan.passes, plan.passes[1:]):
        last = before.looks[-1]
        if behind.via_pixels and (last.level > behind.levels[0] or last.halvings):
            found.append((last.level, behind.levels[0], last.halvings))
    return found


def plan_cost(
    plan: Plan,
    architecture: Architecture,
    batch: int = 1,
    text_tokens: int | None = None,
    bridge: int | None = 0,
    references: Sequence[Canvas] = (),
) -> PlanCost:
    """The cost of `plan`; `batch` samples an evaluation, a conditional and an unconditional one counting as
    two. bridge: FLOPs of carrying its drafts over pixels, None where that is not known. references: pictures
    of reference, which dense looks see at their level and mixed ones in full."""

    def flops(tokens: int, level: float) -> int:
        beside = sum(reference.tokens(level) for reference in references)
        return architecture.step_flops(tokens + beside, batch, text_tokens)

    steps = tuple(
        StepCost(index, step.level, tokens, flops(tokens, step.level if step.fine is None else 0))
        for index, p in enumerate(plan.passes)
        for step, tokens in zip(p.looks, p.tokens(plan.canvas))
    )
    full = flops(plan.canvas.tokens(0), 0)
    return PlanCost(steps, full, plan.open, bridge)
