"""The host's chains of wrappers: their arguments, and the same chain around something else."""

from __future__ import annotations

from typing import Any


def bound(names: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments of a wrapper by name. `names` lists the positional ones in the host's order; signatures may
    grow."""
    return {**dict(zip(names.split(), args)), **kwargs}


def with_sampler(executor: Any, sampler: Any) -> Any:
    """The same chain of wrappers around another sampler's `sample`."""
    return type(executor)(sampler.sample, sampler, executor.wrappers, executor.idx)


def with_forward_of(executor: Any, view: Any) -> Any:
    """The same chain of wrappers around `view`'s forward in place of its network's."""
    return type(executor)(view._forward, executor.class_obj, executor.wrappers, executor.idx)
