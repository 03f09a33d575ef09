"""Measure sampler settings on the trained demo model: `python -m benchmarks.quality --suite baselines`.

Stops and goes on at any moment: every shard of pictures is measured once per weights, in
OUT/WEIGHTS/SETTING/. Writes SUITE.md, SUITE.json and SUITE.png beside them; the baselines are the first rows
of every suite. Several processes may share the work: each with `--part I/N`.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch
from tqdm import tqdm

from fresco_core.schedule.looks import level_name
from fresco_core.schedule.steps import Step

from .ablations import ABLATIONS
from .measure import Judge
from .pictures import Studio, fingerprint
from .report import as_json, compare, make_row, markdown, plot
from .settings import REFERENCE, SUITES, Setting, baselines, between
from .store import Store

log = logging.getLogger(__name__)


def main() -> None:
    """Measure, then report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", nargs="+", choices=(*SUITES, *ABLATIONS), default=["baselines"])
    parser.add_argument("--setting", nargs="+", default=[], help="schedules to measure besides, as text")
    parser.add_argument("--steps", type=int, nargs="+", default=[20], help="totals for --setting")
    parser.add_argument("--count", type=int, default=1024, help="pictures per setting (default %(default)s)")
    parser.add_argument("--inception", action="store_true", help="Inception features too (slow on a CPU)")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--part", default="0/1", help="I/N: measure only every N-th shard from the I-th on")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    folder = args.out / fingerprint()
    studio = Studio(args.count)
    store = Store(folder, studio, Judge())
    extra = [Setting(line, steps) for line in args.setting for steps in args.steps]
    asked = [setting for name in args.suite for setting in suite(name)] + extra
    beside = [] if set(asked) <= set(baselines()) else between()
    settings = list(dict.fromkeys([*baselines(), *beside, *asked]))
    part, parts = (int(n) for n in args.part.split("/"))
    for setting in settings:
        studio.plan(setting)
    shards = studio.shards[part::parts]
    with tqdm(total=(len(settings) + 1) * len(shards), unit="shard") as bar:
        for shard in shards:
            store.measure_real(shard, args.inception)
            bar.update()
            for setting in settings:
                bar.set_description(setting.name)
                store.measure(setting, shard, args.inception)
                bar.update()
            store.measure_jpeg(shard)
    if parts == 1:
        report(store, settings, folder, "-".join(args.suite), args.count)


def suite(name: str) -> list[Setting]:
    """The settings of a suite, or of all comparisons of an ablation."""
    if name in SUITES:
        return SUITES[name]()
    return [setting for comparison in ABLATIONS[name]() for setting in comparison]


def report(store: Store, settings: list[Setting], folder: Path, name: str, count: int) -> None:
    """Write and print the table, the JSON and the plot."""
    studio, real = store.studio, store.read("real")
    step = studio.flops(REFERENCE) // REFERENCE.steps
    rows = [make_row(s, store.read(s.key), real, studio.tokens(s), studio.flops(s), step) for s in settings]
    invisible = float(store.read("jpeg")["lpips"].mean())
    compare(rows, invisible)
    text = markdown(rows, count, invisible)
    (folder / f"{name}.md").write_text(text + "\n", "utf-8")
    (folder / f"{name}.json").write_text(as_json(rows, count, fingerprint(), invisible), "utf-8")
    plot(rows, folder / f"{name}.png", invisible)
    per_level = ", ".join(f"{level_name(k)} {studio.step_flops(Step(k)) / 1e9:.3f}" for k in range(3))
    log.info("%s\n\nGFLOPs of a step: %s; files: %s/%s.{md,json,png}", text, per_level, folder, name)


if __name__ == "__main__":
    main()
