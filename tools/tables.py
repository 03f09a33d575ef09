"""`python -m tools.tables PAGE NAME TABLE`: put a table into a page in place of the one of that name.

A page marks its tables: `<!-- begin NAME -->`, the table, `<!-- end NAME -->`. TABLE is a file, of which the
first table is taken.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def replaced(page: str, name: str, table: str) -> str:
    """The page with `table` between the marks of `name`. Raises ValueError where it has none, or not one."""
    begin, end = (re.escape(f"<!-- {word} {name} -->") for word in ("begin", "end"))
    marks = re.compile(rf"({begin}\n).*?(\n{end})", re.DOTALL)
    out, count = marks.subn(lambda match: match[1] + table.strip() + match[2], page)
    if count != 1:
        known = ", ".join(re.findall(r"<!-- begin (\S+) -->", page)) or "none"
        raise ValueError(f"the page has {count} tables named {name!r}; expected one of {known}")
    return out


def first_table(text: str) -> str:
    """The first table of a text in Markdown. Raises ValueError where it has none."""
    found = re.search(r"(?:^\|.*\|[ ]*$\n?)+", text, re.MULTILINE)
    if found is None:
        raise ValueError("the file has no table; expected lines that begin and end with '|'")
    return found[0].rstrip("\n")


def main() -> None:
    """Replace, in place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path)
    parser.add_argument("name")
    parser.add_argument("table", type=Path)
    given = parser.parse_args()
    page = replaced(given.page.read_text("utf-8"), given.name, first_table(given.table.read_text("utf-8")))
    given.page.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
