"""From a schedule to a plan, or to a plain run with the reason."""

from __future__ import annotations

from dataclasses import replace

from ..canvas.levels import LEVELS
from ..canvas.noise_level import FLOW, Parameterisation
from ..canvas.size import MIN_TOKENS_PER_SIDE, Canvas
from .division import check_amounts, divided, phases_of_steps
from .looks import MAX_LEVEL, Pass, Spectral, level_name
from .plan import Plan, PlannedPass, plain_plan
from .schedule import Schedule
from .sigmas import Grid, Sigmas, check_sigmas, pass_grid, pass_start
from .stage import for_stage, held, stage_end, starts_low, suits_stage
from .steps import FULL_STEP, steps_of
from .trained_size import fitted, shortened
from .wording import ScheduleError, quoted


class Plain(Exception):
    """Raised where a run cannot gain; its words are the reason."""


def make_plan(
    schedule: Schedule, sigmas: Sigmas, canvas: Canvas, parameterisation: Parameterisation = FLOW,
    sigma_max: float | None = None, coarsest: int = MAX_LEVEL, pass_steps: int = 1, autoencoder: bool = False,
    given_frames: bool = False,
) -> Plan:
    """Work `schedule` out for a run over `sigmas` (falling, the host's grid for the total number of steps).

    A single pass keeps the grid as it is. Of several passes each gets its own steps, spread as the grid
    spreads them. Looks marked `~` are fitted to the canvas. sigma_max: where a run from pure noise starts
    (default: sigmas[0]). coarsest: the coarsest level that the run may begin with, by what its latent holds
    (spectrum.py). pass_steps: the fewest steps that the sampler makes a pass of. autoencoder: whether the
    run has one, for passes that cross the bridge. given_frames: whether the run begins with frames that tell
    apart what fewer of them would show as one.

    A run that ends above sigma 0 is a stage of a longer one, and so is one that jumps to 0 from nearly pure
    noise: no level's own sigma falls below its end. A schedule of several passes becomes one that is as
    coarse as the noise allows, as a draft would have to leave the stage's range.

    Runs that cannot gain come back plain with a reason. Raises ScheduleError where the schedule does not fit
    the steps, the sigmas or the canvas.
    """
    if schedule.off or len(sigmas) < 2:
        return plain_plan(schedule, sigmas, canvas)
    check_sigmas(sigmas)
    if sigmas[-1] == 0.0:
        check_end(schedule)
    check_amounts(schedule, len(sigmas) - 1)
    if schedule.via_pixels and not autoencoder:
        raise ScheduleError(
            f"{quoted(schedule)} carries a draft over pixels, and this run has no autoencoder: connect the "
            "model's VAE, or leave 'via pixels' out and refine from 0.9 or higher"
        )
    end = stage_end(sigmas, parameterisation)
    try:
        for i, (a, b) in enumerate(zip(sigmas, sigmas[1:])):
            if b > a:
                raise Plain(f"the sampler's sigmas rise at step {i + 1} ({a:.4g} then {b:.4g})")
        top = parameterisation.share(float(sigmas[0]))
        if top > 1.0 + 1e-3:
            raise Plain(f"the run starts at sigma {top:.4g}, where there is more than noise alone")
        if coarsest == 0 or starts_low(sigmas[0], sigma_max or sigmas[0], parameterisation):
            raise Plain(
                f"the run starts at sigma {top:.4g}, where detail already shows through the noise: a "
                "coarse look would lose it"
            )
        whole = schedule.halvings > 0 and (given_frames or canvas.frames <= 1 << schedule.halvings)
        suited, note = _suited(schedule.whole() if whole else schedule, len(sigmas) - 1, end, canvas)
        because = "fewer would mix those that are given" if given_frames else f"it has {canvas.frames}"
        note = f"every look has all frames of the latent: {because}" if whole else note
        passes = _passes(suited, sigmas, canvas, parameterisation, pass_steps)
        passes[0], why = held(passes[0], coarsest, end, parameterisation)
        if all(step == FULL_STEP for p in passes for step in p.looks):
            raise Plain(why or note or f"the run starts at sigma {top:.4g}, where '{suited}' is already full")
        return Plan(suited, canvas, tuple(passes), note=note or why)
    except Plain as reason:
        return plain_plan(schedule, sigmas, canvas, str(reason))


def check_end(schedule: Schedule) -> None:
    """Raises ScheduleError where the schedule ends coarse, which no run may that ends clean."""
    if not schedule.ends_full:
        raise ScheduleError(
            f"{quoted(schedule)} never becomes full: in a run that ends clean (at sigma 0) the last look of "
            "the last pass must be 'full'; add ', full' to it or a pass such as '; refine 0.95'"
        )


