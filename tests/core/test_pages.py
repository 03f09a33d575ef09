"""The pages: complete where they promise it; their links, pictures, commands and presets are there."""

import ast
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import tomllib

from fresco_core.demo.weights import FOLDERS, load_prompt_encoder
from tools.tables import first_table, replaced

ROOT = Path(__file__).parents[2]
WHERE = ("*.md", "docs/*.md", "web/docs/**/*.md", "fresco_core/demo/weights/**/*.md", ".github/*.md")
PAGES = sorted(path for pattern in WHERE for path in ROOT.glob(pattern))
TELLING = ("nodes/engine", "nodes/families", "nodes/mixed", "nodes/host", "fresco_core/schedule")
"""Rooms whose functions that give words or None (`-> str | None`) say why a run is not what was asked for."""
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
HOLE = "\0"
FEWEST_WORDS = 4  # of a literal that is a reason, or most of one


def told(path: Path) -> str:
    """A page's text on one line."""
    return " ".join(path.read_text("utf-8").split())


def templates(node: ast.AST) -> list[str]:
    """The literals under a node, an f-string as one with holes."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(p.value if isinstance(p, ast.Constant) else HOLE for p in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.sub(r"%[sd]", HOLE, node.value)
    else:
        return [found for child in ast.iter_child_nodes(node) for found in templates(child)]
    return [re.sub(f"{HOLE}([x]?{HOLE})+", HOLE, text)]  # 64x64 is one thing to fill in


def reasons() -> dict[str, str]:
    """Every reason that the code can give, with what a run fills in as holes, and where."""
    found = {}
    files = [ROOT / "fresco_core/course.py", ROOT / "fresco_core/canvas/size.py"]
    for path in [*files, *(p for room in TELLING for p in sorted((ROOT / room).rglob("*.py")))]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            parts = []
            if isinstance(node, ast.FunctionDef):
                words = (
                    "str | None" in ast.unparse(node.returns or ast.Constant(0)) or node.name == "too_small"
                )
                documented = ast.get_docstring(node) is not None
                parts = node.body[documented:] if words else []
            elif isinstance(node, ast.Raise) and "Plain" in ast.unparse(node):
                parts = [node]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "log.warning":
                parts = node.args[:1]
            for text in (t for part in parts for t in templates(part)):
                if len(text.replace(HOLE, "").split()) >= FEWEST_WORDS:
                    found[text] = str(path.relative_to(ROOT))
    return found


def test_every_reason_that_the_code_gives_is_on_the_page():
    page = told(ROOT / "docs" / "troubleshooting.md")
    found = reasons()
    missing = [
        f"{place}: {text.replace(HOLE, '…')}"
        for text, place in found.items()
        if not re.search(".{1,90}?".join(map(re.escape, text.strip().split(HOLE))), page)
    ]
    assert len(found) > 50
    assert missing == [], "docs/troubleshooting.md does not have:\n" + "\n".join(missing)


def test_samplers_that_know_the_size_are_on_the_page():
    source = ast.parse((ROOT / "nodes" / "host" / "samplers.py").read_text("utf-8"))
    assigned = {ast.unparse(n.targets[0]): n.value for n in source.body if isinstance(n, ast.Assign)}
    values = ast.literal_eval(assigned["RUN_PLAIN"]).values()
    page = told(ROOT / "docs" / "troubleshooting.md")
    assert len(values) >= 2 and [words for words in values if words not in page] == []


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
    broken = []
    for link in links:
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        # help pages in a folder of their own have their pictures where the host looks for them, one folder up
        folders = [page.parent, ROOT / "web" / "docs"] if "web" in page.parts else [page.parent]
        target = next((f / name for f in folders if (f / name).exists()), None) if name else page
        if target is None or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@cache
def modules() -> set[str]:
    """What `python -m` can run of the repository."""
    mains = {".".join(p.relative_to(ROOT).parts[:-1]) for p in ROOT.glob("*/**/__main__.py")}
    scripts = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for folder in ("benchmarks", "tools")
        for p in (ROOT / folder).rglob("*.py")
        if '__name__ == "__main__"' in p.read_text("utf-8")
    }
    return mains | scripts


def test_commands_of_the_pages_are_there():
    missing = {
        f"{page.name}: {name}"
        for page in PAGES
        for name in re.findall(
            r"python3? -m ((?:benchmarks|tools|fresco_core)[\w.]*)", page.read_text("utf-8")
        )
        if name.rstrip(".") not in modules()
    }
    assert missing == set()


def test_tests_that_the_pages_name_are_there():
    tests = {p.name: p.read_text("utf-8") for p in (ROOT / "tests").rglob("test_*.py")}
    everything = "\n".join([*tests, *tests.values()])
    for page in PAGES:
        text = page.read_text("utf-8")
        assert [name for name in re.findall(r"\b(test_\w+\.py)", text) if name not in tests] == [], page.name
        assert [w for w in re.findall(r"run\.py test -k (\w+)", text) if w not in everything] == [], page.name


def test_the_readme_is_short_and_has_the_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    command = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1]
    assert command in text and "python3 tools/run.py demo" in text


@pytest.mark.parametrize("page,off", [("README.md", False), ("docs/schedules.md", True)])
def test_the_presets_of_a_page_are_those_that_there_are(page, off):
    from fresco_core import PRESETS

    text = (ROOT / page).read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row) if name in PRESETS]
    assert sorted(named) == sorted(name for name in PRESETS if off or name != "off")
    for name, line in re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE):
        assert PRESETS[name] == line


def test_the_address_of_the_repository_is_the_one_of_the_project():
    """So that an owner changes it in pyproject.toml, and is told of every other place."""
    owner, name = ADDRESS.removeprefix("https://github.com/").split("/")
    files = [ROOT / "pyproject.toml", *PAGES, *(ROOT / ".github").rglob("*.yml")]
    found = {
        (str(path.relative_to(ROOT)), pair)
        for path in files
        for pair in re.findall(
            r"(?:github|raw\.githubusercontent)\.com/([\w.-]+/[\w.-]*fresco[\w-]*)", path.read_text("utf-8")
        )
    }
    assert len(found) >= 2
    assert {place for place, pair in found if pair.removesuffix(".git") != f"{owner}/{name}"} == set()


def test_the_newest_version_of_the_changelog_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == project["version"]
    assert versions == sorted(versions, key=lambda v: tuple(map(int, v.split("."))), reverse=True)


def test_no_other_file_has_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    code = [p for room in ("fresco_core", "nodes", "web") for p in (ROOT / room).rglob("*.[pj][ys]")]
    assert len(code) > 100
    assert [str(p) for p in code if version in p.read_text("utf-8")] == []


def test_nothing_speaks_of_a_machine():
    """Paths, addresses and names that belong to whoever works on the pack."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = (
        listed.stdout.split("\n")[:-1]
        if listed.returncode == 0
        else [str(p.relative_to(ROOT)) for p in PAGES]
    )
    kinds = {".md", ".py", ".toml", ".json", ".js", ".mjs", ".txt", ".yml"}
    own = Path(__file__).relative_to(ROOT).as_posix()
    said = re.compile(r"/root/|/work/|/home/(?!user)|index-url|simple/")
    found = {
        name
        for name in names
        if Path(name).suffix in kinds and name != own and (ROOT / name).exists()
        if said.search((ROOT / name).read_text("utf-8"))
    }
    assert found == set()


