"""What the registry would be sent: the pack and nothing else, small, and clean by the scanners' rules."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib

from tools.archive import names, write

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MOST_BYTES = 40_000_000  # ours, nearly all of it the two demo models
NOT_THE_PACKS = ("tests", "benchmarks", "tools", "docs", ".ci", ".github", "out")
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_METHODS = {"eval", "exec", "system", "popen"}
"""Names that the registry's scanners look for, as functions and on anything."""
FORBIDDEN_MODULES = {"subprocess", "pip", "pickle", "ctypes", "socket", "urllib", "requests", "base64"}
"""Modules that the scanners look at; those that some file needs are in ALLOWED."""
ALLOWED = {  # maps and pictures for the viewer
    "nodes/server/run_file.py": {"base64"},
    "nodes/view/readout.py": {"base64"},
}


@pytest.fixture(scope="module")
def listed():
    try:
        return names()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NO GIT REPOSITORY: the archive is made of tracked files")


@pytest.fixture(scope="module")
def sources(listed):
    return {name: (ROOT / name).read_text("utf-8") for name in listed if name.endswith(".py")}


@pytest.fixture(scope="module")
def unpacked(listed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    packed = write(folder / "node.zip")
    assert packed.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / PROJECT["project"]["name"])
    return folder / PROJECT["project"]["name"]


def test_it_holds_the_pack_alone(listed):
    assert [name for name in listed if name.split("/")[0] in NOT_THE_PACKS] == []
    assert [name for name in listed if re.search(r"train_|training|fit_|test_", name)] == []
    needed = {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "CHANGELOG.md"}
    assert needed <= set(listed)
    folders = {name.split("/")[0] for name in listed} - needed
    assert folders == {"fresco_core", "nodes", "web", "locales", "workflows"}


def test_no_two_names_differ_by_case_alone(listed):
    """Some file systems take them for one file."""
    lower = [name.lower() for name in listed]
    assert [name for name in listed if lower.count(name.lower()) > 1] == []


def imports(name: str, source: str) -> set[str]:
    """Files of the pack that a file imports anywhere, by their names in the archive."""
    package, found = name.split("/")[:-1], set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            modules = [base, *([*base, alias.name] for alias in node.names)]
            for module in (
                ["/".join(filter(None, parts[:n])) for n in range(1, len(parts) + 1)] for parts in modules
            ):
                found |= {f"{path}{end}" for path in module for end in (".py", "/__init__.py")}
    return found


def test_every_file_of_code_is_one_that_the_pack_imports_or_the_cores_command(sources):
    reached, waiting = set(), ["__init__.py", "fresco_core/__init__.py", "fresco_core/__main__.py"]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in sources:
            continue
        reached.add(name)
        waiting += imports(name, sources[name])
    assert set(sources) - reached == set()


def test_no_imported_file_is_missing(sources):
    """An import that the repository has a file for has it in the archive, too."""
    missing = {
        (name, target)
        for name, source in sources.items()
        for target in imports(name, source)
        if (ROOT / target).is_file() and target not in sources
    }
    assert missing == set()


def calls(tree: ast.AST) -> list[str]:
    """What a scanner would not like to see called."""
    functions = [n.func for n in ast.walk(tree) if isinstance(n, ast.Call)]
    named = [f.id for f in functions if isinstance(f, ast.Name) and f.id in FORBIDDEN_CALLS]
    return named + [f.attr for f in functions if isinstance(f, ast.Attribute) and f.attr in FORBIDDEN_METHODS]


def modules(tree: ast.AST) -> set[str]:
    """First names of the modules outside the pack that a file imports anywhere."""
    plain = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    parts = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
    return {name.split(".")[0] for name in (*plain, *parts)}


def test_scanners_have_nothing_to_find(sources):
    found = []
    for name, source in sources.items():
        tree = ast.parse(source)
        found += [f"{name}: {called}(" for called in calls(tree)]
        found += [f"{name}: import {m}" for m in modules(tree) & FORBIDDEN_MODULES - ALLOWED.get(name, set())]
        found += [f"{name}: {hit}" for hit in re.findall(r"\b(?:eval|exec)\s*\(", source)]  # text, not syntax
        found += [f"{name}: no ASCII in {line!r}" for line in source.splitlines() if not line.isascii()]
    assert found == []


def test_the_rules_for_scanners_find_what_they_are_for():
    bad = "import subprocess\nfrom pip import main\nmodel.eval()\nexec('1')\n__import__('os').system('ls')\n"
    assert sorted(calls(ast.parse(bad))) == ["__import__", "eval", "exec", "system"]
    assert modules(ast.parse(bad)) & FORBIDDEN_MODULES == {"subprocess", "pip"}


def test_lines_of_the_registrys_own_linter(sources):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "S102,S307,E702", *sources]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_core_draws_from_the_archive(unpacked):
    code = "from fresco_core.demo.weights import load_demo; print(load_demo().vocabulary.objects[:1])"
    environment = {
        **os.environ,
        "PYTHONPATH": str(unpacked),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=unpacked.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_the_registry_is_told(listed):
    project, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert re.fullmatch(r"[a-z][a-z0-9-]+", project["name"]) and len(project["description"]) <= 300
    assert (
        comfy["PublisherId"]
        and comfy["DisplayName"]
        and re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    )
    assert set(project["urls"]) >= {"Repository", "Issues", "Documentation"}
    raw = project["urls"]["Repository"].replace("github.com", "raw.githubusercontent.com") + "/main/"
    for field in ("Icon", "Banner"):
        assert (ROOT / comfy[field].removeprefix(raw)).is_file(), comfy[field]


def test_the_icon_and_the_banner_have_the_registrys_shapes():
    from PIL import Image

    icon, banner = (Image.open(ROOT / "docs" / f"{name}.png") for name in ("icon", "banner"))
    assert icon.size[0] == icon.size[1] <= 400
    assert banner.size[0] * 9 == banner.size[1] * 21


def test_the_drawings_are_what_their_script_draws(tmp_path):
    from PIL import Image, ImageChops

    from tools.drawings.__main__ import DRAWINGS

    for name, draw in DRAWINGS.items():
        draw().save(tmp_path / f"{name}.png")
        drawn, kept = (Image.open(folder / f"{name}.png") for folder in (tmp_path, ROOT / "docs"))
        assert drawn.size == kept.size
        apart = ImageChops.difference(drawn.convert("RGB"), kept.convert("RGB")).convert("L").histogram()
        assert sum(apart[9:]) <= 0.01 * drawn.size[0] * drawn.size[1], name