def _suited(asked: Schedule, steps: int, end: float, canvas: Canvas) -> tuple[Schedule, str | None]:
    """The schedule as it suits canvas, number of steps and, where `end` is above 0, a stage that ends there;
    and how it keeps from `asked`."""
    if not canvas.allows(1):
        raise Plain(
            f"the latent is {canvas.height}x{canvas.width}: too small for half resolution, which needs "
            f"{MIN_TOKENS_PER_SIDE} tokens of {canvas.patch} latent pixels a side"
        )
    staged = end > 0.0 and not suits_stage(asked)
    if staged and asked.counts:
        raise Plain(
            f"this run is a stage that ends at sigma {end:.4g}, where a draft cannot run to its end; "
            "write for example 'spectral', or one pass such as '1/2 x4, full x2'"
        )
    schedule = shortened(asked, steps)
    needed = 2 if staged else max(schedule.least_steps, 2 if end == 0.0 else 1)
    if steps < needed:
        raise Plain(f"a run of {steps} is too short for '{asked}', which needs {needed} steps")
    schedule = fitted(schedule, canvas)
    if asked.deepest and not schedule.deepest and not schedule.halvings:
        raise Plain(canvas.too_small())
    if misfit := max(phase.look.level * (not canvas.allows(phase.look.level)) for phase in schedule.phases):
        possible = max(level for level in LEVELS if level < misfit and canvas.allows(level))
        raise ScheduleError(
            f"'{schedule}' looks at {level_name(misfit)} resolution, but a latent of {canvas.height}x"
            f"{canvas.width} with patches of {canvas.patch} would have fewer than {MIN_TOKENS_PER_SIDE} "
            f"tokens a side, or no fewer in all; use {level_name(possible)} at the most, or a larger picture"
        )
    if not staged:
        return schedule, None
    schedule, stage = for_stage(schedule), f"a stage that ends at sigma {end:.4g}"
    return schedule, f"{stage} cannot take a draft: '{schedule}' instead of '{asked}'"


def _passes(
    schedule: Schedule, sigmas: Sigmas, canvas: Canvas, parameterisation: Parameterisation, pass_steps: int,
) -> list[PlannedPass]:
    """The passes over their own parts of the grid, with what each step sees."""
    steps, of_passes = len(sigmas) - 1, divided(schedule, len(sigmas) - 1)
    known = zip(schedule.passes, of_passes, [False, *(p.end is None for p in schedule.passes)])
    starts = [pass_start(p, sigmas, sum(counts), parameterisation, meets) for p, counts, meets in known]
    grids, phases = list[Grid](), []
    for p, counts, start, then in zip(schedule.passes, of_passes, starts, [*starts[1:], 0.0]):
        grid: Grid | None = tuple(float(s) for s in sigmas)
        if len(schedule.passes) > 1:
            words, own = p.describe(alone=False), sum(counts)
            if own < pass_steps:
                raise Plain(
                    f"this sampler needs {pass_steps} steps in every pass, and '{words}' has {own} of {steps}"
                )
            end = then if p.end is None else parameterisation.from_share(p.end)
            grid = pass_grid(sigmas, start, end, own, parameterisation)
            if grid is None:
                raise Plain(f"the sigmas of '{words}' would not fall in {own} steps of this run")
        assert grid is not None
        _check_start(p, grid, grids, parameterisation)
        grids.append(grid)
        phases.append(phases_of_steps(p, counts, grid, parameterisation))
    planned = []
    for p, grid, looks in zip(schedule.passes, grids, steps_of(phases, canvas)):
        first = p.phases[0].look
        tolerance = first.tolerance if isinstance(first, Spectral) else None
        looks = tuple(replace(step, halvings=p.halvings) for step in looks)
        planned.append(PlannedPass(grid, looks, tolerance, via_pixels=p.via_pixels))
    return planned


def _check_start(p: Pass, grid: Grid, before: list[Grid], parameterisation: Parameterisation) -> None:
    """Raises Plain where a pass would leave nothing of the draft, or of the pass before it."""
    words, start = p.describe(alone=False), parameterisation.share(grid[0])
    if before and start >= 1.0:
        raise Plain(f"'{words}' begins with pure noise, in which nothing of the draft is left")
    if len(before) > 1 and start >= (low := parameterisation.share(before[-1][0])):
        raise Plain(f"'{words}' would rewind to sigma {start:.4g} and undo the pass from {low:.4g} before it")
