"""The files that show rows: a table, the same for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from .measure import JPEG_QUALITY
from .rows import HIGHER_IS_BETTER, JUDGES, Row
from .settings import REFERENCE, Setting
from .statistics import Estimate

COLUMNS = {
    "fd": "FD",
    "fd_inception": "FD Inception",
    "precision": "precision",
    "recall": "recall",
    "precision_inception": "precision Inception",
    "recall_inception": "recall Inception",
    "fidelity": "words kept",
    "objects": "objects found",
    "places": "in place",
    "sizes": "right size",
    "grounds": "grounds",
    "ground": "ground's residual",
    "band": "finest band",
    "second": "second band",
    "lpips": "LPIPS",
    "psnr": "PSNR dB",
}
BRIEF = ("fd", "fd_inception", "precision", "recall", "fidelity", "ground", "band", "lpips")
"""Columns of the narrow table."""
GAINS = ("fd", "fd_inception", "fidelity", "ground", "lpips")
BY_STEPS = {"fd": ("FD", 0), "fd_inception": ("Inception", 1)}
BY_STEPS |= {"fidelity": ("words", 3), "lpips": ("LPIPS", 3)}
"""Gains of the table by steps: their names there and their digits."""


def markdown(rows: list[Row], count: int, invisible: float, prompts: str = "full") -> str:
    """The table. `+-` is half the width of the interval."""
    shown = [name for name in COLUMNS if any(name in row.figures for row in rows)]
    gains = [name for name in GAINS if name in shown]
    heads = ["setting", "cost", "clock", "tokens", "GFLOPs", *(COLUMNS[name] for name in shown)]
    heads += [f"{COLUMNS[name]} less plain at equal cost" for name in gains]
    heads += ["better in", "plain is better in"]
    lines = [
        f"{count} held-out {prompts} prompts; cost in full steps by FLOPs, the bridge and its autoencoder "
        "counted, clock by time; 95 % intervals, paired by prompt. Better is where an interval says so, in "
        f"LPIPS by more than {invisible:.4f}, what JPEG of quality {JPEG_QUALITY} costs.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + " --- |" * len(heads),
    ]
    for row in rows:
        cells = [row.setting.name.replace("|", "/"), f"{row.cost:.2f}", f"{row.clock:.2f}"]
        cells += [str(row.tokens or "-"), f"{row.flops / 1e9:.2f}"]
        cells += [cell(row.figures.get(name)) for name in shown]
        cells += [cell(row.gain.get(name), sign=True) for name in gains]
        cells += [", ".join(COLUMNS[name] for name in names) or "-" for names in (row.better, row.beaten)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def brief(rows: list[Row], count: int, prompts: str) -> str:
    """A narrow table for documents: what tells methods apart, and where a judged difference to the plain
    sampler of equal cost is beyond chance."""
    shown = [name for name in BRIEF if any(name in row.figures for row in rows)]
    heads = ["steps", "sampling", "cost", *(COLUMNS[name] for name in shown)]
    heads += ["FD less plain", "beside plain"]
    lines = [
        f"{count} held-out {prompts} prompts. Cost in full steps; `FD less plain` is against the plain "
        "sampler at that cost, with its 95 % interval.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for row in rows:
        setting = row.setting
        cells = [str(setting.steps), _method(setting), f"{row.cost:.2f}"]
        cells += [_plain_figure(row.figures.get(name)) for name in shown]
        cells += [_interval(row.gain.get("fd")), verdict(row)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_steps(rows: list[Row], count: int, prompts: str) -> str:
    """A table of methods by numbers of steps: the cost, and each figure minus the plain sampler's at that
    cost. Rows outside the plain rows' costs are left out."""
    compared = [row for row in rows if any(row.gain.values())]
    counts = sorted({row.setting.steps for row in compared})
    methods: dict[str, dict[int, str]] = {}
    for row in compared:
        gains = [_starred(row.gain.get(key), *shown) for key, shown in BY_STEPS.items()]
        found = ", ".join(filter(None, gains))
        methods.setdefault(_method(row.setting), {})[row.setting.steps] = f"{row.cost:.2f}: {found}"
    lines = [
        f"{count} held-out {prompts} prompts. In each cell the cost in full steps, then each figure minus "
        "the plain sampler's at that cost; * where the 95 % interval leaves 0 out.",
        "",
        "| sampling | " + " | ".join(f"{steps} steps" for steps in counts) + " |",
        "|" + "---|" * (1 + len(counts)),
    ]
    for name, cells in methods.items():
        lines.append(f"| {name} | " + " | ".join(cells.get(steps, "") for steps in counts) + " |")
    return "\n".join(lines)


def verdict(row: Row) -> str:
    """Whether the row beats the plain sampler of equal cost in what judges, in a word."""
    better, worse = (any(name in JUDGES for name in names) for names in (row.better, row.beaten))
    if not any(row.gain.values()):
        return ""
    words = {(True, False): "better", (False, True): "worse", (True, True): "both"}
    return words.get((better, worse), "even")


def _method(setting: Setting) -> str:
    return ", ".join(["plain" if setting.plain else f"`{setting.schedule}`", *setting.options])


def _plain_figure(found: Estimate | None) -> str:
    if found is None:
        return ""
    return f"{found.value:.0f}" if abs(found.value) >= 100 else f"{found.value:.3g}"


def _interval(found: Estimate | None) -> str:
    if found is None:
        return ""
    digits = 1 if found.high - found.low < 20 else 0
    return f"{found.value:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"


def _starred(found: Estimate | None, name: str, digits: int) -> str:
    if found is None:
        return ""
    return f"{name} {found.value:+.{digits}f}{'*' * (found.low > 0.0 or found.high < 0.0)}"


def cell(found: Estimate | None, sign: bool = False) -> str:
    """A figure and half the width of its interval, with as many digits as that needs."""
    if found is None:
        return "-"
    half = (found.high - found.low) / 2
    digits = 4 if half < 0.01 else 3 if half < 1 else 1
    return f"{found.value:{'+' if sign else ''}.{digits}f} +- {half:.{digits}f}"


def as_json(rows: list[Row], count: int, model: str, invisible: float, prompts: str = "full") -> str:
    """The same for programs."""
    listed = []
    for row in rows:
        own = asdict(row) | {"name": row.setting.name, "plain": row.setting.plain}
        del own["draws"]
        listed.append(own)
    about = {"model": model, "prompts": prompts, "samples": count, "reference": REFERENCE.name}
    about |= {"jpeg_lpips": invisible, "compared": list(HIGHER_IS_BETTER)}
    return json.dumps(about | {"rows": listed}, indent=1)
