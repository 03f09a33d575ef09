"""python -m tools.graphs OBJECT_INFO.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .examples import EXAMPLES, build

FOLDER = Path(__file__).parents[2] / "workflows"


def main(arguments: list[str]) -> int:
    """Write every example; returns the exit status."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    info = json.loads(Path(arguments[0]).read_text("utf-8"))
    for name in EXAMPLES:
        graph = build(name, info)
        (FOLDER / f"{name}.json").write_text(json.dumps(graph.saved(), indent=1) + "\n", "utf-8")
        (FOLDER / "api" / f"{name}.json").write_text(json.dumps(graph.prompt, indent=2) + "\n", "utf-8")
    print(f"{len(EXAMPLES)} graphs in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
