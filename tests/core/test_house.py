"""The rooms of the house: who may import whom, and how large anything may grow."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
METHOD = ("canvas", "look", "schedule", "course", "trace", "sampling")
"""Rooms of the core, each importing only itself and those before it."""
APART = ("text", "view", "cost", "bench", "demo")
"""Rooms behind the method, each importing only it, itself and those before it."""
NODES = ("host", "mixed", "families", "engine", "inputs", "view", "server", "trials")
MOST_LINES, MOST_FIELDS, MOST_METHODS = 300, 10, 12
MOST_CODE = 1700  # of the method: lines that hold code, without docstrings, comments and blank lines
MOST_DENSE, MOST_MIXED = 40, 150  # lines of a family's file


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Modules of the repository that a file imports anywhere, with dots from the repository's root on."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = ".".join((*base, *filter(None, [node.module])))
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if (ROOT / name.replace(".", "/")).is_dir() or is_file(name)}


def is_file(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()


def room(name: str) -> str:
    """The second part of a dotted name: fresco_core.look.dense is in look."""
    return name.split(".")[1] if "." in name else ""


def code_lines(path: Path) -> int:
    source = path.read_text("utf-8")
    tree, skipped = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update(range(node.lineno, node.end_lineno + 1))
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*layout, tokenize.ENDMARKER):
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - skipped)


@pytest.mark.parametrize(
    "path",
    files(*(f"fresco_core/{name}" for name in METHOD))
    + [ROOT / "fresco_core" / f"{name}.py" for name in METHOD if is_file(f"fresco_core.{name}")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_method_imports_downwards(path):
    own = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    below = METHOD[: METHOD.index(own) + 1]
    rooms = {room(name) for name in imported(path)} - {""}
    assert rooms <= set(below), f"{own} imports {rooms - set(below)}"


@pytest.mark.parametrize(
    "path",
    files(*(f"fresco_core/{name}" for name in APART)),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_is_not_the_method_imports_it_and_downwards(path):
    own = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    below = {*METHOD, *APART[: APART.index(own) + 1], "__init__"}
    rooms = {room(name) for name in imported(path) if name.startswith("fresco_core.")} - {""}
    assert rooms <= below, f"{own} imports {rooms - below}"


@pytest.mark.parametrize("path", files("nodes"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_nodes_import_downwards(path):
    own = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    below = NODES[: NODES.index(own) + 1] if own in NODES else NODES
    rooms = {room(name) for name in imported(path) if name.startswith("nodes.")} - {""}
    assert own == "__init__" or rooms - {own} <= set(below), f"{own} imports {rooms - set(below)}"


def test_no_file_is_imported_in_a_circle():
    graph = {}
    for path in files("fresco_core", "nodes"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {found for found in imported(path) if is_file(found)}
    done: set[str] = set()

    def visit(name: str, behind: tuple[str, ...]) -> None:
        assert name not in behind, " -> ".join((*behind[behind.index(name) :], name))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*behind, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert len(done) > 80


def test_the_core_imports_no_host():
    for path in files("fresco_core"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & {"comfy", "nodes", "folder_paths"}, path


def test_the_method_is_short():
    parts = files(*(f"fresco_core/{name}" for name in METHOD))
    parts += [ROOT / "fresco_core" / f"{name}.py" for name in METHOD if is_file(f"fresco_core.{name}")]
    assert sum(map(code_lines, parts)) <= MOST_CODE


@pytest.mark.parametrize("path", files("fresco_core", "nodes"), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_classes_stay_small(path):
    source = path.read_text("utf-8")
    assert source.count("\n") <= MOST_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            own = [n for n in methods if not n.name.startswith("__")]
            fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}
            for method in methods:
                fields |= {
                    n.attr
                    for n in ast.walk(method)
                    if isinstance(n, ast.Attribute)
                    and isinstance(n.ctx, ast.Store)
                    and isinstance(n.value, ast.Name)
                    and n.value.id == "self"
                }
            assert len(own) <= MOST_METHODS, f"{node.name} has {len(own)} methods"
            assert len(fields) <= MOST_FIELDS, f"{node.name} has {len(fields)} fields: {sorted(fields)}"


def test_a_family_is_one_short_file():
    beside = {"__init__.py", "family.py"}
    for path in files("nodes/families"):
        if path.name not in beside:
            source = path.read_text("utf-8")
            most = MOST_MIXED if "MixedAdapter(" in source else MOST_DENSE
            assert source.count("\n") <= most, path.name
            assert "= Family(" in source, path.name
