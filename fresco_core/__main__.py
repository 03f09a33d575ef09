"""Commands of the core: `python -m fresco_core demo`."""

from __future__ import annotations

import argparse
import logging
import sys

from .demo import command as demo


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    logging.basicConfig(format="%(levelname)s: %(message)s")
    parser = argparse.ArgumentParser(prog="python -m fresco_core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_arguments(commands.add_parser("demo", help="draw one seed plain and through Fresco"))
    return demo.main(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
