"""`python -m tools.drawings [--out docs]`: draw all, each to a file of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from .marks import banner, icon
from .method import canvas, mixed, passes

DRAWINGS = {"icon": icon, "banner": banner, "canvas": canvas, "passes": passes, "mixed": mixed}


def main() -> None:
    """Draw what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRAWINGS)}; all without one")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or DRAWINGS:
        DRAWINGS[name]().save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
