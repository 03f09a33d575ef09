"""A model's sigmas by time, and a scheduler's grid of them, as the host makes both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

LINEAR_START, LINEAR_END, LEVELS = 0.00085, 0.012, 1000  # Stable Diffusion's discrete noise levels
FLUX_LEVELS = 10000
EDM_LOWEST = 0.002
BETAS = {"beta": (0.6, 0.6), "beta57": (0.5, 0.7)}
"""Shapes of the beta distributions that schedulers have; beta57 is of the pack RES4LYF."""


@dataclass(frozen=True)
class Timetable:
    """Sigmas rising with time, at equal distances of it. shift: of a flow's."""

    sigmas: np.ndarray
    shift: float | None = None

    def at(self, time: float) -> float:
        """Sigma at a time up to 1: a flow's own from 0, else from the first of the table."""
        if self.shift is not None:
            return self.shift * time / (1.0 + (self.shift - 1.0) * time)
        index = time * (len(self.sigmas) - 1)
        return math.exp(float(np.interp(index, np.arange(len(self.sigmas)), np.log(self.sigmas))))

    @property
    def end(self) -> float:
        """The time at which `normal` grids end: the host takes a flow's lowest sigma for it."""
        return self.lowest if self.shift is not None else 0.0

    @property
    def highest(self) -> float:
        """Where a run from pure noise starts."""
        return float(self.sigmas[-1])

    @property
    def lowest(self) -> float:
        """The last sigma above zero."""
        return float(self.sigmas[0])


def flow_table(shift: float, points: int = LEVELS) -> Timetable:
    """A flow's: t moved to shift t / (1 + (shift - 1) t)."""
    t = np.arange(1, points + 1) / points
    return Timetable(shift * t / (1.0 + (shift - 1.0) * t), shift)


def discrete_table() -> Timetable:
    """Stable Diffusion's: betas linear in their root."""
    betas = np.linspace(LINEAR_START**0.5, LINEAR_END**0.5, LEVELS) ** 2
    kept = np.cumprod(1.0 - betas)
    return Timetable(((1.0 - kept) / kept) ** 0.5)


def edm_table(highest: float) -> Timetable:
    """Karras's: even in log sigma."""
    return Timetable(np.exp(np.linspace(math.log(EDM_LOWEST), math.log(highest), LEVELS)))


def table_of(shift: float, points: int = LEVELS) -> Timetable:
    """The table of a model class's shift (see models.ModelClass)."""
    if shift > 0.0:
        return flow_table(shift, points)
    return discrete_table() if shift == 0.0 else edm_table(-shift)


