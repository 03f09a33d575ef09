"""Mixed sequences, one adapter file per model family.

An adapter is a module with two functions: `misfit(network)` says why this host's network is not what the
adapter was written for, or None; `evaluate(executor, args, kwargs, call)` stands for the network's own call,
as a DIFFUSION_MODEL wrapper does, and leaves the coarse tokens' output in `call.output`. Adapters work
through the host's own forward, with its patches; they copy nothing of it. Families without one see mixed
steps at full resolution.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import flux

ADAPTERS: dict[str, ModuleType] = {"comfy.ldm.flux.model.Flux": flux}


def adapter_of(network: Any) -> tuple[ModuleType | None, str | None]:
    """The adapter of a network, or None and the reason why there is none."""
    kind = type(network)
    adapter = ADAPTERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if adapter is None:
        return None, f"{kind.__name__} takes no mixed sequences yet"
    reason = adapter.misfit(network)
    return (adapter, None) if reason is None else (None, reason)
