"""How the canvas is recomposed between passes: the pack's way, and others to compare it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from fresco_core.canvas.haar import expand, merge
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.noise_level import Parameterisation, recompose
from fresco_core.sampling import Rewind
from fresco_core.schedule.plan import Plan

FRESH_SEED = 1


@dataclass
class Path:
    """The states that a run went through, and rewinds that use them.

    `record` is a callback of `sample`. The rewind takes the low band from the run's own path at that sigma
    (between two Euler steps a straight line) and only the detail from its result, so that the low band has
    the variance that a run has there, whatever the noise and the result have in common.
    """

    plan: Plan
    level: int = 1
    _states: list[tuple[float, Tensor]] = field(default_factory=list)

    def record(self, step: int, x0: Tensor, x: Tensor) -> None:
        """Keep the low band of the canvas (B, C, H, W) at a step counted over all passes."""
        sigmas = [sigma for p in self.plan.passes for sigma in p.sigmas[:-1]]
        self._states.append((sigmas[step], merge(x, self.level)))

    def rewind(self, x0: Tensor, noise: Tensor, sigma: Tensor, parameterisation: Parameterisation) -> Tensor:
        """The canvas at sigma."""
        again = recompose(x0, noise, sigma, parameterisation)
        above = [(s, low) for s, low in self._states if s >= sigma][-1]
        below = [(s, low) for s, low in self._states if s < sigma]
        after = below[0] if below else (0.0, merge(x0, self.level))
        share = (above[0] - float(sigma)) / (above[0] - after[0])
        low = above[1].lerp(after[1], share)
        return again + expand(low - merge(again, self.level), self.level)


def _fresh(x0: Tensor, noise: Tensor, sigma: Tensor, parameterisation: Parameterisation) -> Tensor:
    other = hashed_noise(FRESH_SEED, (1, *noise.shape[1:])).expand_as(noise)
    return recompose(x0, other, sigma, parameterisation)


def _uncorrelated(x0: Tensor, noise: Tensor, sigma: Tensor, parameterisation: Parameterisation) -> Tensor:
    """The run's own noise without what it has in common with the draft, at unit power."""
    rest = tuple(range(1, x0.ndim))
    share = (noise * x0).sum(rest, keepdim=True) / (x0 * x0).sum(rest, keepdim=True).clamp_min(1e-12)
    other = noise - share * x0
    other = other / other.square().mean(rest, keepdim=True).sqrt()
    return recompose(x0, other, sigma, parameterisation)


def _without_correlation(plan: Plan) -> tuple[Rewind, None]:
    return _uncorrelated, None


def _shared(plan: Plan) -> tuple[Rewind, None]:
    return recompose, None


def _with_fresh_noise(plan: Plan) -> tuple[Rewind, None]:
    return _fresh, None


def _along_the_path(plan: Plan) -> tuple[Rewind, Callable[[int, Tensor, Tensor], None]]:
    path = Path(plan)
    return path.rewind, path.record


REWINDS = {
    "shared": _shared,
    "fresh": _with_fresh_noise,
    "uncorrelated": _without_correlation,
    "path": _along_the_path,
}
"""Name to a function of the plan that gives the rewind and a callback for `sample`."""
