"""The host's chains of wrappers: their arguments, and the same chain around something else."""

from __future__ import annotations

from typing import Any


def bound(names: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments of a wrapper by name. `names` lists the positional ones in the host's order; signatures may
    grow."""
    return {**dict(zip(names.split(), args)), **kwargs}


def with_argument(names: str, name: str, value: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """A wrapper's arguments with another value for the one of that name; `names` as for `bound`."""
    place = names.split().index(name)
    if place < len(args):
        return (*args[:place], value, *args[place + 1 :]), kwargs
    return args, {**kwargs, name: value}


def with_sample_sigmas(model_options: dict, sigmas: Any) -> dict:
    """Model options that tell these for the sigmas of a run."""
    told = {**model_options["transformer_options"], "sample_sigmas": sigmas}
    return {**model_options, "transformer_options": told}


def with_sampler(executor: Any, sampler: Any) -> Any:
    """The same chain of wrappers around another sampler's `sample`."""
    return type(executor)(sampler.sample, sampler, executor.wrappers, executor.idx)


def with_forward_of(executor: Any, view: Any) -> Any:
    """The same chain of wrappers around `view`'s forward in place of its network's."""
    return type(executor)(view._forward, executor.class_obj, executor.wrappers, executor.idx)
