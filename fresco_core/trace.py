"""What a run did, evaluation by evaluation, and how far each block had converged."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from .canvas.size import Canvas
from .course import ChosenLook
from .look.mixed import MixedLook
from .schedule.plan import Plan


@dataclass
class Evaluation:
    """One call of the denoiser: the pass it belongs to, canvas sigma (a tensor until the trace is finished),
    level, image tokens per sample, the blockwise convergence (B, T, h, w), None for a pass's first, and the
    promotion mask (B, T, rows, columns) of a mixed evaluation, True where a block was fine.

    flops: what it cost, of all conditionings together; full_flops: what it would have cost at full
    resolution. 0 where the architecture is not known. halvings: in time, of the frames that it had.
    """

    pass_index: int
    sigma: Tensor | float
    level: float
    tokens: int
    convergence: Tensor | None
    fine: Tensor | None = None
    flops: int = 0
    full_flops: int = 0
    halvings: int = 0


@dataclass
class Trace:
    """The record of a run. `batch` counts its pictures, `scale` the pixels of a picture per latent pixel.
    crossings: seconds that carrying a draft over pixels took, by the pass behind it."""

    batch: int
    canvas: Canvas
    block_level: int
    plan: Plan | None = None
    scale: int = 8
    result: tuple[float, float] | None = None
    evaluations: list[Evaluation] = field(default_factory=list)
    crossings: dict[int, float] = field(default_factory=dict)

    def add(
        self, pass_index: int, sigma: Tensor, look: ChosenLook, convergence: Tensor | None, flops: int = 0,
        full_flops: int = 0,
    ) -> None:
        """Record an evaluation; keeps device tensors, so that nothing synchronises."""
        tokens, fine = self.canvas.tokens(look.level, look.halvings), None
        if isinstance(look, MixedLook):
            tokens, fine = look.layout.tokens, look.layout.mask
        seen = pass_index, sigma.detach(), look.level, tokens, convergence, fine
        self.evaluations.append(Evaluation(*seen, flops, full_flops, look.halvings))

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
