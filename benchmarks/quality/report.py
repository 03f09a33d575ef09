"""Rows of the table, what they gain over the plain sampler at equal cost, and the files that show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .measure import JPEG_QUALITY, Measures
from .settings import REFERENCE, Setting
from .statistics import Estimate, FeatureSpace, bootstrap, estimate, frechet_over, mean_over, ratio_over

COMPARED = ("objects", "fd", "lpips")
"""Columns that are compared with the plain sampler at equal cost."""
PLOTTED = ("fd", "lpips")
ROUNDING = 1e-6

COST_TICKS = (2, 3, 4, 6, 9, 12, 20, 30, 50)

COLUMNS = {
    "objects": "objects found",
    "places": "in place",
    "sizes": "right size",
    "grounds": "grounds",
    "fd": "FD",
    "fd_inception": "FD Inception",
    "lpips": "LPIPS",
    "psnr": "PSNR dB",
    "band": "finest band",
}


@dataclass
class Row:
    """One setting's figures. cost: full steps that its FLOPs would pay. clock: the same by the clock.

    gain: per compared column, the row's figure less the plain sampler's at equal cost (interpolated over the
    logarithm of cost); None for plain rows and outside the plain rows' costs. beaten: the columns in which
    the plain sampler is better at equal cost.
    """

    setting: Setting
    tokens: int
    flops: int
    cost: float
    clock: float
    figures: dict[str, Estimate]
    draws: dict[str, np.ndarray]
    gain: dict[str, Estimate | None]
    beaten: tuple[str, ...] = ()


def make_row(
    setting: Setting, measures: Measures, real: Measures, tokens: int, flops: int, step_flops: int
) -> Row:
    """Everything about one setting but its gain."""
    count = len(measures["asked"])
    grounds = (measures["kinds"] + measures["colours"]) / 2
    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "objects": ratio_over(measures["found"], measures["asked"]),
        "places": ratio_over(measures["placed"], measures["found"]),
        "sizes": ratio_over(measures["sized"], measures["placed"]),
        "grounds": mean_over(grounds),
        "fd": _frechet(measures["features"], real["features"]),
        "lpips": mean_over(measures["lpips"]),
        "psnr": mean_over(measures["psnr"]),
        "band": mean_over(measures["finest_band"] / real["finest_band"].mean()),
    }
    if "inception" in measures and "inception" in real:
        statistics["fd_inception"] = _frechet(measures["inception"], real["inception"])
    figures, draws = {}, {}
    for name, statistic in statistics.items():
        value, draws[name] = bootstrap(statistic, count)
        figures[name] = estimate(value, draws[name])
    clock = float(measures["seconds"].sum() / measures["full_step"].sum())
    return Row(setting, tokens, flops, flops / step_flops, clock, figures, draws, {})


def _frechet(drawn: np.ndarray, real: np.ndarray) -> Callable[[np.ndarray], float]:
    space = FeatureSpace.of(real)
    return frechet_over(space.project(drawn), space.project(real))


def compare(rows: list[Row], invisible: float) -> None:
    """Fill in the gain of every row over the plain rows, and where those beat it: the whole interval is on
    the worse side, for LPIPS by more than `invisible`."""
    plain = sorted((row for row in rows if row.setting.plain), key=lambda row: row.cost)
    costs = np.log([row.cost for row in plain])
    for row in rows:
        at = np.log(row.cost)
        inside = len(plain) > 1 and costs[0] <= at <= costs[-1] and not row.setting.plain
        for name in COMPARED:
            if not inside:
                row.gain[name] = None
                continue
            right = int(np.clip(np.searchsorted(costs, at), 1, len(plain) - 1))
            share = (at - costs[right - 1]) / (costs[right] - costs[right - 1])
            a, b = plain[right - 1], plain[right]
            value = a.figures[name].value * (1 - share) + b.figures[name].value * share
            drawn = a.draws[name] * (1 - share) + b.draws[name] * share
            row.gain[name] = estimate(row.figures[name].value - value, row.draws[name] - drawn)
        row.beaten = tuple(name for name, gain in row.gain.items() if gain and _worse(name, gain, invisible))


def _worse(name: str, gain: Estimate, invisible: float) -> bool:
    if name == "objects":
        return gain.high < -ROUNDING
    return gain.low > (invisible if name == "lpips" else ROUNDING)


def markdown(rows: list[Row], count: int, invisible: float) -> str:
    """The table. `+-` is half the width of the interval."""
    shown = [name for name in COLUMNS if any(name in row.figures for row in rows)]
    heads = ["setting", "cost", "clock", "tokens", "GFLOPs", *(COLUMNS[name] for name in shown)]
    heads += [f"{COLUMNS[name]} less plain at equal cost" for name in COMPARED]
    heads.append("plain is better in")
    lines = [
        f"{count} held-out prompts; cost in full steps by FLOPs, clock by time; 95 % intervals. "
        f"Plain is better where an interval says so, in LPIPS by more than {invisible:.4f}, "
        f"what JPEG of quality {JPEG_QUALITY} costs.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + " --- |" * len(heads),
    ]
    for row in rows:
        cells = [row.setting.name.replace("|", "/"), f"{row.cost:.2f}", f"{row.clock:.2f}"]
        cells += [str(row.tokens), f"{row.flops / 1e9:.2f}"]
        cells += [_cell(row.figures.get(name)) for name in shown]
        cells += [_cell(row.gain[name], sign=True) for name in COMPARED]
        cells.append(", ".join(COLUMNS[name] for name in row.beaten) or "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: Estimate | None, sign: bool = False) -> str:
    if found is None:
        return "-"
    half = (found.high - found.low) / 2
    digits = 4 if half < 0.01 else 3 if half < 1 else 1
    return f"{found.value:{'+' if sign else ''}.{digits}f} +- {half:.{digits}f}"


def as_json(rows: list[Row], count: int, model: str, invisible: float) -> str:
    """The same for programs."""
    listed = []
    for row in rows:
        own = asdict(row) | {"name": row.setting.name}
        del own["draws"]
        listed.append(own)
    return json.dumps(
        {
            "model": model,
            "samples": count,
            "reference": REFERENCE.name,
            "jpeg_lpips": invisible,
            "rows": listed,
        },
        indent=1,
    )


def plot(rows: list[Row], file: Path, invisible: float) -> None:
    """Quality against cost, with intervals: FD and LPIPS, all axes logarithmic (a zero is left out)."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(PLOTTED), figsize=(13, 5.5))
    groups: dict[str, list[Row]] = {}
    for row in rows:
        s = row.setting
        groups.setdefault(", ".join(["plain" if s.plain else s.schedule, *s.options]), []).append(row)
    for panel, name in zip(panels, PLOTTED, strict=True):
        for label, some in groups.items():
            some = sorted((row for row in some if row.figures[name].value > 0), key=lambda row: row.cost)
            marks = [row.figures[name] for row in some]
            values = np.array([mark.value for mark in marks])
            spread = np.array([[m.value - m.low for m in marks], [m.high - m.value for m in marks]])
            style = {"color": "black", "zorder": 5} if label == "plain" else {"alpha": 0.8}
            panel.errorbar(
                [row.cost for row in some],
                values,
                spread.clip(0),
                marker="o",
                ms=4,
                lw=1,
                label=label,
                **style,
            )
        panel.set(
            xscale="log",
            yscale="log",
            xlabel="cost in full steps (FLOPs)",
            ylabel=f"{COLUMNS[name]} (lower is better)",
        )
        panel.set_xticks(COST_TICKS, labels=map(str, COST_TICKS), minor=False)
        panel.tick_params(axis="x", which="minor", labelbottom=False)
        panel.grid(alpha=0.3)
    panels[1].axhline(invisible, color="gray", ls=":", lw=1)
    panels[1].annotate(f"JPEG of quality {JPEG_QUALITY}", (COST_TICKS[0], invisible), fontsize=7, va="bottom")
    panels[0].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
