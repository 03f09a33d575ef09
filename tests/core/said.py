"""What Python can say to a node: templates of its sentences, read from the sources, and examples of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("fresco_core", "nodes")
SENTENCES = ROOT / "tests" / "web" / "sentences.txt"
HOLE = "{}"

BY_THE_HOST = {"ValueError", "RuntimeError", "TypeError", "ImportError", "KeyError"}
"""Errors that end a run in the host's own dialog. ScheduleErrors do too, but nodes show them as well."""
ARGUMENTS = {"tooltip", "description", "search_aliases", "display_name", "category", "node_id"}
"""Of calls: what the host shows, in the words of locales/*/nodeDefs.json, or nobody."""
CALLS = {"compile", "rearrange", "check_finite", "bound", "split", "kinds", "keep_newest"}
"""Calls whose texts are names and patterns."""
CONSTANTS = {"FORWARD", "ARGUMENTS", "BATCH", "names"}
"""What holds the names of a call's arguments, in one line."""
_WORD = re.compile(r"(?<![\w{])[a-z]{2,}")


@dataclass(frozen=True)
class Template:
    """A sentence, or a piece of one, with HOLE for each value; and where it is written."""

    text: str
    place: str

    def within(self, text: str) -> bool:
        """Whether a text has it, with any values."""
        parts = self.text.strip("\n").split(HOLE)
        return re.search(".*".join(map(re.escape, parts)), text) is not None


def examples() -> list[str]:
    """The lines of SENTENCES."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


def templates() -> list[Template]:
    """Those of all files, in order, each text once a file. A word alone is none: it may be any name."""
    found: dict[tuple[str, str], Template] = {}
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for line, text in templates_in(path.read_text("utf-8")):
            found.setdefault((name, text), Template(text, f"{name}:{line}"))
    return list(found.values())


def templates_in(source: str) -> list[tuple[int, str]]:
    """The lines and templates of a file's text."""
    return list(_below(ast.parse(source)))


def _below(node: ast.AST) -> Iterator[tuple[int, str]]:
    if _silent(node):
        return
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(p.value) if isinstance(p, ast.Constant) else HOLE for p in node.values)
        if _WORD.search(text):
            yield node.lineno, text
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _below(part.value)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _several_words(node.value):
        yield node.lineno, re.sub(r"\{\w+\}", HOLE, node.value)  # as str.format takes it
    for child in ast.iter_child_nodes(node):
        yield from _below(child)


def _several_words(text: str) -> bool:
    return " " in text.strip() and _WORD.search(text) is not None


def _silent(node: ast.AST) -> bool:
    """Whether nothing below is said to a node: the log, docstrings, names, what the host shows by itself."""
    if isinstance(node, ast.Call):
        return _name(node.func) in CALLS or (
            isinstance(node.func, ast.Attribute) and _name(node.func.value) == "log"
        )
    if isinstance(node, ast.Raise):
        return isinstance(node.exc, ast.Call) and _name(node.exc.func) in BY_THE_HOST
    if isinstance(node, ast.FunctionDef):
        return node.name == "define_schema"
    if isinstance(node, ast.keyword):
        return node.arg in ARGUMENTS
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant) and _name(node.targets[0]) in CONSTANTS
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