def grid(table: Timetable, scheduler: str, steps: int) -> list[float] | None:
    """The falling sigmas of `steps` steps, the last of them 0; None for a scheduler that is not known."""
    last, n = len(table.sigmas), steps
    if scheduler == "simple":
        found = [float(table.sigmas[-(1 + int(i * last / n))]) for i in range(n)]
    elif scheduler in ("normal", "sgm_uniform"):
        ends = n + 1 if scheduler == "sgm_uniform" else n
        found = [table.at(float(t)) for t in np.linspace(1.0, table.end, ends)[:n]]
    elif scheduler == "ddim_uniform":
        found = [float(s) for s in table.sigmas[1 :: max(last // n, 1)]][::-1]
    elif scheduler in BETAS:
        found = _beta(table, n, *BETAS[scheduler])
    elif scheduler == "karras":
        ramp = np.linspace(0.0, 1.0, n)
        high, low = table.highest ** (1 / 7), table.lowest ** (1 / 7)
        found = [float(s) for s in (high + ramp * (low - high)) ** 7]
    elif scheduler == "exponential":
        found = [float(s) for s in np.exp(np.linspace(math.log(table.highest), math.log(table.lowest), n))]
    elif scheduler == "kl_optimal":
        ramp = np.linspace(0.0, 1.0, n)
        found = [
            float(s) for s in np.tan(ramp * math.atan(table.lowest) + (1 - ramp) * math.atan(table.highest))
        ]
    elif scheduler == "linear_quadratic":
        found = _linear_quadratic(table.highest, n)
    else:
        return None
    return [*found, 0.0]


def beta_grid(table: Timetable, steps: int, alpha: float, beta: float) -> list[float]:
    """The grid of BetaSamplingScheduler."""
    return [*_beta(table, steps, alpha, beta), 0.0]


def _beta(table: Timetable, steps: int, alpha: float, beta: float) -> list[float]:
    """At the quantiles of a beta distribution, found by its density added up in x = sin^2(u): there it has no
    poles for the shapes in use."""
    u = np.linspace(0.0, math.pi / 2, 20001)
    middle = (u[1:] + u[:-1]) / 2
    weight = np.sin(middle) ** (2 * alpha - 1) * np.cos(middle) ** (2 * beta - 1)
    below = np.concatenate([[0.0], np.cumsum(weight)])
    times = np.sin(np.interp(1.0 - np.arange(steps) / steps, below / below[-1], u)) ** 2
    index = np.rint(times * (len(table.sigmas) - 1)).astype(int)
    kept = [i for place, i in enumerate(index) if place == 0 or i != index[place - 1]]
    return [float(table.sigmas[i]) for i in kept]


def _linear_quadratic(highest: float, steps: int, threshold: float = 0.025) -> list[float]:
    """Half of the steps to 1 - threshold evenly, then a parabola to 0 that goes on as the line came."""
    if steps == 1:
        return [highest]
    line = steps // 2
    rest = steps - line
    bend = (line - threshold * steps) / (line * rest**2)
    slope = threshold / line - 2 * (line - threshold * steps) / rest**2
    parabola = [bend * i**2 + slope * i + bend * line**2 for i in range(line, steps)]
    return [highest * (1.0 - x) for x in [*(i * threshold / line for i in range(line)), *parabola]]


def flux2_grid(steps: int, width: float, height: float) -> list[float]:
    """The grid of Flux2Scheduler: the shift that FLUX.2's makers fitted to tokens and steps."""
    tokens = round(width * height / 256)
    many = 0.00016927 * tokens + 0.45666666
    few = 8.73809524e-05 * tokens + 1.89833333
    slope = (many - few) / 190.0
    mu = many if tokens > 4300 else slope * steps + many - 200.0 * slope
    return _moved(np.linspace(1.0, 0.0, steps + 1), mu)


def ideogram_grid(steps: int, width: float, height: float, mean: float, spread: float) -> list[float]:
    """The grid of Ideogram4Scheduler: quantiles of a log-normal signal-to-noise ratio."""
    mean += 0.5 * math.log(width * height / 512**2)
    quantiles = torch.special.ndtri(torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64))
    clean = 1.0 - torch.special.expit(mean + spread * quantiles)
    clean = clean.clamp(1.0 / (1.0 + math.exp(9.0)), 1.0 / (1.0 + math.exp(-7.5)))
    return [*(float(1.0 - t) for t in clean.flip(0)[:-1]), 0.0]


def ltxv_grid(steps: int, tokens: int, most: float, least: float, terminal: float | None) -> list[float]:
    """The grid of LTXVScheduler: a shift linear in the tokens, stretched to end at `terminal`."""
    slope = (most - least) / (4096 - 1024)
    sigmas = _moved(np.linspace(1.0, 0.0, steps + 1), tokens * slope + least - slope * 1024)
    if terminal is None:
        return sigmas
    scale = (1.0 - sigmas[-2]) / (1.0 - terminal)
    return [*(1.0 - (1.0 - s) / scale for s in sigmas[:-1]), 0.0]


def _moved(times: np.ndarray, mu: float) -> list[float]:
    return [float(math.exp(mu) / (math.exp(mu) + 1.0 / t - 1.0)) if t > 0.0 else 0.0 for t in times]
