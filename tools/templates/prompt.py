"""A flat graph in the form that the host's API takes, by what its classes declare of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .graph import AFTER_GENERATE, Graph, Node, Raw

PLAIN = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
CHOICE = "COMFY_DYNAMICCOMBO_V3"  # a widget whose value says which others there are
Inputs = Mapping[str, Any]
"""What a class declares: {"required": {name: spec}, "optional": ...}, as /object_info tells it."""


def as_prompt(graph: Graph, declared: Callable[[str], Inputs | None]) -> dict[str, Raw]:
    """{node: {"class_type", "inputs"}} of all nodes that the host has; `declared` gives the inputs of a kind,
    or None for what lives in the browser alone."""
    found = {}
    for key, node in graph.items():
        inputs = declared(node.kind)
        if inputs is not None:
            found[key] = {"class_type": node.kind, "inputs": inputs_of(node, inputs)}
    return found


def inputs_of(node: Node, declared: Inputs) -> dict[str, Any]:
    """A node's inputs: its links, and its widgets' values for what is not linked."""
    values = dict(widgets(declared, list(node.raw))) | node.promoted
    links = {name: [link.node, link.slot] for name, link in node.links.items()}
    return {**values, **links}


def widgets(declared: Inputs, values: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The widgets of a class by name, with the values that were saved of them in order, and defaults for
    those behind them. Takes what it uses from `values`."""
    for name, spec in {**declared.get("required", {}), **declared.get("optional", {})}.items():
        kind, options = spec[0], spec[1] if len(spec) > 1 else {}
        choice = kind == CHOICE
        widget = choice or isinstance(kind, list) or kind in PLAIN or bool(options.get("widgetType"))
        if not widget or options.get("forceInput"):
            continue
        value = values.pop(0) if values else default(spec)
        yield prefix + name, value
        if values and options.get("control_after_generate") and values[0] in AFTER_GENERATE:
            values.pop(0)
        if values and options.get("image_upload"):
            values.pop(0)
        if choice:
            chosen = next((o for o in options["options"] if o["key"] == value), None)
            if chosen is not None:
                yield from widgets(chosen["inputs"], values, f"{prefix}{name}.")


def default(spec: list[Any]) -> Any:
    """A widget's value where none was saved."""
    options = spec[1] if len(spec) > 1 else {}
    if "default" in options:
        return options["default"]
    if spec[0] == CHOICE:
        return options["options"][0]["key"]
    choices = spec[0] if isinstance(spec[0], list) else options.get("options") or [""]
    return choices[0] if choices else ""
