"""Whether the model is a ruler: are few plain steps worse than many, and can it draw at half size?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fresco_core.demo.scene import scenes_of
from tools.demo.render import sheet

from .rows import Row
from .settings import REFERENCE, Setting
from .statistics import Estimate, estimate
from .store import Store

FEW = (6, 4)
MOST_AT_HALF_SIZE = 1.5
"""Of the half-size pictures' distance over the full-size ones'."""
SHEET_COUNT, SHEET_COLUMNS = 32, 8


@dataclass(frozen=True)
class Check:
    """One line of the bar. apart: whether the two separate intervals do not touch; difference: few less many,
    or half size over full size, with its paired interval."""

    name: str
    figure: Estimate
    reference: Estimate
    difference: Estimate
    apart: bool
    met: bool


def judged(rows: list[Row], column: str) -> list[Check]:
    """The bar's checks on a distance, one for each number of few steps, one for half size."""
    by = {row.setting: row for row in rows}
    many = by[REFERENCE]
    found = []
    for steps in FEW:
        few = by[Setting("full", steps)]
        ours, theirs = few.figures[column], many.figures[column]
        difference = estimate(ours.value - theirs.value, few.draws[column] - many.draws[column])
        apart = ours.low > theirs.high
        found.append(
            Check(f"{steps} steps worse than {REFERENCE.steps}", ours, theirs, difference, apart, apart)
        )
    half = by[Setting("full", REFERENCE.steps, size=1)]
    ours, theirs = half.figures[column], many.figures[column]
    ratio = estimate(ours.value / theirs.value, half.draws[column] / many.draws[column])
    met = ratio.value <= MOST_AT_HALF_SIZE
    name = f"half size within {MOST_AT_HALF_SIZE:g} times full size"
    return [*found, Check(name, ours, theirs, ratio, ours.low > theirs.high, met)]


def as_markdown(checks: dict[str, list[Check]], count: int, prompts: str) -> str:
    """The checks by distance, and the verdict."""
    lines = [f"The bar on {count} {prompts} prompts, 95 % intervals:", ""]
    lines += [
        "| distance | check | figure | reference | difference or ratio (paired) | met |",
        "|" + " --- |" * 6,
    ]
    for column, some in checks.items():
        for check in some:
            cells = [column, check.name, *map(_interval, (check.figure, check.reference, check.difference))]
            lines.append("| " + " | ".join([*cells, "yes" if check.met else "no"]) + " |")
    met = {column: all(check.met for check in some) for column, some in checks.items()}
    lines += [
        "",
        *(f"By {column} the model is {'' if yes else 'not '}a ruler." for column, yes in met.items()),
    ]
    return "\n".join(lines)


def _interval(found: Estimate) -> str:
    digits = 1 if abs(found.value) >= 100 else 3
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def as_json(checks: dict[str, list[Check]], count: int, prompts: str) -> str:
    """The same for programs."""
    listed = {column: [asdict(check) for check in some] for column, some in checks.items()}
    return json.dumps({"prompts": prompts, "samples": count, "checks": listed}, indent=1)


def draw_sheet(store: Store, file: Path) -> None:
    """The first prompts' pictures, bands of eight: with many steps above, with few below. Beside the PNG a
    text with what the prompts say."""
    rows = [store.pictures(Setting("full", steps), SHEET_COUNT) for steps in (REFERENCE.steps, *FEW)]
    bands = zip(*(row.split(SHEET_COLUMNS) for row in rows), strict=True)
    sheet(torch.cat([part for band in bands for part in band]), SHEET_COLUMNS, file)
    vocabulary = store.studio.demo.vocabulary
    said = [scene.prompt(vocabulary) for scene in scenes_of(store.studio.ids[:SHEET_COUNT], vocabulary)]
    file.with_suffix(".txt").write_text("\n".join(said) + "\n", "utf-8")
