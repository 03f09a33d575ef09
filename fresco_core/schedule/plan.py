"""A plan: a schedule worked out for one run's sigmas, canvas and patch size. planning.py makes it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..canvas.size import Canvas
from .schedule import Schedule
from .sigmas import Grid, Sigmas
from .steps import FULL_STEP, Step


@dataclass(frozen=True)
class PlannedPass:
    """One run of the sampler: its sigmas (steps + 1, falling, in the model's unit), and what each step sees.

    tolerance: of a pass whose coarse steps are `spectral`: each has its level or a finer one, as spectral.py
    finds in the run. least_sigma: what no level's own sigma may fall below, the end of a stage whose model is
    not to be asked about less noise; 0 elsewhere. via_pixels: whether the picture of the pass before crosses
    the bridge.
    """

    sigmas: Grid
    looks: tuple[Step, ...]
    tolerance: float | None = None
    least_sigma: float = 0.0
    via_pixels: bool = False

    @property
    def steps(self) -> int:
        """Number of sampler steps."""
        return len(self.looks)

    @property
    def levels(self) -> tuple[float, ...]:
        """The level of each step."""
        return tuple(step.level for step in self.looks)

    @property
    def uniform(self) -> bool:
        """Whether all evaluations have one look, known beforehand."""
        open_levels = self.tolerance is not None or (self.least_sigma > 0.0 and self.looks[0] != FULL_STEP)
        return not open_levels and len(set(self.looks)) == 1

    def tokens(self, canvas: Canvas) -> tuple[int, ...]:
        """Image tokens per sample of each step; the least of a `spectral` one."""
        tokens = {step: step.tokens(canvas) for step in set(self.looks)}
        return tuple(tokens[step] for step in self.looks)

    def step_at(self, sigma: float) -> int:
        """The step that an evaluation at `sigma` belongs to: the last one that starts at or above it.

        Samplers that evaluate between the grid's sigmas, or slightly above the first, are covered.
        """
        above = bisect_right(self.sigmas, -sigma + 1e-7 * (1.0 + abs(sigma)), hi=self.steps, key=lambda s: -s)
        return min(max(above - 1, 0), self.steps - 1)


@dataclass(frozen=True)
class Plan:
    """Passes to run.

    schedule: fitted to the canvas, unless the run is plain. reason: where given, says why the run is plain
    against its schedule. note: where given, says how the run keeps from its schedule.
    """

    schedule: Schedule
    canvas: Canvas
    passes: tuple[PlannedPass, ...]
    reason: str | None = None
    note: str | None = None

    @property
    def plain(self) -> bool:
        """Whether the sampler just runs as it would without Fresco."""
        return len(self.passes) == 1 and all(step == FULL_STEP for step in self.passes[0].looks)

    @property
    def steps(self) -> int:
        """Steps over all passes."""
        return sum(p.steps for p in self.passes)

    @property
    def open(self) -> bool:
        """Whether levels are left to the run, by `spectral`, or by what the pass before a coarse one has
        drawn: tokens and costs are then the least possible."""
        drawn = any(any(p.levels) for p in self.passes[1:])
        return drawn or any(p.tolerance is not None for p in self.passes)

    @property
    def mixed(self) -> bool:
        """Whether any step is, which a model must know how to take."""
        return any(step.fine is not None for p in self.passes for step in p.looks)

    def tokens(self) -> int:
        """Image tokens per sample over all steps, for one evaluation a step."""
        return sum(sum(p.tokens(self.canvas)) for p in self.passes)

    def full_tokens(self) -> int:
        """Image tokens per sample of as many steps at full resolution."""
        return self.steps * self.canvas.tokens(0)

    def dense(self) -> Plan:
        """The same plan with every mixed step at full resolution, for models that take none."""
        return self.with_steps(lambda step: step if step.fine is None else FULL_STEP)

    def with_steps(self, change: Callable[[Step], Step]) -> Plan:
        """The same plan with every step as `change` makes it."""
        passes = (replace(p, looks=tuple(map(change, p.looks))) for p in self.passes)
        return replace(self, passes=tuple(passes))

    def goes_on_mixed(self, index: int) -> bool:
        """Whether a pass comes behind one that ends mixed: what its own mixed looks see coarse, that has too,
        as blocks stay fine once they are."""
        return index > 0 and self.passes[index - 1].looks[-1].fine is not None


def plain_plan(schedule: Schedule, sigmas: Sigmas, canvas: Canvas, reason: str | None = None) -> Plan:
    """One pass over `sigmas`, every step at full resolution."""
    steps = max(len(sigmas) - 1, 0)
    return Plan(schedule, canvas, (PlannedPass(tuple(sigmas), (FULL_STEP,) * steps),), reason)
