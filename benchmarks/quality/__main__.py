"""Measure sampler settings on the trained demo model, against what they cost.

    python -m benchmarks.quality --suite bar --prompts open                     is the model a ruler?
    python -m benchmarks.quality --suite search rivals --prompts open           which rules may be presets?
    python -m benchmarks.quality --suite rivals --count 64                      a quick look

Stops and goes on at any moment: every shard of pictures is measured once per weights and kind of prompts, in
OUT/WEIGHTS/PROMPTS/SETTING/, real pictures once in OUT/real-JUDGE/. Writes SUITE.md, SUITE-brief.md and
SUITE-by-steps.md (for documents), SUITE.json and SUITE.png beside them, and does only that where all is
measured. The plain sampler's rows are the first of every suite. Several processes may share the work, but for
the race of `search`: each with `--part I/N`, then one without. A larger `--count` measures only what is new.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from . import bar
from .ablations import ABLATIONS
from .candidates import candidates
from .frontier import plot
from .prompts import PROMPTS, weights_for
from .report import as_json, brief, by_steps, markdown
from .rows import Row
from .search import as_markdown, race, rounds
from .settings import REFERENCE, SHIFT, SUITES, Setting, baselines, beside
from .workshop import Workshop

log = logging.getLogger(__name__)
SEARCH = "search"


def main() -> None:
    """Measure, then report."""
    args = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    workshop = Workshop.of(args)
    extra = [
        Setting(line, steps, shift=shift)
        for shift in args.shift
        for line in args.setting
        for steps in args.steps
    ]
    names = [name for name in args.suite if name != SEARCH]
    asked = [setting for name in names for setting in suite(name)] + extra
    plain = plain_beside(args.suite, args.shift if extra else [])
    name, passed, found = "-".join(args.suite), [], []
    if SEARCH in args.suite and not workshop.shared:
        found, passed = search(workshop, plain, name)
    workshop.measure(list(dict.fromkeys([*plain, *asked])))
    if workshop.shared:
        return
    rows = workshop.rows(list(dict.fromkeys([*plain, *found, *asked])))
    write(workshop, rows, name, passed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", nargs="+", choices=(*SUITES, *ABLATIONS, SEARCH), default=["baselines"])
    parser.add_argument("--setting", nargs="+", default=[], help="schedules or rivals to measure besides")
    parser.add_argument("--steps", type=int, nargs="+", default=[20], help="totals for --setting")
    parser.add_argument(
        "--shift", type=float, nargs="+", default=[SHIFT], help="shifts of the sigmas for --setting"
    )
    parser.add_argument("--prompts", choices=PROMPTS, default="full")
    parser.add_argument(
        "--weights",
        type=Path,
        help="folder of safetensors; default the demo's for full prompts, for others the ruler's own",
    )
    parser.add_argument("--count", type=int, default=1024, help="pictures per setting (default %(default)s)")
    parser.add_argument(
        "--inception",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Inception's features too (default yes)",
    )
    parser.add_argument("--exact", action="store_true", help="float32 throughout, not bfloat16 products")
    parser.add_argument(
        "--compile", action="store_true", help="with torch.compile: minutes to begin, then faster"
    )
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--part", default="0/1", help="I/N: measure only every N-th shard from the I-th on")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.weights = args.weights or weights_for(args.prompts)
    if args.compile and args.exact:
        parser.error("--compile is of bfloat16 products, and --exact does without them; give one of the two")
    return args


def plain_beside(suites: list[str], shifts: list[float]) -> list[Setting]:
    """The plain sampler's settings that suites, and settings of some shifts, need beside theirs: for
    comparisons at equal cost all."""
    if suites != ["baselines"] and not set(suites) <= {"bar", "precision"}:
        shifts = [SHIFT, *shifts]
    if not shifts:
        return baselines() if suites == ["baselines"] else [REFERENCE]
    return list(dict.fromkeys(setting for shift in shifts for setting in beside(shift)))


def suite(name: str) -> list[Setting]:
    """The settings of a suite, or of all comparisons of an ablation."""
    if name in SUITES:
        return SUITES[name]()
    return [setting for comparison in ABLATIONS[name]() for setting in comparison]


def search(workshop: Workshop, plain: list[Setting], name: str) -> tuple[list[Setting], list[str]]:
    """Race the candidates and write who passed: the settings of those that came through, and the lines of
    those that passed."""

    def measured(lines: list[str], step) -> list[Row]:  # noqa: ANN001
        some = [setting for line in lines for setting in workshop.settings_of(line, step.totals)]
        workshop.measure(plain, step.shards)
        workshop.measure(some, step.shards, step.inception)
        return workshop.rows([*plain, *some], step.shards, step.inception)

    verdicts, left = race(candidates(), rounds(len(workshop.shards)), measured)
    text = as_markdown(verdicts, left, len(workshop.studio.ids))
    (workshop.folder / f"{name}-rules.md").write_text(text + "\n", "utf-8")
    log.info("%s\n", text)
    return [row.setting for v in verdicts for row in v.rows], [v.line for v in verdicts if v.passed]


def write(workshop: Workshop, rows: list[Row], name: str, passed: list[str]) -> None:
    """Write and print the table, the JSON and the plot; of the bar its verdict and sheet."""
    count, folder, prompts = len(workshop.studio.ids), workshop.folder, workshop.prompts
    text = markdown(rows, count, workshop.invisible, prompts)
    if "bar" in name.split("-"):
        columns = [column for column in ("fd", "fd_inception") if column in rows[0].figures]
        checks = {column: bar.judged(rows, column) for column in columns}
        (folder / f"{name}-checks.json").write_text(bar.as_json(checks, count, prompts), "utf-8")
        bar.draw_sheet(workshop.store, folder / "sheet.png")
        text = bar.as_markdown(checks, count, prompts) + "\n\n" + text
    text += f"\n\n{workshop.about_real()}"
    (folder / f"{name}.md").write_text(text + "\n", "utf-8")
    (folder / f"{name}-brief.md").write_text(brief(rows, count, prompts) + "\n", "utf-8")
    (folder / f"{name}-by-steps.md").write_text(by_steps(rows, count, prompts) + "\n", "utf-8")
    (folder / f"{name}.json").write_text(
        as_json(rows, count, workshop.weights, workshop.invisible, prompts), "utf-8"
    )
    plot(rows, folder / f"{name}.png", passed)
    log.info("%s\n\nFiles: %s/%s.{md,json,png}", text, folder, name)


if __name__ == "__main__":
    main()
