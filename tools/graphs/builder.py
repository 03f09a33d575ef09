"""One graph: nodes are added in order, and written in both formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
CHOICE = "COMFY_DYNAMICCOMBO_V3"  # a widget whose value says which others there are
WIDTH, GAP, TOP, LEFT = 340, 70, 60, 40  # pixels of a column of nodes and around it
APPLY = "FrescoApply"  # tells below its widgets what was done
HEAD, LINE = 50, 27  # of a node's height: what every one has, and for each widget or socket
TALL = {
    "CLIPTextEncode": 160,
    "TextEncodeQwenImageEditPlus": 240,
    "LoadImage": 360,
    "SaveImage": 380,
    "SaveVideo": 380,
    "SaveAnimatedWEBP": 440,
    APPLY: 400,
    "FrescoKSampler": 620,
    "FrescoConvergence": 860,
    "FrescoCompare": 760,
    "FrescoDemoLoader": 220,
}
PREVIEW = 250  # that a sampler grows by while it sends previews
SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustomAdvanced", "FrescoKSampler")
NOTE = "MarkdownNote"
Raw = dict[str, Any]


@dataclass(frozen=True)
class Socket:
    """An output of a node."""

    node: int
    slot: int


@dataclass(frozen=True)
class Added:
    """A node that was added: added[0] is its first output."""

    id: int

    def __getitem__(self, slot: int) -> Socket:
        return Socket(self.id, slot)


@dataclass(frozen=True)
class File:
    """A model's file, where it is from, and the folder of models that it belongs to."""

    name: str
    url: str
    directory: str

    @property
    def saved(self) -> dict[str, str]:
        """As a node's `properties.models` holds it."""
        return {"name": self.name, "url": self.url, "directory": self.directory}


@dataclass
class Graph:
    """A graph in the making. info: /object_info's answer."""

    name: str
    info: Mapping[str, Any]
    nodes: list[Raw] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)
    prompt: dict[str, Raw] = field(default_factory=dict)
    bottoms: dict[int, int] = field(default_factory=dict)

    def add(self, kind: str, column: int, title: str, *files: File, **inputs: Any) -> Added:
        """Put a node below the last one of its column. Inputs are values, files or sockets; the others keep
        the host's defaults. Raises KeyError for an input that the node does not have."""
        declared = self._declared(kind)
        if unknown := set(inputs) - set(declared):
            raise KeyError(f"{kind} has no input {sorted(unknown)}; it has {sorted(declared)}")
        identity = len(self.nodes) + 1
        entries: list[Raw] = []
        saved: Raw = {}
        values: list[Any] = []
        for name, spec in declared.items():
            given = inputs.get(name)
            entry, widget = _entry(name, spec), _is_widget(spec)
            if isinstance(given, Socket):
                entry["link"] = self._link(given, identity, len(entries), _type(spec))
                saved[name] = [str(given.node), given.slot]
            if widget:
                value = _default(spec) if given is None or isinstance(given, Socket) else given
                value = value.name if isinstance(value, File) else value
                values.append(value)
                saved.setdefault(name, value)
                values += ["fixed"] if _options(spec).get("control_after_generate") else []
                values += ["image"] if _options(spec).get("image_upload") else []
            if widget or _type(spec) not in WIDGETS:
                entries.append(entry)
            if _options(spec).get("image_upload"):
                upload = {"localized_name": "upload", "name": "upload", "type": "IMAGEUPLOAD"}
                entries.append({**upload, "widget": {"name": "upload"}, "link": None})
        models = [given.saved for given in (*inputs.values(), *files) if isinstance(given, File)]
        height = TALL.get(kind, HEAD + LINE * max(len(entries), len(self.info[kind]["output"])))
        properties: Raw = {"Node name for S&R": kind}
        if models:
            properties["models"] = models
        self._put(kind, column, height, identity, entries, self._outputs(kind), values, properties, title)
        self.prompt[str(identity)] = {"class_type": kind, "inputs": saved, "_meta": {"title": title}}
        return Added(identity)

    def note(self, column: int, words: str, height: int = 260) -> None:
        """A note for the reader; no part of what runs."""
        self._put(NOTE, column, height, len(self.nodes) + 1, [], [], [words], {}, "Read me")
        self.nodes[-1].update(color="#432", bgcolor="#653")

    def saved(self) -> Raw:
        """The graph as the browser saves it."""
        return {
            "revision": 0,
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": [],
            "config": {},
            "extra": {},
            "version": 0.4,
        }

    def _declared(self, kind: str) -> dict[str, Any]:
        return _spread(self.info[kind]["input"])

    def _outputs(self, kind: str) -> list[Raw]:
        names = zip(self.info[kind]["output_name"], self.info[kind]["output"])
        return [{"localized_name": n, "name": n, "type": t, "links": None} for n, t in names]

    def _link(self, source: Socket, target: int, slot: int, kind: str) -> int:
        identity = len(self.links) + 1
        output = self.nodes[source.node - 1]["outputs"][source.slot]
        output["links"] = [*(output["links"] or []), identity]
        self.links.append([identity, source.node, source.slot, target, slot, output["type"] or kind])
        return identity

    def _put(
        self,
        kind: str,
        column: int,
        height: int,
        identity: int,
        inputs: list[Raw],
        outputs: list[Raw],
        values: list[Any],
        properties: Raw,
        title: str,
    ) -> None:
        y = self.bottoms.get(column, TOP)
        self.bottoms[column] = y + height + GAP + PREVIEW * (kind in SAMPLERS)
        self.nodes.append(
            {
                "id": identity,
                "type": kind,
                "pos": [LEFT + column * (WIDTH + GAP), y],
                "size": [WIDTH, height],
                "flags": {},
                "order": identity - 1,
                "mode": 0,
                "inputs": inputs,
                "outputs": outputs,
                "title": title,
                "properties": properties,
                "widgets_values": values,
            }
        )


def _spread(declared: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Inputs by name; behind a choice those that its first option has, as the browser names them."""
    found: dict[str, Any] = {}
    for name, spec in {**declared.get("required", {}), **declared.get("optional", {})}.items():
        found[prefix + name] = spec
        if spec[0] == CHOICE:
            found |= _spread(_options(spec)["options"][0]["inputs"], f"{prefix}{name}.")
    return found


def _options(spec: list[Any]) -> Mapping[str, Any]:
    return spec[1] if len(spec) > 1 else {}


def _type(spec: list[Any]) -> str:
    return "COMBO" if isinstance(spec[0], list) else str(spec[0])


def _is_widget(spec: list[Any]) -> bool:
    return _type(spec) in (*WIDGETS, CHOICE) or bool(_options(spec).get("widgetType"))


def _default(spec: list[Any]) -> Any:
    if spec[0] == CHOICE:
        return _options(spec)["options"][0]["key"]
    choices = spec[0] if isinstance(spec[0], list) else _options(spec).get("options")
    first = choices[0] if choices else ""
    return _options(spec).get("default", first if _type(spec) == "COMBO" else "")


def _entry(name: str, spec: list[Any]) -> Raw:
    entry: Raw = {"localized_name": name, "name": name, "type": _type(spec), "link": None}
    if _is_widget(spec):
        entry["widget"] = {"name": name}
    return entry
