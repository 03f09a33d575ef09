"""A plan: a schedule worked out for one run's sigmas, canvas and patch size."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from .canvas import MIN_TOKENS_PER_SIDE, Canvas
from .clock import FLOW, Parameterisation
from .division import check_amounts, divided, looks_of_steps
from .fitting import fitted, least_steps, shortened
from .focus import REFRESH
from .grid import check_sigmas, pass_grid
from .schedule import MAX_LEVEL, Look, Schedule, ScheduleError, level_name
from .shares import few_shares, nearest, wanted_shares
from .stage import counted, for_stage, held_levels, starts_low, suits_stage
from .wording import quoted


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
    coarse tokens, and 0 makes it a focus step. tolerance: of a pass whose coarse steps are `auto`: each has
    its level or a finer one, as settling.py finds in the run. least_sigma: what no level's own sigma may fall
    below, the end of a stage whose model is not to be asked about less noise; 0 elsewhere.
    """

    sigmas: tuple[float, ...]
    levels: tuple[int, ...]
    mixes: tuple[Mix | None, ...] = ()
    tolerance: float | None = None
    least_sigma: float = 0.0

    @property
    def steps(self) -> int:
        """Number of sampler steps."""
        return len(self.levels)

    @property
    def uniform(self) -> bool:
        """Whether all evaluations have one look, known beforehand."""
        open_levels = self.tolerance is not None or (self.least_sigma > 0.0 and any(self.levels))
        return not open_levels and len(set(self.levels)) == 1 and len(set(self.mixes)) <= 1

    def mix_at(self, step: int) -> Mix | None:
        """The mix of a step (negative: from the end), None if it is dense."""
        return self.mixes[step] if self.mixes else None

    def tokens(self, canvas: Canvas) -> tuple[int, ...]:
        """Image tokens per sample of each step; the least of an `auto` one."""
        kinds = list(zip(self.levels, self.mixes or (None,) * self.steps))
        tokens = {
            (level, mix): canvas.tokens(level) if mix is None else canvas.mixed_tokens(level, mix.share)
            for level, mix in set(kinds)
        }
        return tuple(tokens[kind] for kind in kinds)

    def kept_tokens(self, canvas: Canvas) -> tuple[int, ...]:
        """Image tokens per sample of each step that are only seen, as keys and values kept from before."""
        mixes, full = self.mixes or (None,) * self.steps, canvas.tokens(0)
        return tuple(
            full - queried if level == 0 and mix is not None else 0
            for level, mix, queried in zip(self.levels, mixes, self.tokens(canvas))
        )

    def step_at(self, sigma: float) -> int:
        """The step that an evaluation at `sigma` belongs to: the last one that starts at or above it.

        Samplers that evaluate between the grid's sigmas, or slightly above the first, are covered.
        """
        above = bisect_right(
            self.sigmas, -sigma + 1e-7 * (1.0 + abs(sigma)), hi=self.steps, key=lambda s: -s
        )
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
        return len(self.passes) == 1 and not any(self.passes[0].levels) and not self.passes[0].mixes

    @property
    def steps(self) -> int:
        """Steps over all passes."""
        return sum(p.steps for p in self.passes)

    @property
    def open(self) -> bool:
        """Whether levels are left to the run, by `auto`, or by what a full pass has drawn before a coarse
        one: tokens and costs are then the least possible."""
        later = zip(self.passes, self.passes[1:])
        return any(p.tolerance is not None for p in self.passes) or any(
            any(p.levels) and before.levels[-1:] == (0,) for before, p in later
        )

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

    @property
    def parts(self) -> tuple[str, ...]:
        """The schedule's words for its steps that a model must know how to take: mixed, focus."""
        found = (("mixed", self.mixed_shares), ("focus", self.focus_shares))
        return tuple(word for word, shares in found if shares)

    def _shares(self, focus: bool) -> tuple[float, ...]:
        steps = (step for p in self.passes for step in zip(p.levels, p.mixes))
        return tuple(sorted({m.share for level, m in steps if m is not None and (level == 0) == focus}))

    def dense(self) -> Plan:
        """The same plan with every mixed or focus step at full resolution, for models that take neither."""
        passes = []
        for p in self.passes:
            mixes = p.mixes or (None,) * p.steps
            levels = tuple(level if mix is None else 0 for level, mix in zip(p.levels, mixes))
            passes.append(replace(p, levels=levels, mixes=()))
        return replace(self, passes=tuple(passes))

    def without_focus(self) -> Plan:
        """The same plan with every focus step at full resolution, where memory is short."""
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
        lines += [self.note] if self.note else []
        least, up_to = ("at least ", "up to ") if self.open else ("", "")
        lines.append(
            f"{least}{self.tokens()} image tokens instead of {self.full_tokens()} for {self.steps} steps "
            f"({up_to}{self.full_tokens() / self.tokens():.2f}x fewer)"
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
            if p.tolerance is not None and level:
                what += " or finer"
                counted += f" to {self.canvas.tokens(0)}"
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
    coarsest: int = MAX_LEVEL,
    pass_steps: int = 1,
) -> Plan:
    """Work `schedule` out for a run over `sigmas` (falling, the host's grid for the total number of steps).

    A single pass keeps the grid as it is. Of several passes each gets its own steps, spread as the grid
    spreads them. Looks marked `~` are fitted to the canvas. sigma_max: where a run from pure noise starts
    (default: sigmas[0]). coarsest: the coarsest level that the run may begin with, by what its latent holds
    (spectrum.py). pass_steps: the fewest steps that the sampler makes a pass of.

    A run that ends above sigma 0 is a stage of a longer one: no level's own sigma falls below its end. A
    schedule of several passes becomes one that is as coarse as the noise allows, as a draft would have to
    leave the stage's range.

    Runs that cannot gain come back plain with a reason. Raises ScheduleError where the schedule does not fit
    the steps, the sigmas or the canvas.
    """
    steps = max(len(sigmas) - 1, 0)
    asked = schedule

    def plain(reason: str | None = None) -> Plan:
        return plain_plan(asked, sigmas, canvas, reason)

    if schedule.off or steps == 0:
        return plain()
    check_sigmas(sigmas)
    check_fits(schedule, sigmas)
    if not canvas.allows(1):
        return plain(
            f"the latent is {canvas.height}x{canvas.width}: too small for half resolution, which needs "
            f"{MIN_TOKENS_PER_SIDE} tokens of {canvas.patch} latent pixels a side"
        )
    end, note = float(sigmas[-1]), None
    staged = end > 0.0 and not suits_stage(schedule)
    if staged and counted(schedule):
        return plain(
            f"this run is a stage that ends at sigma {end:.4g}, where a draft cannot run to its end; "
            "write for example 'auto', or one pass such as '1/2 x4, full x2'"
        )
    schedule = shortened(schedule, steps)
    needed = 2 if staged else max(least_steps(schedule), 2)
    if steps < needed:
        return plain(f"a run of {steps} is too short for '{asked}', which needs {needed} steps")
    schedule = fitted(schedule, canvas)
    if asked.deepest and not schedule.deepest:
        return plain(canvas.too_small())
    if not canvas.allows(schedule.deepest):
        possible = max(level for level in range(schedule.deepest) if canvas.allows(level))
        raise ScheduleError(
            f"'{schedule}' looks at {level_name(schedule.deepest)} resolution, but a latent of "
            f"{canvas.height}x{canvas.width} "
            f"with patches of {canvas.patch} would have fewer than {MIN_TOKENS_PER_SIDE} tokens a side; "
            f"use {level_name(possible)} at the most, or a larger picture"
        )
    if staged:
        schedule = for_stage(schedule)
        note = f"a stage that ends at sigma {end:.4g} holds no draft: '{schedule}' instead of '{asked}'"
    counts = divided(schedule, steps)
    share = parameterisation.share(float(sigmas[0]))
    if coarsest == 0 or starts_low(sigmas[0], sigma_max or sigmas[0], parameterisation):
        return plain(
            f"the run starts at sigma {share:.4g}, where detail already shows through the noise: a coarse "
            "look would lose it"
        )
    planned = []
    for p, parts in zip(schedule.passes, counts):
        grid: tuple[float, ...] | None = tuple(float(s) for s in sigmas)
        if len(schedule.passes) > 1:
            words = p.describe(alone=False)
            if sum(parts) < pass_steps:
                return plain(
                    f"this sampler needs {pass_steps} steps in every pass, and '{words}' has {sum(parts)} "
                    f"of {steps}"
                )
            grid = pass_grid(p, sigmas, sum(parts), parameterisation)
            if grid is None:
                return plain(f"the sigmas of '{words}' would not fall in {sum(parts)} steps of this run")
        assert grid is not None
        planned.append((grid, looks_of_steps(p, parts, grid, parameterisation)))
    tolerances = [p.looks[0].auto for p in schedule.passes]
    passes = [replace(p, tolerance=auto) for p, auto in zip(_planned(planned, canvas), tolerances)]
    passes[0], held = _held(passes[0], coarsest, end, parameterisation)
    plan = Plan(schedule, canvas, tuple(passes), note=note or held)
    if not any(level or mix for p in plan.passes for level, mix in zip_longest(p.levels, p.mixes)):
        return plain(held or f"the run starts at sigma {share:.4g}, where '{plan.schedule}' is already full")
    return plan


