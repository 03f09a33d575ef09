"""All graphs of a template package: each sampler's verdict, and the graph's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .experts import together
from .fronted import fronted
from .graph import Raw, flatten
from .reading import Reading, Size
from .sampler import Sampler, read, samplers_of
from .verdict import FASTER, PLAIN, REFUSED, SMALL, UNKNOWN, Verdict, judge

PACKAGE = "comfyui_workflow_templates_json"
GOOD = ("audio alone", "one step", "three-dimensional")
"""Causes that nothing is to be done about: there is no picture, or nothing to leave out."""
LOW = "starts low"
"""Rightly plain too: the run has detail from its beginning that a coarse look would lose."""
DRAFTS = "draft and refine already"
"""Rightly plain too, as two samplers: the first is the second's draft at half size or less, and the second
starts low from it. LTX-2's graphs are so; what is left of them are drafts of the draft."""
_ASK = f"import importlib.util as u; print(u.find_spec('{PACKAGE}').submodule_search_locations[0])"


@dataclass(frozen=True)
class Row:
    """A graph: what its samplers do. usage: how often it was opened, as the package counts. experts: what
    pairs of its samplers do as one, behind Fresco Experts."""

    name: str
    kind: str
    causes: tuple[str, ...]
    samplers: tuple[tuple[Sampler, Verdict], ...]
    assumed: tuple[str, ...]
    usage: int
    fronted: int
    experts: tuple[tuple[Sampler, Verdict], ...] = ()

    @property
    def gain(self) -> float:
        """Times fewer tokens over all samplers, plain ones included."""
        tokens = sum(v.tokens or full_tokens(s) for s, v in self.samplers)
        full = sum(v.full or full_tokens(s) for s, v in self.samplers)
        return full / tokens if tokens else 1.0


def full_tokens(sampler: Sampler) -> int:
    """Image tokens of a sampler's plain run; 0 where its model is not known, or makes no pictures."""
    known, size = sampler.model.known, sampler.size
    if known is None or known.makes in ("audio", "three-dimensional"):
        return 0
    return known.canvas(size.width, size.height, size.frames).tokens(0) * sampler.steps


def folder_of(host: str) -> Path:
    """The folder of graphs: `host` itself, or what a Python has installed. Raises FileNotFoundError with
    what to do."""
    path = Path(host).expanduser()
    if path.is_file():
        done = subprocess.run([path, "-c", _ASK], capture_output=True, text=True)
        path = Path(done.stdout.strip() or "nowhere") / "templates"
    if not any(path.glob("*.json")):
        raise FileNotFoundError(
            f"{host}: no graphs found; expected a folder of workflows or a Python that has {PACKAGE} "
            "(pip install comfyui-workflow-templates)"
        )
    return path


def documents(folder: Path) -> Iterator[tuple[str, Raw]]:
    """Every workflow of the package, by name."""
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        if isinstance(document, dict) and "nodes" in document:
            yield path.stem, document


def usage_of(folder: Path) -> dict[str, int]:
    """How often each graph was opened; empty where the package does not count."""
    index = folder / "index.json"
    if not index.exists():
        return {}
    groups: list[dict[str, Any]] = json.loads(index.read_text("utf-8"))
    return {t["name"]: int(t.get("usage") or 0) for group in groups for t in group["templates"]}


def survey(folder: Path) -> tuple[list[Row], int]:
    """A row for each graph with a sampler in use, and how many graphs have none."""
    rows, without = [], 0
    usage = usage_of(folder)
    for name, document in documents(folder):
        row = judged(name, document, usage.get(name, 0))
        if row is None:
            without += 1
        else:
            rows.append(row)
    return rows, without


def judged(name: str, document: Raw, usage: int = 0) -> Row | None:
    """A graph's row; None where no sampler of it is in use."""
    graph = flatten(document)
    reading = Reading(graph)
    found = [(s, judge(s)) for s in (read(reading, node) for node in samplers_of(graph))]
    if not found:
        return None
    found = [(s, replace(v, cause=DRAFTS) if _in_two(s, v, found) else v) for s, v in found]
    kinds = [verdict.kind for _, verdict in found]
    kind = next(k for k in (REFUSED, FASTER, UNKNOWN, PLAIN) if k in kinds)
    causes = tuple(dict.fromkeys(v.cause for _, v in found if v.cause))
    put = fronted(document, "")[1]
    experts = tuple((s, judge(s)) for s in together([s for s, _ in found]))
    return Row(name, kind, causes, tuple(found), tuple(reading.assumed), usage, put, experts)


def _in_two(sampler: Sampler, verdict: Verdict, found: list[tuple[Sampler, Verdict]]) -> bool:
    """Whether a sampler that is plain for being small, or for starting low, is one of two of a class, of
    which the smaller is the other's draft."""
    others = [s for s, v in found if v.cause == {SMALL: LOW, LOW: SMALL}.get(verdict.cause)]
    sizes = [other.size for other in others if other.model.known == sampler.model.known]
    return any(_twice(size, sampler.size) or _twice(sampler.size, size) for size in sizes)


def _twice(small: Size, large: Size) -> bool:
    return large.width >= 2 * small.width and large.height >= 2 * small.height


def good(row: Row) -> bool:
    """Whether a graph is faster, or plain only for causes in GOOD."""
    return row.kind == FASTER or (row.kind == PLAIN and set(row.causes) <= set(GOOD))


def fair(row: Row) -> bool:
    """As `good`, with runs that rightly stay plain because they start low, or are draft and refine."""
    return row.kind == FASTER or (row.kind == PLAIN and set(row.causes) <= {*GOOD, LOW, DRAFTS})
