"""What a run did, evaluation by evaluation, and how far each block had converged."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from .canvas import Canvas
from .cost.plan_cost import in_words
from .layout import Layout
from .plan import Plan
from .schedule import level_name


@dataclass
class Evaluation:
    """One call of the denoiser: the pass it belongs to, canvas sigma (a tensor until the trace is finished),
    level, image tokens per sample, the blockwise convergence (B, T, h, w), None for a pass's first, and the
    promotion mask (B, T, rows, columns) of a mixed evaluation, True where a block was fine. A focused one is
    at level 0 with fewer tokens than that has.

    flops: what it cost, of all conditionings together; full_flops: what it would have cost at full
    resolution. 0 where the architecture is not known.
    """

    pass_index: int
    sigma: Tensor | float
    level: int
    tokens: int
    convergence: Tensor | None
    fine: Tensor | None = None
    flops: int = 0
    full_flops: int = 0


@dataclass
class Trace:
    """The record of a run. `batch` counts its pictures, `scale` the pixels of a picture per latent pixel."""

    batch: int
    canvas: Canvas
    block_level: int
    plan: Plan | None = None
    scale: int = 8
    result: tuple[float, float] | None = None
    evaluations: list[Evaluation] = field(default_factory=list)

    def add(
        self,
        pass_index: int,
        sigma: Tensor,
        level: int,
        convergence: Tensor | None,
        layout: Layout | None = None,
        flops: int = 0,
        full_flops: int = 0,
    ) -> None:
        """Record an evaluation, mixed or focused if it had a layout; keeps device tensors, so that nothing
        synchronises."""
        tokens = self.canvas.tokens(level) if layout is None else layout.tokens
        fine = None if layout is None or level == 0 else layout.mask
        self.evaluations.append(
            Evaluation(pass_index, sigma.detach(), level, tokens, convergence, fine, flops, full_flops)
        )

    def finish(self) -> Trace:
        """Move everything to the CPU, once the run is over (on an error too)."""
        for e in self.evaluations:
            if isinstance(e.sigma, Tensor):
                e.sigma = float(e.sigma.flatten()[0])
            if e.convergence is not None:
                e.convergence = e.convergence.cpu()
            if e.fine is not None:
                e.fine = e.fine.cpu()
        return self

    @property
    def tokens(self) -> int:
        """Image tokens per sample over the whole run."""
        return sum(e.tokens for e in self.evaluations)

    @property
    def full_tokens(self) -> int:
        """Image tokens per sample of as many evaluations at full resolution."""
        return len(self.evaluations) * self.canvas.tokens(0)

    @property
    def flops(self) -> int:
        """FLOPs of the whole run; 0 where the architecture is not known."""
        return sum(e.flops for e in self.evaluations)

    @property
    def full_flops(self) -> int:
        """FLOPs of as many evaluations at full resolution; 0 where the architecture is not known."""
        return sum(e.full_flops for e in self.evaluations)

    def sign(self, samples: Tensor) -> None:
        """Remember the latent that the run made, by its sum and its sum of magnitudes."""
        self.result = signature(samples)

    def summary(self, baseline_steps: int = 0) -> str:
        """One line: evaluations per level, tokens and, where known, FLOPs saved; unless 0, `baseline_steps`
        full steps are compared with too, at this run's evaluations per step."""
        if not self.evaluations:
            return "no evaluation recorded"
        full = self.canvas.tokens(0)
        dense = [e.level for e in self.evaluations if e.fine is None and (e.level or e.tokens == full)]
        mixed = sum(e.fine is not None for e in self.evaluations)
        focused = len(self.evaluations) - len(dense) - mixed
        counts = [
            f"{dense.count(level)} at {level_name(level)}" for level in sorted(set(dense), reverse=True)
        ]
        counts[-1:-1] = [f"{n} {word}" for n, word in ((mixed, "mixed"), (focused, "focused")) if n]
        listed = ", ".join(counts)
        words = (
            f"{len(self.evaluations)} evaluations ({listed}), {self.tokens} image tokens instead of "
            f"{self.full_tokens} ({self.full_tokens / self.tokens:.2f}x fewer)"
        )
        if not self.flops:
            return words
        gain = self.full_flops / self.flops
        words += f", {in_words(self.flops)} instead of {in_words(self.full_flops)} ({gain:.2f}x less"
        if baseline_steps and self.plan is not None:
            words += f"; {gain * baseline_steps / self.plan.steps:.2f}x less than {baseline_steps} full steps"
        return words + ")"


def signature(samples: Tensor) -> tuple[float, float]:
    """Sum and sum of magnitudes of a latent: tells runs apart, cheap to compare."""
    values = samples.detach().double()
    return float(values.sum()), float(values.abs().sum())
