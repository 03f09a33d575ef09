"""One sampler of a graph: its model, its sigmas and its latent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .graph import Graph, Link, Node
from .models import AUDIO, SOLID, ModelClass, class_of
from .reading import MOST_STEPS, Reading, Size
from .timetable import (
    Timetable,
    beta_grid,
    flow_table,
    flux2_grid,
    grid,
    ideogram_grid,
    ltxv_grid,
)

SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
GUIDED = "SamplerCustomAdvanced"
FILES = ("unet_name", "ckpt_name", "model_name")
SKIP_SECOND_LAST = ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2")
"""Samplers that KSampler gives a grid of one step more, without its last sigma above zero."""
SHIFTED = ("ModelSamplingSD3", "ModelSamplingAuraFlow", "ModelSamplingLTXV")
LAST = 10000  # of KSamplerAdvanced's steps: no end of its own


@dataclass(frozen=True)
class Model:
    """What a sampler's MODEL link comes from: the loader's file, its class, and the nodes between."""

    file: str
    known: ModelClass | None
    through: tuple[str, ...]
    shift: float | None = None

    @property
    def table(self) -> Timetable:
        """Its sigmas, with the shift that a node of the graph sets."""
        assert self.known is not None
        return flow_table(self.shift) if self.shift is not None else self.known.table


@dataclass(frozen=True)
class Sampler:
    """A sampler as the graph sets it. sigmas: None where the graph does not tell them. kept: whether the list
    was given by hand. noise: whether it adds its own."""

    node: Node
    name: str
    model: Model
    sigmas: tuple[float, ...] | None
    size: Size
    scheduler: str
    given: bool = False
    noise: bool = True

    @property
    def steps(self) -> int:
        """Steps that it takes."""
        return max(len(self.sigmas or ()) - 1, 0)


def samplers_of(graph: Graph) -> list[Node]:
    """The nodes that sample, in the graph's order."""
    return [node for node in graph.values() if node.kind in SAMPLERS]


def read(reading: Reading, node: Node) -> Sampler:
    """One sampler's run."""
    holder = reading.graph[node.links["guider"].node] if node.kind == GUIDED else node
    model = model_of(reading, holder.links.get("model"))
    pictures = model.known is None or model.known.makes not in (AUDIO, SOLID)
    size = reading.latent(node.links.get("latent_image")) if pictures else Size(0, 0)
    name = sampler_name(reading, node)
    if node.kind in ("KSampler", "KSamplerAdvanced"):
        scheduler = str(reading.setting(node, "scheduler", "normal"))
        sigmas = _of_node(reading, node, model, scheduler, name)
        noise = node.kind == "KSampler" or reading.setting(node, "add_noise", "enable") != "disable"
        return Sampler(node, name, model, _fixed(sigmas), size, scheduler, noise=noise)
    found, scheduler = _of_link(reading, node.links.get("sigmas"), model, size)
    noise_link = node.links.get("noise")
    noisy = noise_link is None or reading.graph[noise_link.node].kind != "DisableNoise"
    if node.kind == "SamplerCustom":
        noisy = reading.setting(node, "add_noise", True) is not False
    return Sampler(node, name, model, _fixed(found), size, scheduler, scheduler == "ManualSigmas", noisy)


def _fixed(sigmas: list[float] | None) -> tuple[float, ...] | None:
    return None if sigmas is None else tuple(sigmas)


def sampler_name(reading: Reading, node: Node) -> str:
    """The sampler by the host's name, or the kind of node that makes it."""
    link = node.links.get("sampler")
    if link is None:
        return str(reading.setting(node, "sampler_name", "euler"))
    source = reading.graph[link.node]
    if source.kind == "KSamplerSelect":
        return str(reading.setting(source, "sampler_name", "euler"))
    return source.kind.removeprefix("Sampler").lower()


def model_of(reading: Reading, link: Link | None) -> Model:
    """Follow a MODEL link to its loader."""
    through: list[str] = []
    shift: float | None = None
    for _ in range(MOST_STEPS):
        node = None if link is None else reading.graph.get(link.node)
        if node is None:
            return Model("", None, tuple(through))
        if node.kind == "ComfySwitchNode":
            link = reading.switched(node)
            continue
        link = node.links.get("model")
        if link is None and node.linked("MODEL"):
            link = node.links[node.linked("MODEL")[0]]
        if link is None:
            file = next((str(reading.setting(node, n, "")) for n in FILES if n in node.values), "")
            file = file or next((str(v) for v in node.raw if str(v).endswith(".safetensors")), "")
            return Model(file, class_of(file), tuple(through), shift)
        through.append(node.kind)
        if shift is None and node.kind in SHIFTED:
            shift = float(reading.setting(node, "shift", 1.0))
        elif shift is None and node.kind == "ModelSamplingFlux":
            shift = _of_size(reading, node)
    return Model("", None, tuple(through))


