"""Measure what of the predicted gain becomes wall-clock, in a real host's sampling loop.

    python -m benchmarks.latency [--out DIR] [--schedules balanced fast] [--cpu | --smoke]

Run it from the pack's folder with the host's Python; COMFYUI_PATH names the host (default ~/ComfyUI). Models
have real widths and random weights: whole FLUX.1-dev and HunyuanVideo on a GPU, scaled down on a CPU. Plain
and Fresco alternate. Prints the table, writes latency.json and latency.md, and exits with 2 where the machine
lacks something or a schedule does not fit, saying what.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .host import LacksHost, boot, has_gpu, import_pack


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/latency"), help="folder (default %(default)s)")
    parser.add_argument("--schedules", nargs="+", default=["balanced"], help="presets, or schedules")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each kind; the fastest counts")
    parser.add_argument("--minutes", type=float, default=7.5, help="to be done by, models' building included")
    parser.add_argument("--cpu", action="store_true", help="use the CPU although there is a GPU")
    parser.add_argument("--smoke", action="store_true", help="tiny models on the CPU: whether all works")
    options = parser.parse_args(arguments)
    end = time.monotonic() + 60.0 * options.minutes
    try:
        cuda = has_gpu() and not (options.cpu or options.smoke)
        boot(cpu=not cuda)
        import_pack()
    except LacksHost as error:
        print(f"benchmarks.latency cannot run here: {error}", file=sys.stderr)
        return 2
    from fresco_pack.fresco_core import ScheduleError

    from .cases import IN_SMOKE, ON_CPU, ON_GPU
    from .measure import drop_models, measure
    from .report import surroundings, write

    results, notes = [], []
    for case in ON_GPU if cuda else IN_SMOKE if options.smoke else ON_CPU:
        until = time.monotonic() + (end - time.monotonic()) * case.share
        try:
            rows, left_out = measure(case, options.schedules, options.repeats, cuda, until)
        except ScheduleError as error:
            print(f"--schedules: {error}", file=sys.stderr)
            return 2
        results += rows
        notes += left_out
        drop_models(cuda)
    print(write(options.out, results, surroundings(cuda), notes))
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
