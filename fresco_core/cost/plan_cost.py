"""A plan's cost on an architecture, step by step, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..plan import Plan
from .transformer import Architecture


@dataclass(frozen=True)
class StepCost:
    """One step: its pass, level, image tokens per sample, and FLOPs of one evaluation."""

    pass_index: int
    level: int
    tokens: int
    flops: int


@dataclass(frozen=True)
class PlanCost:
    """What the steps of a plan cost, and one step at full resolution, in FLOPs for one evaluation a step.

    kept_bytes: what its focus steps keep in 16 bits, 0 without any. least: whether the plan leaves levels to
    the run (`auto`), so that this is the least that it can cost, and the gains are the largest possible.
    Solvers that evaluate more than once a step multiply all of it alike, so that the gains stay.
    """

    steps: tuple[StepCost, ...]
    full_step: int
    kept_bytes: int = 0
    least: bool = False

    @property
    def flops(self) -> int:
        """FLOPs of the whole run."""
        return sum(step.flops for step in self.steps)

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
        if self.kept_bytes:
            gains += f"; focus keeps {self.kept_bytes / 2**30:.3g} GiB of keys and values"
        return f"{in_words(self.full_step)} a full step, {at_least}{in_words(self.flops)} in all: {gains}"


def in_words(flops: int) -> str:
    """FLOPs in the unit that suits them."""
    return f"{flops / 1e12:.4g} TFLOPs" if flops >= 1e12 else f"{flops / 1e9:.4g} GFLOPs"


def plan_cost(
    plan: Plan, architecture: Architecture, batch: int = 1, text_tokens: int | None = None
) -> PlanCost:
    """The cost of `plan`; `batch` samples an evaluation, a conditional and an unconditional one counting as
    two."""

    steps = tuple(
        StepCost(index, level, tokens, architecture.step_flops(tokens, batch, text_tokens, kept_tokens=kept))
        for index, p in enumerate(plan.passes)
        for level, tokens, kept in zip(p.levels, p.tokens(plan.canvas), p.kept_tokens(plan.canvas))
    )
    full = plan.canvas.tokens(0)
    kept_bytes = architecture.key_value_bytes(full, batch) if plan.focus_shares else 0
    return PlanCost(steps, architecture.step_flops(full, batch, text_tokens), kept_bytes, plan.open)
