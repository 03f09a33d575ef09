"""The search for presets: rules that beat the plain sampler at equal cost somewhere, and lose nowhere.

Candidates race in rounds of ever more pictures: few, at one number of steps; the same at all numbers; a
quarter of the pictures; all of them. Behind each round those leave that the plain sampler beats somewhere by
the whole interval, and of the rest all but the best. What is left is judged on all pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .candidates import FEW_TOTALS, TOTALS
from .report import COLUMNS, cell
from .rows import JUDGES, Row
from .settings import Setting


@dataclass(frozen=True)
class Round:
    """shards: how many are looked at. totals: numbers of steps. keep: rules that may go on. inception:
    whether its features count; they cost as much as three full steps of the demo model."""

    shards: int
    totals: tuple[int, ...]
    keep: int
    inception: bool = True


@dataclass(frozen=True)
class Verdict:
    """One rule: its rows by number of steps, and whether it earns its place."""

    line: str
    rows: tuple[Row, ...]

    @property
    def better(self) -> tuple[int, ...]:
        """Numbers of steps at which it beats the plain sampler of equal cost in a judged column."""
        return tuple(row.setting.steps for row in self.rows if _judged(row.better))

    @property
    def worse(self) -> tuple[int, ...]:
        """Numbers of steps at which the plain sampler beats it in a judged column."""
        return tuple(row.setting.steps for row in self.rows if _judged(row.beaten))

    @property
    def passed(self) -> bool:
        """Better somewhere, worse nowhere."""
        return bool(self.better) and not self.worse

    @property
    def gain(self) -> float:
        """Mean share of the first judge's distance that it saves; what is dearer or cheaper than all plain
        runs does not count."""
        shares = [-gain.value / row.figures["fd"].value for row in self.rows if (gain := row.gain["fd"])]
        return sum(shares) / len(shares) if shares else float("-inf")


def _judged(columns: Sequence[str]) -> bool:
    return any(name in JUDGES for name in columns)


def rounds(shards: int) -> list[Round]:
    """For as many shards in all."""
    quarter = max(1, shards // 4)
    found = [Round(1, FEW_TOTALS, 8, False), Round(1, TOTALS, 5, shards == 1)]
    if quarter > 1:
        found.append(Round(quarter, TOTALS, 5))
    if shards > quarter:
        found.append(Round(shards, TOTALS, 5))
    return found


def race(
    lines: Sequence[str],
    schedule: Sequence[Round],
    measured: Callable[[list[str], Round], list[Row]],
) -> tuple[list[Verdict], list[tuple[str, str]]]:
    """Verdicts on the rules that came through, best first, and those that left: line and why.

    measured: rows of all lines of a round, compared with the plain sampler's of the same pictures.
    """
    left: list[tuple[str, str]] = []
    verdicts: list[Verdict] = []
    for number, step in enumerate(schedule, 1):
        rows = measured(list(lines), step)
        verdicts = sorted((_verdict(line, rows) for line in lines), key=lambda v: v.gain, reverse=True)
        final = number == len(schedule)
        going = [v for v in verdicts if v.rows and (final or not v.worse)]
        left += [(v.line, f"round {number}: {_why(v)}") for v in verdicts if v not in going]
        if not final:
            left += [(v.line, f"round {number}: {len(going)} others were better") for v in going[step.keep :]]
            going = going[: step.keep]
        verdicts, lines = going, [v.line for v in going]
    return verdicts, left


def _verdict(line: str, rows: Sequence[Row]) -> Verdict:
    return Verdict(line, tuple(row for row in rows if row.setting == Setting(line, row.setting.steps)))


def _why(verdict: Verdict) -> str:
    if not verdict.rows:
        return "runs plain"
    at = ", ".join(
        f"{row.setting.steps} steps ({', '.join(COLUMNS[name] for name in row.beaten if name in JUDGES)})"
        for row in verdict.rows
        if _judged(row.beaten)
    )
    return f"plain is better at {at}"


def as_markdown(verdicts: Sequence[Verdict], left: Sequence[tuple[str, str]], count: int) -> str:
    """What passed, what was judged at all numbers of steps, and what left when."""
    passed = [v for v in verdicts if v.passed]
    judges = ", ".join(COLUMNS[name] for name in JUDGES)
    words = (
        f"Of {len(verdicts) + len(left)} rules {len(passed)} beat the plain sampler of equal cost at some "
        f"number of steps and lose at none, judged by {judges} over {count} prompts (95 % intervals, "
        "paired). "
        "Cells: cost in full steps, then FD less plain at equal cost; * where the interval says better, "
        "! where it says worse in a judged column."
    )
    heads = ["rule", "passes", "mean gain", *(f"{n} steps" for n in TOTALS)]
    lines = [words, "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for v in verdicts:
        at = {row.setting.steps: _mark(row) for row in v.rows}
        cells = [f"`{v.line}`", "yes" if v.passed else "no", f"{v.gain:+.1%}"]
        lines.append("| " + " | ".join([*cells, *(at.get(n, "plain") for n in TOTALS)]) + " |")
    lines += ["", *(f"- `{line}` left in {why}" for line, why in left)]
    return "\n".join(lines)


def _mark(row: Row) -> str:
    sign = ("*" if _judged(row.better) else "") + ("!" if _judged(row.beaten) else "")
    return f"{row.cost:.2f}: {cell(row.gain['fd'], sign=True)}{sign}"
