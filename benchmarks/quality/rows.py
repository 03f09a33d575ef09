"""Rows of a table: one setting's figures with their intervals, and what it gains over the plain sampler."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .manifold import precision_and_recall
from .measure import Measures
from .settings import Setting
from .statistics import (
    Estimate,
    FeatureSpace,
    Statistic,
    bootstrap,
    estimate,
    frechet_over,
    mean_over,
    ratio_over,
    unbiased,
)

HIGHER_IS_BETTER = {"fidelity": True, "fd": False, "fd_inception": False, "precision": True, "recall": True}
HIGHER_IS_BETTER |= {"ground": False, "lpips": False}
"""What is compared with the plain sampler at equal cost."""
JUDGES = ("fd", "fd_inception", "fidelity")
"""What decides whether one setting is better than another."""
FEATURES = {"": "features", "_inception": "inception"}
"""Endings of columns, and what their features are called in measures."""
ROUNDING = 1e-6


@dataclass
class Row:
    """One setting's figures. cost: full steps that its FLOPs would pay. clock: the same by the clock.

    gain: per compared column, the row's figure less the plain sampler's at equal cost (see `scale_of`),
    without the bias that resampling shows; None for plain rows and outside the plain rows' costs. better,
    beaten: the columns in which the whole interval of the gain is on the row's side, or on the plain
    sampler's.
    """

    setting: Setting
    tokens: int
    flops: float
    cost: float
    clock: float
    figures: dict[str, Estimate]
    draws: dict[str, np.ndarray]
    gain: dict[str, Estimate | None] = field(default_factory=dict)
    better: tuple[str, ...] = ()
    beaten: tuple[str, ...] = ()


class Yardstick:
    """Real pictures' measures, and what is worked out of them once for all settings. basis: features of other
    real pictures, by whose principal components all are projected."""

    def __init__(self, real: Measures, basis: Measures):
        self.real, self.basis = real, basis

    @cached_property
    def _spaces(self) -> dict[str, FeatureSpace]:
        names = [name for name in FEATURES.values() if name in self.real and name in self.basis]
        return {name: FeatureSpace.of(self.basis[name]) for name in names}

    def statistics(self, measures: Measures) -> dict[str, Statistic]:
        """Column to statistic of a setting's measures."""
        m = measures
        right = m["found"] + m["placed"] + m["sized"] + m["kinds"] + m["colours"]
        said = m["asked"] + m["places_asked"] + m["sizes_asked"] + m["kinds_asked"] + m["colours_asked"]
        seen = np.isfinite(m["ground"])
        found = {
            "fidelity": ratio_over(right, said),
            "objects": ratio_over(m["found"], m["asked"]),
            "places": ratio_over(m["placed"], m["placeable"]),
            "sizes": ratio_over(m["sized"], m["sizeable"]),
            "grounds": ratio_over(m["kinds"] + m["colours"], m["kinds_asked"] + m["colours_asked"]),
        }
        for ending, name in FEATURES.items():
            if name in m and name in self._spaces:
                project = self._spaces[name].project
                found[f"fd{ending}"] = frechet_over(project(m[name]), project(self.real[name]))
                precise, recalled = precision_and_recall(m[name], self.real[name])
                found[f"precision{ending}"] = mean_over(precise.astype(np.float64))
                found[f"recall{ending}"] = mean_over(recalled.astype(np.float64))
        found["ground"] = ratio_over(np.where(seen, m["ground"], 0.0), seen.astype(np.float64))
        for column in ("lpips", "psnr"):
            if column in m:
                found[column] = mean_over(m[column])
        for column, name in (("band", "finest_band"), ("second", "second_band")):
            found[column] = mean_over(m[name] / self.real[name].mean())
        return found


def scale_of(cost: float) -> float:
    """What the plain sampler's figures are interpolated over: its errors fall with about the power 1.5 of its
    steps. Over the logarithm of cost they would be taken for larger than they are between two rows."""
    return -(cost**-1.5)


def make_row(
    setting: Setting, measures: Measures, yardstick: Yardstick, tokens: int, step_flops: float
) -> Row:
    """Everything about one setting but its gain."""
    count, figures, draws = len(measures["asked"]), {}, {}
    for name, statistic in yardstick.statistics(measures).items():
        value, draws[name] = bootstrap(statistic, count)
        figures[name] = estimate(value, draws[name])
    timed = np.isfinite(measures["full_step"])
    clock = float(measures["seconds"][timed].sum() / measures["full_step"][timed].sum())
    flops = float(measures["flops"].mean())
    return Row(setting, tokens, flops, flops / step_flops, clock, figures, draws)


def compare(rows: list[Row], invisible: float) -> None:
    """Fill in the gain of every row over the plain rows of its shift, and in which columns one beats the
    other: the whole interval is on its side, for LPIPS by more than `invisible`."""
    for shift in {row.setting.shift for row in rows}:
        _compare([row for row in rows if row.setting.shift == shift], invisible)


def _compare(rows: list[Row], invisible: float) -> None:
    plain = sorted((row for row in rows if row.setting.plain), key=lambda row: row.cost)
    costs = np.array([scale_of(row.cost) for row in plain])
    for row in rows:
        at = scale_of(row.cost)
        inside = len(plain) > 1 and costs[0] <= at <= costs[-1] and not row.setting.plain
        inside = inside and not row.setting.size
        for name in HIGHER_IS_BETTER:
            if not inside or any(name not in some.figures for some in (row, *plain)):
                row.gain[name] = None
                continue
            right = int(np.clip(np.searchsorted(costs, at), 1, len(plain) - 1))
            share = (at - costs[right - 1]) / (costs[right] - costs[right - 1])
            a, b = plain[right - 1], plain[right]
            value = a.figures[name].value * (1 - share) + b.figures[name].value * share
            drawn = a.draws[name] * (1 - share) + b.draws[name] * share
            row.gain[name] = unbiased(row.figures[name].value - value, row.draws[name] - drawn)
        sides = {name: _side(name, gain, invisible) for name, gain in row.gain.items() if gain}
        row.better = tuple(name for name, side in sides.items() if side > 0)
        row.beaten = tuple(name for name, side in sides.items() if side < 0)


def _side(name: str, gain: Estimate, invisible: float) -> int:
    """1 where the row is better, -1 where the plain sampler is, 0 where the interval does not say."""
    least = invisible if name == "lpips" else ROUNDING
    sign = 1 if HIGHER_IS_BETTER[name] else -1
    if gain.low > least:
        return sign
    return -sign if gain.high < -least else 0
