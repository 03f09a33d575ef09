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
    """One line of the bar. difference: few less many, or half size over full size, paired by prompt. sure:
    whether its interval says so. met: what the bar asks for, of few steps that the two separate intervals do
    not touch, which is more."""

    name: str
    figure: Estimate
    reference: Estimate
    difference: Estimate
    sure: bool
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
        name = f"{steps} steps worse than {REFERENCE.steps}"
        sure, met = difference.low > 0, ours.low > theirs.high
        found.append(Check(name, ours, theirs, difference, sure, met))
    half = by[Setting("full", REFERENCE.steps, size=1)]
    ours, theirs = half.figures[column], many.figures[column]
    ratio = estimate(ours.value / theirs.value, half.draws[column] / many.draws[column])
    sure, met = (some <= MOST_AT_HALF_SIZE for some in (ratio.high, ratio.value))
    name = f"half size within {MOST_AT_HALF_SIZE:g} times full size"
    return [*found, Check(name, ours, theirs, ratio, sure, met)]


def as_markdown(checks: dict[str, list[Check]], count: int, prompts: str) -> str:
    """The checks by distance, and the verdict."""
    lines = [f"The bar on {count} {prompts} prompts, 95 % intervals:", ""]
    lines += [
        "| distance | check | figure | reference | difference or ratio, paired | sure | met |",
        "|" + " --- |" * 7,
    ]
    for column, some in checks.items():
        for check in some:
            cells = [column, check.name, *map(_interval, (check.figure, check.reference, check.difference))]
            cells += ["yes" if yes else "no" for yes in (check.sure, check.met)]
            lines.append("| " + " | ".join(cells) + " |")
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
    text with what the prompts say, where the vocabulary has words for it."""
    studio = store.studio
    columns = min(SHEET_COLUMNS, len(studio.ids))
    count = min(SHEET_COUNT, len(studio.ids)) // columns * columns  # whole bands
    rows = [store.pictures(Setting("full", steps), count) for steps in (REFERENCE.steps, *FEW)]
    bands = zip(*(row.split(columns) for row in rows), strict=True)
    sheet(torch.cat([part for band in bands for part in band]), columns, file)
    vocabulary = studio.demo.vocabulary
    if vocabulary.open or torch.equal(studio.ids, studio.scenes):
        said = [scene.prompt(vocabulary) for scene in scenes_of(studio.ids[:count], vocabulary)]
        file.with_suffix(".txt").write_text("\n".join(said) + "\n", "utf-8")
