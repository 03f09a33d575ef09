"""The plot of quality against cost: the plain sampler as a line, every other method as marks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .report import COLUMNS
from .rivals import WORDS
from .rows import Row
from .settings import SHIFT
from .statistics import Estimate

if TYPE_CHECKING:  # matplotlib is not needed but to plot
    from matplotlib.axes import Axes

PLOTTED = {
    "fd": "{} to rendered scenes (lower is better)",
    "fd_inception": "{} to rendered scenes (lower is better)",
    "lpips": "{} to the same seed's 50 plain steps (lower is nearer)",
}
"""Figures that may be a panel, by what stands beside it; the first two that were measured are."""
PANELS = 2
FEW_DECADES = 20
COST_TICKS = (1, 2, 3, 4, 6, 9, 12, 20, 30, 50)
MARKS = {
    "draft over pixels": ("o", "tab:blue"),
    "draft copied": ("s", "tab:cyan"),
    "draft copied, at three quarters": ("h", "tab:red"),
    "one pass": ("^", "tab:olive"),
    "two stages, fresh noise": ("v", "tab:gray"),
    "hires fix": ("D", "tab:brown"),
    "SPEED": ("P", "tab:purple"),
    "SelfLift": ("X", "tab:pink"),
    "DVG's shifts": ("<", "tab:green"),
    "EasyCache": ("*", "tab:orange"),
    "variant": (".", "silver"),
}


def method_of(row: Row) -> str:
    """What a row's mark stands for: "plain", or a name in MARKS."""
    setting = row.setting
    rival = WORDS.get(setting.schedule.split()[0])
    if rival:
        return rival
    if setting.plain:
        return "plain"
    if replace(setting, shift=SHIFT).options:
        return "variant"
    if "via pixels" in setting.schedule:
        return "draft over pixels"
    if setting.schedule.startswith("draft 3/4"):
        return "draft copied, at three quarters"
    return "draft copied" if "draft" in setting.schedule else "one pass"


def plot(rows: list[Row], file: Path, passed: Iterable[str] = ()) -> None:
    """Distances against cost in full steps, as wide as their 95 % intervals, axes logarithmic: to real
    pictures, and without Inception's features to the reference as well, which is then no mark.
    Schedules in `passed` are ringed."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = [name for name in PLOTTED if any(name in row.figures for row in rows)][:PANELS]
    figure, panels = plt.subplots(1, len(names), figsize=(7.5 * len(names), 6), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        shown = [row for row in rows if not row.setting.size and row.figures[name].value > 0.0]
        _plot_plain(panel, name, [row for row in shown if row.setting.plain])
        _plot_methods(panel, name, shown)
        ringed = [row for row in shown if row.setting.schedule in set(passed) and not row.setting.options]
        if ringed:
            costs, values = zip(*((row.cost, row.figures[name].value) for row in ringed), strict=True)
            panel.plot(costs, values, "o", mfc="none", mec="red", ms=12, label="passed")
        _lay_out(panel, name, [row.figures[name].value for row in shown])
    panels[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _plot_plain(panel: Axes, name: str, rows: list[Row]) -> None:
    """A line for each shift of the plain sampler's sigmas, the usual one with its interval."""
    for shift in sorted({row.setting.shift for row in rows}):
        plain = sorted((row for row in rows if row.setting.shift == shift), key=lambda row: row.cost)
        cost, figures = [row.cost for row in plain], [row.figures[name] for row in plain]
        usual = shift == SHIFT
        if usual:
            lowest, highest = ([f.value + sign * _half(f) for f in figures] for sign in (-1, 1))
            panel.fill_between(cost, lowest, highest, color="black", alpha=0.1)
        label = "plain" if usual else f"plain, shift {shift:g}"
        panel.plot(cost, [f.value for f in figures], "k.-" if usual else "k.:", label=label, zorder=3)


def _plot_methods(panel: Axes, name: str, rows: list[Row]) -> None:
    """Marks of every other method, with half of their intervals."""
    for method, (mark, colour) in MARKS.items():
        some = [row for row in rows if method_of(row) == method]
        if some:
            panel.errorbar(
                [row.cost for row in some],
                [row.figures[name].value for row in some],
                [_half(row.figures[name]) for row in some],
                fmt=mark,
                color=colour,
                ms=6,
                elinewidth=0.5,
                alpha=0.8,
                label=method,
            )


def _lay_out(panel: Axes, name: str, values: list[float]) -> None:
    """Axes, ticks and labels; the height is that of the values, as intervals of few pictures would hide
    them."""
    panel.set_ylim(0.9 * min(values), 1.1 * max(values))
    panel.set(xscale="log", yscale="log", xlabel="cost in full steps (FLOPs, autoencoder counted)")
    panel.set_ylabel(PLOTTED[name].format(COLUMNS[name]))
    panel.set_xticks(COST_TICKS, labels=map(str, COST_TICKS), minor=False)
    panel.tick_params(axis="x", which="minor", labelbottom=False)
    few = max(values) < FEW_DECADES * min(values)  # else ticks between the decades have no room for words
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if few else "")
    panel.grid(alpha=0.3)


def _half(figure: Estimate) -> float:
    """Half the width of an interval: those of few pictures' distances lie beside the distance, which more
    pictures would make smaller."""
    return (figure.high - figure.low) / 2
