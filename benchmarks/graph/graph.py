"""A graph in API format: its samplers, seeds and steps, and the same graph sampled otherwise."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import CannotRun
from .server import Prompt

APPLY, KSAMPLER = "FrescoApply", "FrescoKSampler"
JUDGES = ("FrescoBench", "FrescoCompare", "FrescoConvergence")
SEEDS = ("seed", "noise_seed")
VALUES = (*SEEDS, "value", "int", "number")  # inputs of nodes that hand a number on
MADE = {"LATENT", "IMAGE"}
MARK = (
    "fresco_run"  # an input that no node has: the host ignores it, and does not take the node from its cache
)
LARGEST_SEED = (1 << 64) - 1


def read_graph(path: Path) -> Prompt:
    """The graph of a file. Raises CannotRun for what is no graph in API format."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CannotRun(f"the workflow cannot be read: {error}") from error
    except ValueError as error:
        raise CannotRun(f"{path} is no JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("prompt"), dict):
        found = found["prompt"]
    if isinstance(found, dict) and "nodes" in found and "links" in found:
        raise CannotRun(
            f"{path} is a graph as the browser saves it; expected API format: open it in ComfyUI and choose "
            "Workflow > Export (API)"
        )
    nodes = found.values() if isinstance(found, dict) else ()
    if not nodes or not all(isinstance(n, dict) and "class_type" in n and "inputs" in n for n in nodes):
        raise CannotRun(
            f"{path} is no graph in API format; expected nodes by their numbers, each with class_type and "
            "inputs, as Workflow > Export (API) writes them"
        )
    return found


class Graph:
    """A prompt without Fresco, and where in it things are. info: the server's /object_info."""

    def __init__(self, prompt: Prompt, info: Mapping[str, Any]):
        self.info = info
        missing = sorted({node["class_type"] for node in prompt.values()} - set(info))
        if missing:
            raise CannotRun(f"the server has no node {', '.join(missing)}: install what brings it there")
        if APPLY not in info:
            raise CannotRun(
                "the server has no Fresco: put this pack into its custom_nodes folder and start it again"
            )
        self.notes: list[str] = []
        self.prompt = self._without_fresco(copy.deepcopy(prompt))
        self.samplers = self._models()
        self.sampling = self._sampling()
        if not self.samplers and not self._own():
            raise CannotRun(
                "no sampler was found: no node takes a MODEL and makes a LATENT, an IMAGE or a GUIDER of it"
            )
        self.seeds = self._seeds()
        if not self.seeds:
            self.notes.append("No seed was found as a number in the graph, so every run has the same noise.")
        self.stepped = self._steps()

    @property
    def steps(self) -> int:
        """The steps of the graph, the most that a node has; 1 where none is a number."""
        return max((self.prompt[n]["inputs"]["steps"] for n in self.stepped), default=1)

    @property
    def files(self) -> list[str]:
        """Names of model files in the graph."""
        values = (v for node in self.prompt.values() for v in node["inputs"].values())
        ends = (".safetensors", ".gguf", ".sft", ".ckpt", ".pt", ".pth")
        return list(dict.fromkeys(v for v in values if isinstance(v, str) and v.endswith(ends)))

    def variant(self, schedule: str | None, seed: int, steps: int | None, mark: str) -> Prompt:
        """The prompt by a schedule, None for plain; with the seed-th seed, and with another number of steps.
        `mark` sets it apart from all others, so that the host samples it anew."""
        made = copy.deepcopy(self.prompt)
        for node, name in self.seeds:
            made[node]["inputs"][name] = (made[node]["inputs"][name] + seed) % (LARGEST_SEED + 1)
        if steps is not None:
            for node in self.stepped:
                _scale_steps(made[node]["inputs"], steps / self.steps)
        for node in self._own():
            made[node]["inputs"]["schedule"] = schedule or "full"
        if schedule is not None:
            fronts: dict[tuple[str, int], str] = {}
            for node, name in self.samplers:
                source, slot = made[node]["inputs"][name]
                front = fronts.setdefault((source, slot), f"fresco_{len(fronts) + 1}")
                made[front] = {"class_type": APPLY, "inputs": self._apply_inputs([source, slot], schedule)}
                made[node]["inputs"][name] = [front, 0]
        for node in self.sampling:
            made[node]["inputs"][MARK] = mark
        return made

    def _apply_inputs(self, model: list[Any], schedule: str) -> dict[str, Any]:
        required = self.info[APPLY]["input"].get("required", {})
        defaults = {
            name: spec[1]["default"] for name, spec in required.items() if "default" in _options(spec)
        }
        return {**defaults, "model": model, "schedule": schedule}

    def _without_fresco(self, prompt: Prompt) -> Prompt:
        """Without Fresco Apply and without what judges pictures; previews in place of saved pictures."""
        applied = {k: n["inputs"].get("model") for k, n in prompt.items() if n["class_type"] == APPLY}
        for node in prompt.values():
            for name, value in node["inputs"].items():
                while _is_link(value) and value[0] in applied:
                    value = applied[value[0]]
                node["inputs"][name] = value
            if node["class_type"] == "SaveImage":
                node["class_type"], node["inputs"] = "PreviewImage", {"images": node["inputs"].get("images")}
        if applied:
            self.notes.append("Fresco Apply was in the graph: it is taken out, and put in for each preset.")
        left_out = {*applied, *(k for k, n in prompt.items() if n["class_type"] in JUDGES)}
        while behind := {
            key
            for key, node in prompt.items()
            if key not in left_out and any(_is_link(v) and v[0] in left_out for v in node["inputs"].values())
        }:
            left_out |= behind
        return self._shown({key: node for key, node in prompt.items() if key not in left_out})

    def _shown(self, prompt: Prompt) -> Prompt:
        """The nodes that the host would run: those that an output needs. Raises CannotRun where there is
        none."""
        needed = {k for k, n in prompt.items() if self.info[n["class_type"]].get("output_node")}
        if not needed:
            raise CannotRun(
                "without Fresco's own nodes nothing in the graph is shown or saved: add a Preview Image node"
            )
        while behind := {
            value[0]
            for key in needed
            for value in prompt[key]["inputs"].values()
            if _is_link(value) and value[0] in prompt and value[0] not in needed
        }:
            needed |= behind
        return {key: node for key, node in prompt.items() if key in needed}

    def _own(self) -> list[str]:
        return [key for key, node in self.prompt.items() if node["class_type"] == KSAMPLER]

    def _models(self) -> list[tuple[str, str]]:
        """Inputs by which samplers and guiders take a model."""
        return [
            (key, name)
            for key, node in self.prompt.items()
            if node["class_type"] != KSAMPLER and self._outputs(key) & {*MADE, "GUIDER"}
            for name in self._links_of(key, "MODEL")
            if "MODEL" not in self._outputs(key)
        ]

    def _sampling(self) -> list[str]:
        """Nodes that sample: of a model or a guider they make a latent or a picture."""
        kinds = ("MODEL", "GUIDER")
        return [
            key
            for key in self.prompt
            if self._outputs(key) & MADE and any(self._links_of(key, kind) for kind in kinds)
        ]

    def _links_of(self, key: str, kind: str) -> list[str]:
        node = self.prompt[key]
        declared = self.info[node["class_type"]]["input"]
        specs = {**declared.get("required", {}), **declared.get("optional", {})}
        return [
            name
            for name, value in node["inputs"].items()
            if _is_link(value) and name in specs and kind in str(specs[name][0]).split(",")
        ]

    def _outputs(self, key: str) -> set[str]:
        return {str(kind) for kind in self.info[self.prompt[key]["class_type"]]["output"]}

    def _seeds(self) -> list[tuple[str, str]]:
        """Nodes and inputs that hold a seed as a number, or hand one on to an input that is called so."""
        found = []
        for key, node in self.prompt.items():
            for name in SEEDS:
                value = node["inputs"].get(name)
                if _is_link(value) and value[0] in self.prompt:
                    giver = self.prompt[value[0]]["inputs"]
                    found += [(value[0], n) for n in VALUES if _is_whole(giver.get(n))]
                elif _is_whole(value):
                    found.append((key, name))
        return list(dict.fromkeys(found))

    def _steps(self) -> list[str]:
        """Nodes that hold a number of steps: samplers, and what makes sigmas."""
        return [
            key
            for key, node in self.prompt.items()
            if _is_whole(node["inputs"].get("steps"))
            and (key in self.sampling or "SIGMAS" in self._outputs(key))
        ]


def _scale_steps(inputs: dict[str, Any], factor: float) -> None:
    """Another number of steps, and the same part of them between start_at_step and end_at_step."""
    before = inputs["steps"]
    inputs["steps"] = max(round(before * factor), 1)
    for name in ("start_at_step", "end_at_step"):
        if _is_whole(inputs.get(name)) and inputs[name] < before:
            inputs[name] = round(inputs[name] * factor)


def _options(spec: list[Any]) -> Mapping[str, Any]:
    return spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and _is_whole(value[1])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
