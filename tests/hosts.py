"""The host tests under each host's own Python.

Hosts: COMFYUI_PATH (several joined by the system's path separator), by default ~/ComfyUI and every
~/ComfyUI-*. Python: COMFYUI_PYTHON, by default .venv/bin/python of ~/ComfyUI. Needs pytest there. Without a
host the tests skip; with FRESCO_HOSTS=required they fail. `-k` chooses among suites and hosts by their names,
else among the functions of the suites.

Of a test with parameters every case runs on one of the hosts. Other tests run on the newest host, and on one
of the older ones, but for a few dear ones. FRESCO_MATRIX=all runs everything on all hosts, as `-k` does.
Suites share a process, three more at a time than there are cores.
"""

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from _pytest.mark.expression import Expression

Case = tuple[Path, str]
HERE = Path(__file__).parent
BROWSER = "test_browser.py"
HOME = Path.home()


def hosts() -> list[Path]:
    """Those that are found, the newest first."""
    named = os.environ.get("COMFYUI_PATH")
    found = (
        [Path(p).expanduser() for p in named.split(os.pathsep)] if named else sorted(HOME.glob("ComfyUI*"))
    )
    return sorted((p for p in found if (p / "comfyui_version.py").exists()), key=version, reverse=True)


def version(host: Path) -> list[int]:
    """Its numbers, most significant first."""
    text = (host / "comfyui_version.py").read_text("utf-8")
    return [int(n) for n in re.findall(r"\d+", text.split("__version__")[1])]


PYTHON = Path(os.environ.get("COMFYUI_PYTHON", HOME / "ComfyUI" / ".venv" / "bin" / "python")).expanduser()


def missing() -> str | None:
    if not hosts():
        return "NO HOST: set COMFYUI_PATH to a ComfyUI of version 0.9.2 or newer to run the host tests"
    if not PYTHON.exists():
        return f"NO HOST PYTHON: {PYTHON} does not exist; set COMFYUI_PYTHON to the Python that runs ComfyUI"
    if subprocess.run([PYTHON, "-c", "import pytest"], capture_output=True).returncode:
        return f"NO PYTEST ON THE HOST: run {PYTHON} -m pip install pytest"
    return None


SUITES = sorted(p.name for p in (HERE / "host").glob("test_*.py"))
FOUND: list[Path | None] = [*hosts()] or [None]


def functions(suite: str) -> list[str]:
    """The names of a suite's tests."""
    return [function.name for function in _functions(suite) if function.name.startswith("test_")]


def boots(suite: str) -> bool:
    """Whether a suite asks for the booted host that a process has one of."""
    return any(arg.arg == "server" for function in _functions(suite) for arg in function.args.args)


def _functions(suite: str) -> list[ast.FunctionDef]:
    tree = ast.parse((HERE / "host" / suite).read_text("utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def matches(keyword: str, *names: str) -> bool:
    """Whether a `-k` expression holds for something that has these names."""
    return Expression.compile(keyword).evaluate(lambda part: any(part.lower() in n.lower() for n in names))


def inner_keyword(keyword: str, case: tuple[Path | None, str]) -> str:
    """What a suite of a host is to be run with, given the `-k` of the whole run that has chosen it: nothing
    where that means the suite itself, the same where it means some of its functions."""
    host, suite = case
    own = matches(keyword, f"{host.name if host else 'none'}-{suite}", "test_host.py") if keyword else True
    return "" if own else keyword


@dataclass(frozen=True)
class Part:
    """Some suites of a host, run in one process. share: which tests, as number I of N hosts, newest first."""

    host: Path
    suites: tuple[str, ...]
    share: str
    keyword: str


def parts_of(cases: Iterable[Case], keyword: str, processes: int) -> list[Part]:
    """Every case in one part, of each host one part or its share of `processes`, of like size, and of the
    newest, which runs most tests, one more; what asks for a booted host in one of them, the newest host's
    browser in one of its own, first, as it takes longest."""
    suites: dict[Path, list[str]] = {}
    for host, suite in sorted(cases, key=lambda case: (FOUND.index(case[0]), case[1])):
        suites.setdefault(host, []).append(suite)
    each = -(-processes // max(1, len(suites)))
    spread = not keyword and os.environ.get("FRESCO_MATRIX") != "all"
    parts = []
    for number, (host, names) in enumerate(suites.items()):
        share = f"{number}/{len(suites)}" if spread else "0/1"
        alone = [[BROWSER]] if number == 0 and BROWSER in names and not keyword else []
        together = set(names).difference(*alone)
        count = each + 1 if number == 0 else each
        groups = [[name] for name in names] if keyword else [*_divided(together, count), *alone]
        for group in filter(None, groups):
            parts.append(Part(host, tuple(group), share, inner_keyword(keyword, (host, group[0]))))
    return sorted(parts, key=lambda part: BROWSER not in part.suites)


def _divided(names: set[str], count: int) -> list[list[str]]:
    groups = [sorted(filter(boots, names)), *([] for _ in range(count - 1))]
    size = {name: (HERE / "host" / name).stat().st_size for name in names}
    for name in sorted(names.difference(groups[0]), key=lambda name: (-size[name], name)):
        min(groups, key=lambda group: sum(size[n] for n in group)).append(name)
    return groups


def run_part(part: Part, folder: Path) -> tuple[subprocess.CompletedProcess, dict[str, list[Element]]]:
    """The process of a part, and the results of each of its suites; none of those where it died."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {
        **kept,  # a host compiles itself for seconds: once, not in every process
        "COMFYUI_PATH": str(part.host),
        "FRESCO_HOST_TESTS": "1",
        "FRESCO_SHARE": part.share,
    }
    results = folder / f"{part.host.name}-{part.suites[0]}.xml"
    command = [PYTHON, "-m", "pytest", "-c", HERE / "host" / "pytest.ini", "-p", "no:cacheprovider", "-q"]
    chosen = ["-k", part.keyword] if part.keyword else []
    done = subprocess.run(
        [*command, *chosen, f"--junitxml={results}", *(HERE / "host" / suite for suite in part.suites)],
        env=environment,
        capture_output=True,
        text=True,
        cwd=HERE / "host",
    )
    found: dict[str, list[Element]] = {suite: [] for suite in part.suites}
    if results.exists():
        for case in ElementTree.parse(results).iter("testcase"):
            suite = case.get("classname", "").split(".")[0] + ".py"
            found.setdefault(suite, []).append(case)
    return done, found


@contextmanager
def started(cases: Iterable[Case], keyword: str, folder: Path) -> Iterator[dict[Case, Future]]:
    """The parts of all hosts, started together: for each of `cases` what its part will have found."""
    processes = os.cpu_count() or 1
    with ThreadPoolExecutor(processes + 3) as pool:  # the browser and booted hosts are waited for much
        yield {
            (part.host, suite): future
            for part in parts_of(cases, keyword, processes)
            for future in [pool.submit(run_part, part, folder)]
            for suite in part.suites
        }
