"""Runs of the fuzzer's cases on tiny models, with all that a judge wants to know about each."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.patcher_extension
import comfy.sampler_helpers
import tiny
import torch
import torch.nn.functional as F
from conftest import trained_for_any_size
from fuzz_cases import DEMO, SHARES, Case, mask_of
from mixed_models import demo_model
from recorded import network_calls

STOPS = {"interrupt": comfy.model_management.InterruptProcessingException, "error": RuntimeError}
KINDS = comfy.patcher_extension.WrappersMP


@dataclass
class Record:
    """What a run did: its result or its error, the calls of its network as (shape, timestep), image tokens
    and batch of every call, how often the sampler asked, the sigmas that the host gave it, whether its model
    was loaded, and Fresco's own trace, if there is one."""

    samples: torch.Tensor | None = None
    error: BaseException | None = None
    calls: list[tuple[tuple[int, ...], float]] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    evaluations: int = 0
    sigmas: torch.Tensor | None = None
    loaded: bool = False
    trace: Any = None

    @property
    def finite(self) -> bool:
        return self.samples is not None and bool(torch.isfinite(self.samples).all())


def model_of(case: Case) -> tiny.Tiny:
    """The case's model, shared by all cases of its family, with a latent and texts of the case's own."""
    if case.family == DEMO:
        model, _ = demo_model(batch=1)
        model.latent = {"samples": torch.zeros(1, 16, *case.size)}
        return model
    if case.dtype == "float32":
        return tiny.build(case.family, size=case.size, frames=case.frames, batch=case.batch)
    patcher = _halved(case.family, case.dtype)
    return tiny._dress(case.family, patcher, 0, (case.batch, case.frames, *case.size))


@functools.cache
def _halved(family: str, dtype: str) -> Any:
    model = tiny.fresh(family)
    network = model.model.diffusion_model
    network.to(getattr(torch, dtype))
    network.dtype = getattr(torch, dtype)
    return model.patcher


def cached(case: Case, patcher: Any) -> Any:
    """The patcher with the host's step cache that the case names."""
    from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

    if case.cache is None:
        return patcher
    node = EasyCacheNode if case.cache[0] == "easy" else LazyCacheNode
    return node.execute(patcher, case.cache[1], 0.15, 0.95, False).args[0]


def dressed(case: Case, patcher: Any) -> Any:
    """The patcher with the case's schedule and cache, in the case's order. ScheduleError for bad texts."""
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    schedule = parse(case.text)
    if case.cache is not None and case.cache[2]:
        return apply_fresco(cached(case, patcher), schedule, [])
    return cached(case, apply_fresco(patcher, schedule, []))


def _traces(patcher: Any) -> list[Any]:
    """The patcher's own list of traces: old hosts copy it with every clone."""
    settings = patcher.model_options["transformer_options"].get("fresco")
    return [] if settings is None else settings.traces


def source_of(case: Case, model: tiny.Tiny) -> torch.Tensor:
    """The latent that the case starts from, in the host's scale; a stage that adds no noise goes on from the
    plain run's stage before it."""
    empty = model.latent["samples"]
    if not case.noisy:
        return tiny.sample(
            model.patcher, model, scheduler=case.scheduler, steps=case.steps, last_step=case.begin
        )
    if case.source == "empty":
        return empty
    generator = torch.Generator().manual_seed(case.number)
    if case.source == "detailed":
        values = 0.7 * torch.randn(empty.shape, generator=generator)
    elif case.source == "flat":
        colours = torch.randn((*empty.shape[:2], *(1,) * (empty.ndim - 2)), generator=generator)
        values = colours.expand(empty.shape)
    else:
        coarse = torch.randn((empty[..., 0, 0].numel(), 1, 4, 4), generator=generator)
        values = F.interpolate(coarse, size=empty.shape[-2:], mode="bicubic").reshape(empty.shape)
    return model.model.process_latent_out(values.clone())


def grid_of(case: Case, model: tiny.Tiny) -> torch.Tensor | None:
    """The custom sampler's sigmas, if the case has any."""
    if case.sigmas is None:
        return None
    highest = float(model.patcher.get_model_object("model_sampling").sigma_max)
    shares = torch.tensor(SHARES[case.sigmas])
    return shares if highest <= 1.0 else (shares / (1.0 - shares).clamp_min(1e-9)).clamp_max(highest)


def run(
    case: Case, model: tiny.Tiny, patcher: Any, latent: torch.Tensor, stop: tuple[str, int] | None = None
) -> Record:
    """The case's run on `patcher`, stopped by a failure inside the network's call number stop[1]."""
    record = Record()
    patcher = patcher.clone()
    earlier = len(_traces(patcher))
    patcher.add_wrapper_with_key(KINDS.OUTER_SAMPLE, "fuzz", functools.partial(_note_sigmas, record))
    patcher.add_wrapper_with_key(KINDS.PREDICT_NOISE, "fuzz", functools.partial(_count, record))
    with (
        network_calls(model.model) as record.calls,
        tiny.count_image_tokens(model) as record.tokens,
        _loading(record),
        trained_for_any_size() if case.any_size else nullcontext(),
        nullcontext() if stop is None else _failing(model, *stop),
    ):
        try:
            record.samples = sampled(case, model, patcher, latent)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            record.error = error
    record.trace = next(iter(_traces(patcher)[earlier:]), None)
    return record


def sampled(case: Case, model: tiny.Tiny, patcher: Any, latent: torch.Tensor, **other: Any) -> torch.Tensor:
    """The host's own sampling of the case."""
    sigmas = grid_of(case, model)
    of_steps = {
        "steps": case.steps,
        "denoise": case.denoise,
        "start_step": case.begin,
        "last_step": case.end,
        "force_full_denoise": not case.leftover,
        "disable_noise": not case.noisy,
    }
    arguments = {
        "sampler": case.sampler,
        "scheduler": case.scheduler,
        "cfg": case.cfg,
        "seed": case.number,
        "latent": latent,
        "noise_mask": mask_of(case),
        **(of_steps if sigmas is None else {"sigmas": sigmas}),
        **other,
    }
    return tiny.sample(patcher, model, **arguments)


def _note_sigmas(record: Record, executor: Any, *args: Any, **kwargs: Any) -> Any:
    record.sigmas = (kwargs["sigmas"] if "sigmas" in kwargs else args[3]).clone()  # uni_pc writes into it
    return executor(*args, **kwargs)


def _count(record: Record, executor: Any, *args: Any, **kwargs: Any) -> Any:
    record.evaluations += 1
    return executor(*args, **kwargs)


@contextmanager
def _loading(record: Record) -> Iterator[None]:
    """Note when the host prepares the model for sampling, which loads it."""
    prepare = comfy.sampler_helpers.prepare_sampling

    def noted(*args: Any, **kwargs: Any) -> Any:
        record.loaded = True
        return prepare(*args, **kwargs)

    comfy.sampler_helpers.prepare_sampling = noted
    try:
        yield
    finally:
        comfy.sampler_helpers.prepare_sampling = prepare


@contextmanager
def _failing(model: tiny.Tiny, kind: str, call: int) -> Iterator[None]:
    count = 0

    def fail(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == call:
            raise STOPS[kind]()

    handle = model.model.diffusion_model.register_forward_pre_hook(fail)
    try:
        yield
    finally:
        handle.remove()
