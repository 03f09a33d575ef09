"""python -m tools.templates HOST [--out DIR] [--write DIR]"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fresco_core import PRESETS

from .few_steps import few_steps_table
from .fronted import fronted
from .report import as_json, as_markdown, summary
from .survey import documents, folder_of, survey
from .verdict import PRESET


def main(arguments: list[str] | None = None) -> int:
    """Survey the graphs; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.templates", description=__doc__)
    parser.add_argument("host", help="the Python that has the template package, or a folder of workflows")
    parser.add_argument("--out", type=Path, help="folder for templates.md and templates.json")
    parser.add_argument("--write", type=Path, help="folder for copies with Fresco Apply in every graph")
    given = parser.parse_args(arguments)
    try:
        folder = folder_of(given.host)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    rows, without = survey(folder)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        table = as_markdown(rows, without) + few_steps_table(rows)
        (given.out / "templates.md").write_text(table, "utf-8")
        (given.out / "templates.json").write_text(json.dumps(as_json(rows, without), indent=1), "utf-8")
    if given.write is not None:
        given.write.mkdir(parents=True, exist_ok=True)
        surveyed = {row.name for row in rows}
        for name, document in documents(folder):
            if name in surveyed:
                made, _ = fronted(document, PRESETS[PRESET])
                (given.write / f"{name}.json").write_text(json.dumps(made, indent=1), "utf-8")
    print(summary(rows, without))
    return 0


if __name__ == "__main__":
    sys.exit(main())
