"""A saved workflow as flat nodes: subgraphs expanded, bypassed and muted nodes gone, widgets by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .widgets import WIDGETS

Raw = dict[str, Any]
INPUT, OUTPUT = -10, -20  # the ends of a subgraph, as its links name them
MUTED, BYPASSED = 2, 4
AFTER_GENERATE = ("fixed", "randomize", "increment", "decrement")


@dataclass(frozen=True)
class Link:
    """Where an input's value comes from: a node and one of its outputs."""

    node: str
    slot: int


@dataclass
class Node:
    """A node of a flat graph. types: of its linked inputs and of those that could be. raw: its saved widget
    values in order. promoted: those that a use of its subgraph sets."""

    id: str
    kind: str
    links: dict[str, Link] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    raw: list[Any] = field(default_factory=list)
    promoted: dict[str, Any] = field(default_factory=dict)

    def linked(self, *types: str) -> list[str]:
        """Names of linked inputs of these types."""
        return [name for name in self.links if self.types.get(name) in types]


Graph = dict[str, Node]


@dataclass
class _Scope:
    """The nodes of a graph or of one use of a subgraph, and what it is used in."""

    prefix: str
    nodes: dict[Any, Raw]
    origins: dict[Any, tuple[Any, int]]
    definition: Raw
    outer: _Scope | None = None
    instance: Raw | None = None
    inner: dict[Any, _Scope] = field(default_factory=dict)


def definitions_of(document: Raw) -> dict[str, Raw]:
    """The subgraphs that a workflow defines, by id."""
    return {d["id"]: d for d in document.get("definitions", {}).get("subgraphs", [])}


def links_of(graph: Raw) -> dict[Any, tuple[Any, int]]:
    """Origin node and output of every link, whichever of the two forms it is saved in."""
    found = {}
    for link in graph.get("links") or []:
        if isinstance(link, dict):
            found[link["id"]] = (link["origin_id"], link["origin_slot"])
        elif link:
            found[link[0]] = (link[1], link[2])
    return found


def flatten(document: Raw) -> Graph:
    """The nodes that the host would run, by their path of ids."""
    definitions = definitions_of(document)
    top = _scope(document, "")
    graph: Graph = {}
    _fill(top, definitions, graph)
    return graph


def _scope(graph: Raw, prefix: str, outer: _Scope | None = None, instance: Raw | None = None) -> _Scope:
    return _Scope(prefix, {n["id"]: n for n in graph["nodes"]}, links_of(graph), graph, outer, instance)


def _inner(scope: _Scope, raw: Raw, definitions: dict[str, Raw]) -> _Scope:
    if raw["id"] not in scope.inner:
        prefix = f"{scope.prefix}{raw['id']}:"
        scope.inner[raw["id"]] = _scope(definitions[raw["type"]], prefix, scope, raw)
    return scope.inner[raw["id"]]


def _fill(scope: _Scope, definitions: dict[str, Raw], graph: Graph) -> None:
    overridden = promoted_values(scope.instance)
    for raw in scope.nodes.values():
        if raw.get("mode") in (MUTED, BYPASSED):
            continue
        if raw["type"] in definitions:
            _fill(_inner(scope, raw, definitions), definitions, graph)
            continue
        node = Node(f"{scope.prefix}{raw['id']}", raw["type"], raw=list_of(raw.get("widgets_values")))
        node.values = widget_values(raw)
        node.promoted = {name: v for (inner, name), v in overridden.items() if inner == str(raw["id"])}
        node.values.update(node.promoted)
        for entry in raw.get("inputs") or []:
            node.types[entry["name"]] = str(entry.get("type"))
            link = None if entry.get("link") is None else _origin(scope, entry["link"], definitions)
            if link is not None:
                node.links[entry["name"]] = link
        graph[node.id] = node


def _origin(scope: _Scope, link: Any, definitions: dict[str, Raw]) -> Link | None:
    """The running node behind a link; None where it is muted, or the widget of a subgraph's use."""
    if link not in scope.origins:
        return None
    origin, slot = scope.origins[link]
    if origin == INPUT:
        if scope.outer is None or scope.instance is None:
            return None
        name = scope.definition["inputs"][slot]["name"]
        entry = next((i for i in scope.instance.get("inputs") or [] if i["name"] == name), None)
        given = None if entry is None else entry.get("link")
        return None if given is None else _origin(scope.outer, given, definitions)
    raw = scope.nodes.get(origin)
    if raw is None or raw.get("mode") == MUTED:
        return None
    if raw.get("mode") == BYPASSED or raw["type"] == "Reroute":
        through = passed_through(raw, slot)
        return None if through is None else _origin(scope, through, definitions)
    if raw["type"] in definitions:
        inner = _inner(scope, raw, definitions)
        links = inner.definition["outputs"][slot].get("linkIds") or []
        return _origin(inner, links[0], definitions) if links else None
    return Link(f"{scope.prefix}{origin}", slot)


def passed_through(raw: Raw, slot: int) -> Any:
    """The link that a bypassed node hands on as its output: of its first input of the same type."""
    outputs = raw.get("outputs") or []
    kind = outputs[slot].get("type") if slot < len(outputs) else None
    for entry in raw.get("inputs") or []:
        if entry.get("link") is not None and (raw["type"] == "Reroute" or entry.get("type") == kind):
            return entry["link"]
    return None


def promoted_values(instance: Raw | None) -> dict[tuple[str, str], Any]:
    """What a use of a subgraph sets of the widgets inside, by inner node and name, where it says."""
    if instance is None:
        return {}
    proxies = instance.get("properties", {}).get("proxyWidgets") or []
    values = list_of(instance.get("widgets_values"))
    if len(proxies) != len(values):
        return {}
    return {
        (str(inner), name): value for (inner, name, *_), value in zip(proxies, values) if value is not None
    }


def list_of(values: Any) -> list[Any]:
    """Saved widget values as a list, in either form."""
    return list(values.values()) if isinstance(values, dict) else list(values or [])


def widget_values(raw: Raw) -> dict[str, Any]:
    """A node's saved widget values by name: as its class orders them, else as its inputs do."""
    values = raw.get("widgets_values")
    if isinstance(values, dict):
        return dict(values)
    values = list(values or [])
    names = WIDGETS.get(raw["type"])
    if names is None:
        names = []
        for entry in raw.get("inputs") or []:
            if entry.get("widget"):
                names.append(entry["widget"]["name"])
                behind = values[len(names) : len(names) + 1]
                if "seed" in names[-1] and behind and behind[0] in AFTER_GENERATE:
                    names.append("")
    return {name: value for name, value in zip(names, values) if name}
