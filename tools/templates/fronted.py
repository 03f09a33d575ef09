"""A copy of a saved workflow with Fresco Apply in front of every sampler's model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from .graph import Raw
from .widgets import WIDGETS

CONSUMERS = {
    "KSampler": ("model",),
    "KSamplerAdvanced": ("model",),
    "SamplerCustom": ("model",),
    "CFGGuider": ("model",),
    "BasicGuider": ("model",),
    "DualCFGGuider": ("model",),
    "LTXVDualCFGGuider": ("model",),
    "DualModelGuider": ("model", "model_negative"),
}
"""Nodes whose model is sampled, and by which inputs; SIGMAS are made of a model without sampling it."""
APPLY = "FrescoApply"
SETTINGS = {"preset": "balanced", "live_heatmap": False, "baseline_steps": 0}
ABOVE = 160  # pixels above its sampler


def fronted(document: Raw, schedule: str) -> tuple[Raw, int]:
    """The copy, and how many nodes were put in. Schedules are texts, as the node's widget saves them."""
    made = copy.deepcopy(document)
    count = sum(_front(graph, schedule) for graph in graphs_of(made))
    return made, count


def graphs_of(document: Raw) -> Iterator[Raw]:
    """The graph itself and its subgraphs' definitions."""
    yield document
    yield from document.get("definitions", {}).get("subgraphs", [])


def _front(graph: Raw, schedule: str) -> int:
    put = 0
    for consumer in list(graph["nodes"]):
        for name in CONSUMERS.get(consumer["type"], ()):
            entry = next((i for i in consumer.get("inputs") or [] if i["name"] == name), None)
            if entry is not None and entry.get("link") is not None:
                _insert(graph, consumer, entry, schedule)
                put += 1
    return put


def _insert(graph: Raw, consumer: Raw, entry: Raw, schedule: str) -> None:
    """Lead the link through a new node: its old id goes on to that, a new one from there to the sampler."""
    link, node, after = entry["link"], _next(graph, "node"), _next(graph, "link")
    slot = consumer["inputs"].index(entry)
    for saved in graph["links"]:
        if isinstance(saved, dict) and saved["id"] == link:
            saved["target_id"], saved["target_slot"] = node, 0
        elif isinstance(saved, list) and saved[0] == link:
            saved[3:5] = [node, 0]
    named = any(isinstance(saved, dict) for saved in graph["links"])
    graph["links"].append(
        {
            "id": after,
            "origin_id": node,
            "origin_slot": 0,
            "target_id": consumer["id"],
            "target_slot": slot,
            "type": "MODEL",
        }
        if named
        else [after, node, 0, consumer["id"], slot, "MODEL"]
    )
    entry["link"] = after
    x, y = _place(consumer)
    graph["nodes"].append(
        {
            "id": node,
            "type": APPLY,
            "pos": [x, y - ABOVE],
            "size": [300, 110],
            "flags": {},
            "order": 0,
            "mode": consumer.get("mode", 0),
            "inputs": [{"name": "model", "type": "MODEL", "link": link}],
            "outputs": [{"name": "MODEL", "type": "MODEL", "links": [after]}],
            "properties": {"Node name for S&R": APPLY},
            "widgets_values": [({**SETTINGS, "schedule": schedule})[name] for name in WIDGETS[APPLY]],
        }
    )


def _place(node: Raw) -> tuple[float, float]:
    at: Any = node.get("pos") or [0, 0]
    return (at[0], at[1]) if isinstance(at, list) else (at["0"], at["1"])


def _next(graph: Raw, kind: str) -> int:
    """A free id, above all that are in use and what the graph remembers as its last."""
    if kind == "node":
        used = [n["id"] for n in graph["nodes"] if isinstance(n["id"], int)]
        state, key = graph.get("state"), "lastNodeId"
        old = "last_node_id"
    else:
        used = [saved["id"] if isinstance(saved, dict) else saved[0] for saved in graph["links"]]
        state, key = graph.get("state"), "lastLinkId"
        old = "last_link_id"
    found = max([*used, int(graph.get(old) or 0), int((state or {}).get(key) or 0)]) + 1
    if old in graph:
        graph[old] = found
    if state is not None and key in state:
        state[key] = found
    return found
