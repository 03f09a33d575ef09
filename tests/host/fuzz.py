"""Runs drawn at random, judged against the host's own: `python fuzz.py --count 50 --seed 17`.

Needs the host's Python and COMFYUI_PATH, as the host tests do. One case again: `--seed 17 --case 1234`.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator

os.environ.setdefault("FRESCO_HOST_TESTS", "1")
import conftest  # noqa: F401 - boots the host, imports the pack
import fuzz_cases
import tiny
from fuzz_cases import DEMO, NAMES, Case
from fuzz_judge import Verdict, judge

WORDS = {
    "right": "coarse and right",
    "plain": "plain",
    "refused": "refused in words",
    "host": "refused by the host too",
}


def cases(seed: int, families: tuple[str, ...] = NAMES, first: int = 0) -> Iterator[Case]:
    """The seed's cases of these families that this host can build, from number `first` on, without end."""
    import comfy.samplers
    from fresco_pack.fresco_core import PRESETS

    host = comfy.samplers.KSampler
    known = {*tiny.available(), DEMO} & set(families)
    if not known:
        raise ValueError(f"this host has none of {', '.join(families)}; it has {', '.join(tiny.available())}")
    number = first
    while True:
        case = fuzz_cases.draw(seed, number, host.SAMPLERS, host.SCHEDULERS, PRESETS)
        number += 1
        if case.family in known:
            yield case


def judged(case: Case) -> Verdict:
    """The verdict on a case; what breaks the judge itself is a failure too."""
    try:
        return judge(case)
    except Exception:
        return Verdict("host", ["the judge broke: " + traceback.format_exc()])


def fuzz(
    seed: int,
    count: int,
    minutes: float,
    families: tuple[str, ...] = NAMES,
    first: int = 0,
    loud: bool = False,
) -> tuple[Counter[str], list[str]]:
    """Judge `count` cases, or as many as `minutes` allow: (how many ended how, failures in words)."""
    ended: Counter[str] = Counter()
    failures: list[str] = []
    until = time.monotonic() + 60.0 * minutes
    for case in cases(seed, families, first):
        if sum(ended.values()) >= count or time.monotonic() > until:
            break
        verdict = judged(case)
        ended[verdict.outcome] += 1
        found = [f"--seed {seed} --case {case.number}: {words}\n    {case}" for words in verdict.failures]
        failures += found
        if loud:
            print("\n".join(found or [f"{case.number} {verdict.outcome}"]), file=sys.stderr, flush=True)
    return ended, failures


def main() -> int:
    """Command line; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=50, help="cases to judge")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no case after these")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="judge this case alone")
    parser.add_argument("--families", nargs="+", choices=NAMES, default=NAMES, metavar="FAMILY")
    given = parser.parse_args()
    gc.freeze()  # the host searches for garbage in every run
    warnings.simplefilter("ignore")
    logging.disable(logging.NOTSET if given.case is not None else logging.CRITICAL)
    first, count = (given.first, given.count) if given.case is None else (given.case, 1)
    ended, failures = fuzz(given.seed, count, given.minutes, tuple(given.families), first, loud=True)
    total = sum(ended.values())
    counts = ", ".join(f"{ended[outcome]} {words}" for outcome, words in WORDS.items())
    print("\n".join([*failures, f"{total} cases from seed {given.seed}: {counts}; {len(failures)} failures"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
