"""A prompt run by the host's own executor, and what its samplers' networks were shown."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# tiny boots the host, so it comes before comfy
import tiny  # noqa: F401
import torch
from stand_ins import KEPT, MODELS, NODES

# isort: split
import comfy.samplers

# older hosts' nodes put comfy/ first on the path, whose utils.py would hide their package of that name
sys.path.insert(0, str(Path(comfy.samplers.__file__).parents[1]))
sys.modules.pop("utils", None)
importlib.import_module("utils")
sys.path.pop(0)

import execution  # noqa: E402
import pytest  # noqa: E402
import server  # noqa: E402

import nodes  # noqa: E402

LISTED: dict[str, Any] = {}


@dataclass
class Sampled:
    """One sampler's run: its node, the latent's shape, (height, width) of all looks, and the result."""

    node: str
    shape: tuple[int, ...]
    looks: list[tuple[int, int]] = field(default_factory=list)
    result: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the canvas."""
        return self.shape[-2:]


def first(latent: Any) -> torch.Tensor:
    """A latent, or the video of one that has its sound too."""
    if getattr(latent, "is_nested", False):
        return latent.unbind()[0]
    return latent[0] if isinstance(latent, (list, tuple)) else latent


def declared(kind: str) -> dict[str, Any] | None:
    """What the host's class of a node declares of its inputs; None for what it does not have."""
    found = nodes.NODE_CLASS_MAPPINGS.get(kind)
    return None if found is None else found.INPUT_TYPES()


def list_nodes() -> None:
    """Have the host list its own nodes, and the pack's."""
    if LISTED:
        return
    asyncio.run(nodes.init_builtin_extra_nodes())
    import fresco_pack

    extension = asyncio.run(fresco_pack.comfy_entrypoint())
    for kind in asyncio.run(extension.get_node_list()):
        LISTED[kind.GET_SCHEMA().node_id] = kind
    nodes.NODE_CLASS_MAPPINGS.update(LISTED | NODES)


@contextmanager
def watched():
    """Note every run of a guider while this lasts: its looks are those of all networks that stand in."""
    runs: list[Sampled] = []
    sample = comfy.samplers.CFGGuider.sample

    def noted(guider: Any, noise: Any, latent_image: Any, *args: Any, **kwargs: Any) -> Any:
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        runs.append(Sampled(context.node_id if context else "?", tuple(first(latent_image).shape)))
        current, network = runs[-1], guider.model_patcher.model.diffusion_model

        def look(_: Any, args: tuple, kwargs: dict) -> None:
            current.looks.append(tuple(first(args[0] if args else kwargs["x"]).shape[-2:]))

        handle = network.register_forward_pre_hook(look, with_kwargs=True)
        try:
            current.result = sample(guider, noise, latent_image, *args, **kwargs)
        finally:
            handle.remove()
        return current.result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy.samplers.CFGGuider, "sample", noted)
        yield runs


def executed(prompt: dict[str, Any]) -> tuple[list[Sampled], dict[str, Any]]:
    """Validate and run a prompt: (its samplers' runs, what its output nodes got). Raises AssertionError with
    the host's words where it is refused or fails."""
    list_nodes()
    KEPT.clear()
    MODELS.clear()
    nobody: dict[str, Any] = {"client_id": None, "last_node_id": None, "last_prompt_id": None}
    silent = {name: lambda *a, **k: None for name in ("send_sync", "send_progress_text")}
    listener = SimpleNamespace(**nobody, **silent)
    valid, error, outputs, node_errors = asyncio.run(execution.validate_prompt("run", prompt, None))
    assert valid and not node_errors, f"{error}: {node_errors}"
    sizes = {"lru": 0, "ram": 0.0, "ram_inactive": 0.0}
    executor = execution.PromptExecutor(listener, cache_args=sizes)
    with watched() as runs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(server.PromptServer, "instance", listener, raising=False)
        executor.execute(prompt, "run", {}, outputs)
    told = [data for event, data in executor.status_messages if event == "execution_error"]
    assert executor.success and not told, told and (
        f"{told[0]['node_type']}: {told[0]['exception_message']}\n{''.join(told[0]['traceback'][-4:])}"
    )
    return runs, dict(KEPT)
