"""Fetch and check the pictures and names that the demo model is trained on: `python -m tools.demo_data`.

Training fetches them by itself; this is for machines without a network: set FRESCO_CACHE to a folder, run
this where there is one, and take the folder along.
"""

from __future__ import annotations

import argparse
import logging

from tools.demo.budgets import BUDGETS
from tools.demo.packages import EMOJI_NAMES, FLUENT_EMOJI, cache_folder, fetch, picture

log = logging.getLogger(__name__)


def main() -> None:
    """Fetch both packages and check that every object of every budget has its picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for package in (FLUENT_EMOJI, EMOJI_NAMES):
        folder = fetch(package)
        log.info(
            "%s %s: %d files in %s", package.name, package.version, sum(1 for _ in folder.rglob("*")), folder
        )
    for budget in BUDGETS.values():
        points = budget.points()
        missing = [word for word, point in points.items() if picture(point) is None]
        if missing:
            raise SystemExit(f"Budget {budget.name}: no picture of {', '.join(missing)} in {cache_folder()}.")
        log.info("budget %s: %d objects: %s", budget.name, len(points), ", ".join(list(points)[:400]))


if __name__ == "__main__":
    main()