def _held(
    p: PlannedPass, coarsest: int, end: float, parameterisation: Parameterisation
) -> tuple[PlannedPass, str | None]:
    """The first pass of a run that ends at `end`, its levels held to what stage.py allows; and why any is."""
    levels, why = held_levels(p.sigmas[:-1], p.levels, coarsest, end, parameterisation)
    mixes = [mix if now == was else None for mix, now, was in zip(p.mixes, levels, p.levels)]
    return (
        replace(p, levels=tuple(levels), mixes=tuple(mixes) if any(mixes) else (), least_sigma=end),
        why,
    )


def check_fits(schedule: Schedule, sigmas: Sequence[float]) -> None:
    """Raises ScheduleError where a run over `sigmas` ends clean but not full, or has other steps than the
    schedule's amounts add up to."""
    if sigmas[-1] == 0.0:
        check_end(schedule)
    check_amounts(schedule, len(sigmas) - 1)


def check_end(schedule: Schedule) -> None:
    """Raises ScheduleError where the schedule ends coarse, which no run may that ends clean."""
    if not schedule.ends_full:
        raise ScheduleError(
            f"{quoted(schedule)} never becomes full: in a run that ends clean (at sigma 0) the last look of "
            "the last pass must be 'full'; add ', full' to it or a pass such as '; refine 0.95'"
        )