def _of_size(reading: Reading, node: Node) -> float:
    """ModelSamplingFlux: a shift that grows with the picture."""
    most, least, width, height = (
        float(reading.setting(node, name, default))
        for name, default in (("max_shift", 1.15), ("base_shift", 0.5), ("width", 1024), ("height", 1024))
    )
    slope = (most - least) / (4096 - 256)
    return math.exp(width * height / 256 * slope + least - slope * 256)


def _of_node(reading: Reading, node: Node, model: Model, scheduler: str, name: str) -> list[float] | None:
    """The sigmas that KSampler and KSamplerAdvanced run over."""
    if model.known is None:
        return None
    steps = int(reading.setting(node, "steps", 20))
    denoise = float(reading.setting(node, "denoise", 1.0)) if node.kind == "KSampler" else 1.0
    sigmas = denoised(lambda n: _with_skip(model.table, scheduler, n, name), steps, denoise)
    if sigmas is None or node.kind == "KSampler":
        return sigmas
    start = int(reading.setting(node, "start_at_step", 0))
    end = int(reading.setting(node, "end_at_step", LAST))
    left = reading.setting(node, "return_with_leftover_noise", "disable") == "enable"
    if end < len(sigmas) - 1:
        sigmas = sigmas[: end + 1]
        if not left:
            sigmas[-1] = 0.0
    return sigmas[start:] if start < len(sigmas) - 1 else []


def _with_skip(table: Timetable, scheduler: str, steps: int, name: str) -> list[float] | None:
    skipped = name in SKIP_SECOND_LAST
    sigmas = grid(table, scheduler, steps + skipped)
    return sigmas[:-2] + sigmas[-1:] if sigmas is not None and skipped else sigmas


def denoised(make: Callable[[int], list[float] | None], steps: int, denoise: float) -> list[float] | None:
    """The last `steps` steps of a grid that `denoise` makes longer."""
    if denoise <= 0.0:
        return []
    found = make(steps if denoise > 0.9999 else int(steps / denoise))
    return None if found is None else found[-(steps + 1) :]


def _of_link(
    reading: Reading, link: Link | None, model: Model, size: Size, depth: int = 0
) -> tuple[list[float] | None, str]:
    """The sigmas that a SIGMAS link gives, and the kind of node that makes them."""
    node = None if link is None else reading.graph.get(link.node)
    if node is None or link is None or depth > MOST_STEPS:
        return None, "?"
    kind = node.kind

    def number(name: str, default: float) -> float:
        return float(reading.setting(node, name, default))

    if kind == "ComfySwitchNode":
        return _of_link(reading, reading.switched(node), model, size, depth + 1)
    if kind == "ManualSigmas":
        text = str(reading.setting(node, "sigmas", ""))
        return [float(part) for part in text.replace(";", ",").split(",") if part.strip()], kind
    if kind in ("SplitSigmas", "SetFirstSigma"):
        sigmas, name = _of_link(reading, node.links.get("sigmas"), model, size, depth + 1)
        if sigmas is None:
            return None, name
        if kind == "SetFirstSigma":
            return [number("sigma", sigmas[0]), *sigmas[1:]], name
        step = int(number("step", 0))
        return (sigmas[step:] if link.slot else sigmas[: step + 1]), name
    steps = int(number("steps", 20))
    if kind == "Flux2Scheduler":
        return flux2_grid(steps, number("width", 1024), number("height", 1024)), kind
    if kind == "Ideogram4Scheduler":
        sides = number("width", 1024), number("height", 1024)
        return ideogram_grid(steps, *sides, number("mu", 0.0), number("std", 1.75)), kind
    if kind == "LTXVScheduler":
        canvas = None if model.known is None else model.known.canvas(size.width, size.height, size.frames)
        linked = canvas is not None and "latent" in node.links
        count = canvas.height * canvas.width * canvas.frames if canvas is not None and linked else 4096
        terminal = number("terminal", 0.1) if reading.setting(node, "stretch", True) else None
        return ltxv_grid(steps, count, number("max_shift", 2.05), number("base_shift", 0.95), terminal), kind
    table = model.table if model.known is not None else None
    if table is None:
        return None, kind
    if kind == "BasicScheduler":
        name = str(reading.setting(node, "scheduler", "simple"))
        return denoised(lambda n: grid(table, name, n), steps, number("denoise", 1.0)), name
    if kind == "BetaSamplingScheduler":
        return beta_grid(table, steps, number("alpha", 0.6), number("beta", 0.6)), "beta"
    if kind == "SDTurboScheduler":
        first = 10 - int(10 * number("denoise", 1.0))
        times = [(100 * (10 - i) - 1) / 999 for i in range(first, min(first + steps, 10))]
        return [*(table.at(t) for t in times), 0.0], kind
    return None, kind
