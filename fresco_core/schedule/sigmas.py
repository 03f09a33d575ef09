"""Sigmas of a run: each pass's part of the sampler's grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..canvas.noise_level import Flow, Parameterisation
from .looks import FIRST_STEP, Pass
from .wording import ScheduleError

Sigmas = Sequence[float]
Grid = tuple[float, ...]
"""Both of a run or pass, falling: one more than its steps."""

DRAFT_THIRDS = 2  # thirds of a step that a draft stands for; the best on the trained demo model
MOST_NOISE = 3  # times the picture's, for each step of a pass that begins where its draft ends
LEAST_COPIED = 0.85  # from where a draft that is copied over its blocks is refined at the least, as a share
LEAST_OWN = 0.95  # from where a pass takes the run's own last sigmas rather than to begin above them


def check_sigmas(sigmas: Sigmas) -> None:
    """Raises ScheduleError where the grid is not finite and positive."""
    if not all(math.isfinite(s) and s >= 0.0 for s in sigmas):
        raise ScheduleError(
            "the sampler's sigmas are not all finite and positive: "
            f"{', '.join(f'{s:.4g}' for s in sigmas[:6])}; check the scheduler node"
        )


def pass_grid(sigmas: Sigmas, start: float, end: float, steps: int, by: Parameterisation) -> Grid | None:
    """The sigmas of a pass of several, in a run that ends clean; None where they would not fall."""
    grid = subgrid(sigmas, start, end, steps, by)
    return grid if all(early > late for early, late in zip(grid, grid[1:])) else None


def pass_start(p: Pass, sigmas: Sigmas, steps: int, parameterisation: Parameterisation, meets: bool) -> float:
    """Where a pass of several begins that has `steps` steps; `meets`, where the pass before it ends there."""
    share, top = 1.0 if p.start is None else p.start, float(sigmas[0])
    start = top if share is FIRST_STEP or share >= 1.0 else min(parameterisation.from_share(share), top)
    unsaid = share is FIRST_STEP or meets and share < 1.0 and start >= top  # above the run, it says nothing
    return _first_step(p, sigmas, steps, parameterisation, meets) if unsaid else start


def _first_step(p: Pass, sigmas: Sigmas, steps: int, by: Parameterisation, meets: bool) -> float:
    """Where a pass begins whose schedule does not say it."""
    highest, end = float(sigmas[0]), by.from_share(p.end or 0.0)
    start = subgrid(sigmas, highest, end, 3 * steps + DRAFT_THIRDS, by)[DRAFT_THIRDS]
    own = float(sigmas[-steps - 1]) if end == sigmas[-1] else 0.0
    if start > own >= by.from_share(LEAST_OWN):
        return own
    start = min(start, by.from_share(1.0 - 1.0 / (1.0 + MOST_NOISE * steps))) if meets else start
    return min(start if p.via_pixels else max(start, by.from_share(LEAST_COPIED)), highest)


def subgrid(sigmas: Sigmas, start: float, end: float, steps: int, parameterisation: Parameterisation) -> Grid:
    """`steps` steps from `start` to `end`, spread along the run's grid as its own steps are.

    The grid is read as a function of the step: linear between its points for flow models; linear in log sigma
    down to the last positive sigma for variance-exploding ones, whose last step jumps to 0, from that sigma
    on where steps are no longer than the grid's own.
    """
    grid = np.asarray(sigmas, dtype=np.float64)
    if (start, end, steps) == (grid[0], grid[-1], len(grid) - 1):
        return tuple(float(s) for s in grid)
    exploding = not isinstance(parameterisation, Flow)
    positive = grid[grid > 0.0]
    if exploding and start <= positive[-1]:  # below all that the grid shows of its spread
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

    jump, first, last = int(exploding and end == 0.0), position(start), position(end)
    last = min(last, len(body) - (len(body) - first) / steps) if jump else last
    values = np.interp(np.linspace(first, last, steps + 1 - jump), index, body)
    values = np.exp(values) if exploding else values
    return _exactly(np.append(values, 0.0) if jump else values, start, end)


def _exactly(values: np.ndarray, start: float, end: float) -> Grid:
    """The values in float32, as the sampler will have them, with the ends that were asked for."""
    values[0], values[-1] = start, end
    return tuple(float(v) for v in values.astype(np.float32))