def _planned(
    passes: Sequence[tuple[tuple[float, ...], list[Look]]], canvas: Canvas
) -> tuple[PlannedPass, ...]:
    """Passes of (sigmas, look per step) as planned: every mixed step with its share, the distinct ones few.

    The share of a look grows evenly from its floor at its first step to its ceiling at its last. Mixed steps
    whose share leaves no block fine, or none coarse, are dense. The first of adjoining focus steps queries
    all tokens, and every REFRESH-th after it.
    """
    wanted = [wanted_shares(looks) for _, looks in passes]
    shares = few_shares([look for _, looks in passes for look in looks], list(chain.from_iterable(wanted)))
    planned = []
    seen: dict[tuple[Look, float | None], tuple[int, Mix | None]] = {}
    for (sigmas, looks), row in zip(passes, wanted):
        steps: list[tuple[int, Mix | None]] = []
        focused = 0  # steps since the first of these focus steps
        for look, share in zip(looks, row):
            key = look, None if share is None else nearest(shares[look.level], share)
            if key not in seen:
                seen[key] = _seen(*key, canvas)
            level, mix = seen[key]
            if mix is not None and level == 0:
                mix = replace(mix, share=1.0) if focused % REFRESH == 0 else mix
                focused += 1
            else:
                focused = 0
            steps.append((level, mix))
        levels, mixes = tuple(level for level, _ in steps), tuple(mix for _, mix in steps)
        planned.append(PlannedPass(sigmas, levels, mixes if any(mixes) else ()))
    return tuple(planned)


def _seen(look: Look, share: float | None, canvas: Canvas) -> tuple[int, Mix | None]:
    """Level and mix of a step with a look, of `share` of fine blocks or queried tokens."""
    if share is None or look.fine is None:
        return look.level, None
    rows, columns = canvas.blocks(look.level)
    fine = canvas.fine_blocks(look.level, share)
    if look.level == 0:
        return 0, Mix(share if fine else 1.0, *look.fine)
    if fine == rows * columns:
        return 0, None
    return look.level, Mix(share, *look.fine) if fine else None