HELP = ROOT / "web" / "docs"
NODES = sorted(path.stem for path in HELP.glob("*.md"))
IN_LANGUAGES = sorted(path.parent.name for path in HELP.glob("*/zh.md"))


@pytest.mark.parametrize("node", NODES)
def test_a_help_page_has_a_picture_of_its_node(node):
    pages = [HELP / f"{node}.md", *sorted((HELP / node).glob("*.md"))]
    assert [p for p in pages if f"]({node}.jpg)" not in p.read_text("utf-8")] == []
    assert (HELP / f"{node}.jpg").stat().st_size < 150_000


@pytest.mark.parametrize("node", IN_LANGUAGES)
@pytest.mark.parametrize("language", ["zh", "ja"])
def test_a_help_page_in_another_language_has_the_rows_of_the_english_one(node, language):
    """In the words of the node itself in that language."""
    words = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text("utf-8"))[node]
    english, page = (p.read_text("utf-8") for p in (HELP / f"{node}.md", HELP / node / f"{language}.md"))
    rows = {
        name: row for text in (english,) for name, row in re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M)
    }
    found = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M))
    assert found.keys() == rows.keys() and page.startswith(f"# {words['display_name']}\n")
    assert page.count("\n## ") == english.count("\n## ")
    tooltips = {name: entry["tooltip"] for name, entry in words["inputs"].items()}
    assert {n: found[n] for n in tooltips if not found[n].startswith(tooltips[n])} == {}


@pytest.mark.parametrize("page,tables", [("quality", 5), ("cost", 2)])
def test_every_marked_table_can_be_replaced(page, tables):
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    marked = re.findall(r"<!-- begin (\S+) -->", text)
    assert len(marked) == len(set(marked)) >= tables
    for name in marked:
        changed = replaced(text, name, "| a |\n|---|\n| 1 |")
        assert f"<!-- begin {name} -->\n| a |\n|---|\n| 1 |\n<!-- end {name} -->" in changed
        kept = text.split(f"<!-- begin {name} -->\n")[1].split(f"\n<!-- end {name} -->")[0]
        assert first_table(kept) == kept and replaced(changed, name, kept) == text
    with pytest.raises(ValueError, match=f"expected one of {marked[0]}"):
        replaced(text, "nothing", "| a |")


def test_the_demo_loaders_page_has_the_words_that_the_models_know():
    words = set[str]()
    for folder in FOLDERS.values():
        known = load_prompt_encoder(folder).vocabulary
        words |= {*known.names, *known.places, *known.kinds, *known.colours}
    for page in (HELP / "FrescoDemoLoader.md", *(HELP / "FrescoDemoLoader").glob("*.md")):
        known = {w.strip() for w in re.split(r"[|,\n]|，|。| in |颜色有|色は", page.read_text("utf-8"))}
        assert words - known == set(), page
