"""A plan: a schedule worked out for one run's sigmas, canvas and patch size."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from .canvas import MIN_TOKENS_PER_SIDE, Canvas
from .clock import FLOW, Flow, Parameterisation
from .focus import REFRESH
from .schedule import Look, Pass, Schedule, ScheduleError, level_name, pass_amounts
from .shares import few_shares, nearest, wanted_share


@dataclass(frozen=True)
class Mix:
    """A mixed or focus step: the planned share of its blocks that are fine, or of its tokens that are queried
    (all of them where the focus look refreshes), and the floor and ceiling of its look."""

    share: float
    floor: float
    ceiling: float


@dataclass(frozen=True)
class PlannedPass:
    """One run of the sampler: its sigmas (steps + 1, falling, in the model's unit), a level per step.

    mixes: where any step is mixed, a Mix per step, None for dense ones; a mixed step's level is that of its
    coarse tokens, and 0 makes it a focus step.
    """

    sigmas: tuple[float, ...]
    levels: tuple[int, ...]
    mixes: tuple[Mix | None, ...] = ()

    @property
    def steps(self) -> int:
        """Number of sampler steps."""
        return len(self.levels)

    @property
    def uniform(self) -> bool:
        """Whether all steps have one look."""
        return len(set(self.levels)) == 1 and len(set(self.mixes)) <= 1

    def mix_at(self, step: int) -> Mix | None:
        """The mix of a step (negative: from the end), None if it is dense."""
        return self.mixes[step] if self.mixes else None

    def tokens(self, canvas: Canvas) -> tuple[int, ...]:
        """Image tokens per sample of each step."""
        mixes = self.mixes or (None,) * self.steps
        return tuple(
            canvas.tokens(level) if mix is None else canvas.mixed_tokens(level, mix.share)
            for level, mix in zip(self.levels, mixes)
        )

    def kept_tokens(self, canvas: Canvas) -> tuple[int, ...]:
        """Image tokens per sample of each step that are only seen, as keys and values kept from before."""
        mixes = self.mixes or (None,) * self.steps
        return tuple(
            canvas.tokens(0) - queried if level == 0 and mix is not None else 0
            for level, mix, queried in zip(self.levels, mixes, self.tokens(canvas))
        )

    def step_at(self, sigma: float) -> int:
        """The step that an evaluation at `sigma` belongs to: the last one that starts at or above it.

        Samplers that evaluate between the grid's sigmas, or slightly above the first, are covered.
        """
        negated = [-s for s in self.sigmas[:-1]]
        return min(max(bisect_right(negated, -sigma + 1e-7 * (1.0 + abs(sigma))) - 1, 0), self.steps - 1)


@dataclass(frozen=True)
class Plan:
    """Passes to run. `reason`, where given, says why the run is plain against its schedule."""

    schedule: Schedule
    canvas: Canvas
    passes: tuple[PlannedPass, ...]
    reason: str | None = None

    @property
    def plain(self) -> bool:
        """Whether the sampler just runs as it would without Fresco."""
        return len(self.passes) == 1 and not any(self.passes[0].levels) and not self.passes[0].mixes

    @property
    def steps(self) -> int:
        """Steps over all passes."""
        return sum(p.steps for p in self.passes)

    def tokens(self) -> int:
        """Image tokens per sample over all steps, for one evaluation a step."""
        return sum(sum(p.tokens(self.canvas)) for p in self.passes)

    def full_tokens(self) -> int:
        """Image tokens per sample of as many steps at full resolution."""
        return self.steps * self.canvas.tokens(0)

    @property
    def mixed_shares(self) -> tuple[float, ...]:
        """The distinct shares of fine blocks of the mixed steps, rising: `shares.MAX_LENGTHS` at the most."""
        return self._shares(focus=False)

    @property
    def focus_shares(self) -> tuple[float, ...]:
        """The distinct shares of queried tokens of the focus steps, rising; 1 among them."""
        return self._shares(focus=True)

    def _shares(self, focus: bool) -> tuple[float, ...]:
        steps = (step for p in self.passes for step in zip(p.levels, p.mixes))
        return tuple(sorted({m.share for level, m in steps if m is not None and (level == 0) == focus}))

    def dense(self) -> Plan:
        """The same plan with every mixed or focus step at full resolution, for models that take neither."""
        passes = []
        for p in self.passes:
            mixes = p.mixes or (None,) * p.steps
            levels = tuple(level if mix is None else 0 for level, mix in zip(p.levels, mixes))
            passes.append(PlannedPass(p.sigmas, levels))
        return replace(self, passes=tuple(passes))

    def without_focus(self) -> Plan:
        """The same plan with every focus step at full resolution, for models that only mix."""
        passes = []
        for p in self.passes:
            mixes = tuple(mix if level else None for level, mix in zip(p.levels, p.mixes))
            passes.append(replace(p, mixes=mixes if any(mixes) else ()))
        return replace(self, passes=tuple(passes))

    def describe(self) -> str:
        """The plan in a few lines of words for the user."""
        if self.plain:
            return f"{self.steps} steps at full resolution" + (f" ({self.reason})" if self.reason else "")
        lines = []
        for index, p in enumerate(self.passes):
            looks = ", ".join(self._describe_looks(p))
            lines.append(f"pass {index + 1}: sigma {p.sigmas[0]:.4g} to {p.sigmas[-1]:.4g}, {looks}")
        lines.append(
            f"{self.tokens()} image tokens instead of {self.full_tokens()} for {self.steps} steps "
            f"({self.full_tokens() / self.tokens():.2f}x fewer)"
        )
        return "\n".join(lines)

    def _describe_looks(self, p: PlannedPass) -> list[str]:
        mixes = p.mixes or (None,) * p.steps
        kinds = [(level, mix is not None) for level, mix in zip(p.levels, mixes)]
        tokens = p.tokens(self.canvas)
        words = []
        for level, mixed in dict.fromkeys(kinds):
            seen = [n for n, kind in zip(tokens, kinds) if kind == (level, mixed)]
            counted = f"{min(seen)} to {max(seen)}" if min(seen) < max(seen) else f"{seen[0]}"
            what = f"mixed of full and {level_name(level)}" if mixed else f"at {level_name(level)}"
            what = "focused at full" if mixed and level == 0 else what
            words.append(f"{len(seen)} {what} resolution ({counted} tokens)")
        return words


def plain_plan(
    schedule: Schedule, sigmas: Sequence[float], canvas: Canvas, reason: str | None = None
) -> Plan:
    """One pass over `sigmas`, every step at full resolution."""
    return Plan(schedule, canvas, (PlannedPass(tuple(sigmas), (0,) * max(len(sigmas) - 1, 0)),), reason)


def make_plan(
    schedule: Schedule,
    sigmas: Sequence[float],
    canvas: Canvas,
    parameterisation: Parameterisation = FLOW,
    sigma_max: float | None = None,
) -> Plan:
    """Work `schedule` out for a run over `sigmas` (falling, the host's grid for the total number of steps).

    A single pass keeps the grid as it is. Of several passes each gets its own steps, spread as the grid
    spreads them. A rewind to s goes to noise share s of a run that starts from `sigma_max` (default:
    sigmas[0]), and to the same part of the starting share of a run that starts lower. Runs that cannot gain
    come back plain with a reason. Raises ScheduleError where the schedule does not fit the steps, the sigmas
    or the canvas.
    """
    steps = max(len(sigmas) - 1, 0)

    def plain(reason: str | None = None) -> Plan:
        return plain_plan(schedule, sigmas, canvas, reason)

    if schedule.off or steps == 0:
        return plain()
    _check_sigmas(sigmas)
    if not canvas.allows(1):
        return plain(
            f"the latent is {canvas.height}x{canvas.width}: too small for half resolution, which needs "
            f"{MIN_TOKENS_PER_SIDE} tokens of {canvas.patch} latent pixels a side"
        )
    if not canvas.allows(schedule.deepest):
        possible = max(level for level in range(schedule.deepest) if canvas.allows(level))
        raise ScheduleError(
            f"'{schedule}' looks at {level_name(schedule.deepest)} resolution, but a latent of "
            f"{canvas.height}x{canvas.width} "
            f"with patches of {canvas.patch} would have fewer than {MIN_TOKENS_PER_SIDE} tokens a side; "
            f"use {level_name(possible)} at the most, or a larger picture"
        )
    needed = sum(len(pass_amounts(p)) for p in schedule.passes)
    if steps < max(needed, 2):
        return plain(f"a run of {steps} is too short for '{schedule}', which divides it into {needed} parts")
    counts = _divide(schedule, steps)
    planned = []
    for p, parts in zip(schedule.passes, counts):
        grid = tuple(float(s) for s in sigmas)
        if len(schedule.passes) > 1:
            start, end = _range(p, sigmas, parameterisation, sigma_max)
            if start <= end:
                words = p.describe(alone=False)
                return plain(f"'{words}' would start at sigma {start:.4g} and end at {end:.4g} in this run")
            grid = _subgrid(sigmas, start, end, sum(parts), parameterisation)
        planned.append((grid, _looks(p, parts, grid, parameterisation)))
    plan = Plan(schedule, canvas, _planned(planned, canvas))
    if not any(level or mix for p in plan.passes for level, mix in zip_longest(p.levels, p.mixes)):
        first = parameterisation.share(plan.passes[0].sigmas[0])
        return plain(f"the run starts at sigma {first:.4g}, where '{plan.schedule}' is already full")
    return plan


def _check_sigmas(sigmas: Sequence[float]) -> None:
    if not all(math.isfinite(s) and s >= 0.0 for s in sigmas):
        raise ScheduleError(
            f"the sampler's sigmas are not all finite and positive: {_short(sigmas)}; "
            "check the scheduler node"
        )
    for i, (early, late) in enumerate(zip(sigmas, sigmas[1:])):
        if late > early:
            raise ScheduleError(
                f"the sampler's sigmas are out of order at step {i + 1} ({early:.4g} then {late:.4g}); "
                "Fresco needs a falling grid: connect the scheduler's sigmas unflipped, or use 'full'"
            )


def _short(sigmas: Sequence[float]) -> str:
    return ", ".join(f"{s:.4g}" for s in list(sigmas)[:6]) + (", ..." if len(sigmas) > 6 else "")


def _divide(schedule: Schedule, steps: int) -> list[list[int]]:
    """Steps of each look that carries an amount, per pass; largest remainders, at least one step each."""
    looks = [look for p in schedule.passes for look in pass_amounts(p)]
    fixed = sum(look.count or 0 for look in looks)
    free = [look for look in looks if look.count is None]
    if (not free and fixed != steps) or fixed + len(free) > steps:
        raise ScheduleError(
            f"'{schedule}' sets {fixed} steps{' and more' if free else ''}, but the sampler has "
            f"{steps}; set the "
            f"sampler's steps to {fixed if not free else f'{fixed + len(free)} or more'}, or leave the "
            f"counts out "
            "and the steps are divided"
        )
    open_looks = sum(1 for look in free if look.share is None)
    rest = 1.0 - fixed / steps - sum(look.share or 0.0 for look in free)
    even = max(rest, 0.0) / open_looks if open_looks else 0.0
    wanted = [
        float(look.count) if look.count is not None else steps * (even if look.share is None else look.share)
        for look in looks
    ]
    counts = [look.count if look.count is not None else max(1, int(w)) for look, w in zip(looks, wanted)]
    movable = [i for i, look in enumerate(looks) if look.count is None]
    while movable and sum(counts) != steps:
        missing = 1 if sum(counts) < steps else -1
        able = [i for i in movable if counts[i] + missing >= 1]
        i = max(able, key=lambda i: missing * (wanted[i] - counts[i]))
        counts[i] += missing
    parts = iter(counts)
    return [[next(parts) for _ in pass_amounts(p)] for p in schedule.passes]


def _range(
    p: Pass, sigmas: Sequence[float], parameterisation: Parameterisation, sigma_max: float | None
) -> tuple[float, float]:
    """First and last sigma of a pass of several.

    A run that starts clearly lower than pure noise (image to image) has its rewinds and early ends scaled to
    the noise share that it starts from; schedulers that merely begin a little below it have not.
    """
    first, last = float(sigmas[0]), float(sigmas[-1])
    part = parameterisation.share(first) / parameterisation.share(first if sigma_max is None else sigma_max)
    part = 1.0 if part > 0.95 else part
    start = first if p.start is None else min(parameterisation.from_share(p.start * part), first)
    is_last = p.end == 0.0 and p.looks[-1].level == 0 and p.start is not None
    end = last if is_last else parameterisation.from_share(p.end * part)
    return start, end


def _subgrid(
    sigmas: Sequence[float], start: float, end: float, steps: int, parameterisation: Parameterisation
) -> tuple[float, ...]:
    """`steps` steps from `start` to `end`, spread along the run's grid as its own steps are.

    The grid is read as a function of the step: linear between its points for flow models; linear in log sigma
    down to the last positive sigma, with the final jump to 0 kept, for variance-exploding ones.
    """
    grid = np.asarray(sigmas, dtype=np.float64)
    if (start, end, steps) == (grid[0], grid[-1], len(grid) - 1):
        return tuple(float(s) for s in grid)
    exploding = not isinstance(parameterisation, Flow)
    positive = grid[grid > 0.0]
    if exploding and start < positive[-1]:  # below all that the grid shows of its spread
        return _exactly(np.linspace(start, end, steps + 1), start, end)
    body = np.log(positive) if exploding else grid
    lowest = math.log(end) if exploding and end > 0.0 else end
    if lowest < body[-1] and (end > 0.0 or not exploding):
        body = np.append(body, lowest)  # a draft runs on below the sigma at which the run itself ends
    index = np.arange(len(body), dtype=np.float64)

    def position(sigma: float) -> float:
        if exploding:
            sigma = math.log(sigma) if sigma > 0.0 else float(body[-1])
        return float(np.interp(-sigma, -body, index))

    jump = exploding and end == 0.0
    values = np.interp(np.linspace(position(start), position(end), steps if jump else steps + 1), index, body)
    values = np.exp(values) if exploding else values
    return _exactly(np.append(values, 0.0) if jump else values, start, end)


def _exactly(values: np.ndarray, start: float, end: float) -> tuple[float, ...]:
    """The values in float32, as the sampler will have them, with the ends that were asked for."""
    values[0], values[-1] = start, end
    return tuple(float(v) for v in values.astype(np.float32))


def _looks(
    p: Pass, parts: Sequence[int], sigmas: Sequence[float], parameterisation: Parameterisation
) -> list[Look]:
    """The look of every step of a pass."""
    if not p.by_sigma:
        return [look for look, count in zip(p.looks, parts) for _ in range(count)]
    looks = []
    for sigma in sigmas[:-1]:
        share = parameterisation.share(sigma)
        looks.append(next(look for look in p.looks if look.until is None or share > look.until))
    if sigmas[-1] == 0.0 and p.looks[-1].level == 0:
        looks[-1] = p.looks[-1]  # a grid of few steps may jump over the last 'until'; the last step is full
    return looks


def _planned(
    passes: Sequence[tuple[tuple[float, ...], list[Look]]], canvas: Canvas
) -> tuple[PlannedPass, ...]:
    """Passes of (sigmas, look per step) as planned: every mixed step with its share, the distinct ones few.

    The share of a look grows evenly from its floor at its first step to its ceiling at its last. Mixed steps
    whose share leaves no block fine, or none coarse, are dense. The first of adjoining focus steps queries
    all tokens, and every REFRESH-th after it.
    """
    wanted = [[wanted_share(looks, step) for step in range(len(looks))] for _, looks in passes]
    shares = few_shares([look for _, looks in passes for look in looks], sum(wanted, []))
    planned = []
    for (sigmas, looks), row in zip(passes, wanted):
        levels: list[int] = []
        mixes: list[Mix | None] = []
        focused = 0  # steps since the first of these focus steps
        for look, share in zip(looks, row):
            level, mix = look.level, None
            if share is not None and look.fine is not None:
                share = nearest(shares[level], share)
                rows, columns = canvas.blocks(level)
                fine = canvas.fine_blocks(level, share)
                if level == 0:
                    mix = Mix(share if focused % REFRESH and fine else 1.0, *look.fine)
                elif fine == rows * columns:
                    level = 0
                elif fine > 0:
                    mix = Mix(share, *look.fine)
            focused = focused + 1 if mix is not None and level == 0 else 0
            levels.append(level)
            mixes.append(mix)
        planned.append(PlannedPass(sigmas, tuple(levels), tuple(mixes) if any(mixes) else ()))
    return tuple(planned)
