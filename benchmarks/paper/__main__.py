"""Write the paper's table next to ours.

    python -m benchmarks.paper --out DIR

prints the table and writes table.json, table.md and table.png into DIR, and for docs/cost.md beside.md, the
same in short, and steps.md, what presets gain by step count.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fresco_core import PRESETS
from fresco_core.text.presets import USUAL

from .chart import draw_chart
from .steps import steps_table
from .table import as_json, as_markdown, beside, table


def main(arguments: list[str] | None = None) -> None:
    """Compute, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/paper"), help="folder (default %(default)s)")
    out = parser.parse_args(arguments).out
    rows = table(PRESETS)
    words = as_markdown(rows)
    print(words)
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.json").write_text(json.dumps(as_json(rows), indent=1) + "\n")
    (out / "table.md").write_text(words)
    (out / "beside.md").write_text(beside(rows, USUAL))
    (out / "steps.md").write_text(steps_table())
    draw_chart(out / "table.png", rows)


if __name__ == "__main__":
    main()
