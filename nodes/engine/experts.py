"""Two networks that sample one run: one for high sigmas, one for low ones, as a single MODEL.

The joined MODEL is the high-noise one's patcher without the options of its own; nodes behind put theirs on
it. Every evaluation goes to one of the two, with that one's own options and then those behind. Guider,
sampler, scheduler, masks and wrappers of a whole run see one model. The host's model management is told which
of the two is needed, so that only that one need be on the device.

An expert is trained for the sigmas that it is shown. At a coarse look that is the level's sigma, which is
lower than the canvas's; at a mixed look it is the canvas's, which the fine tokens are at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from ...fresco_core import MixedLook
from ...fresco_core.canvas.noise_level import noise_halvings
from ..host import pair
from ..host.caches import restart_block_caches, restart_step_cache
from ..host.executors import bound
from ..host.loading import load
from ..host.model import parameterisation_of, sampling_of
from .run import RUN, Run

EXPERTS = "fresco_experts"
CLOSE = 1e-6  # of a noise share: 0.9 in a sampler's sigmas is a little less than in a node's widget


@dataclass(frozen=True)
class Experts:
    """high, low: the patchers as they were given. boundary: the noise share from which high is asked."""

    high: Any
    low: Any
    boundary: float


@dataclass
class Expert:
    """One of the two in a run: its patcher with what the nodes behind have put on it, its own model options,
    whether it has been asked, and how often what it was shown last halves noise."""

    patcher: Any
    options: dict
    used: bool = False
    level: float = 0


def join(high: Any, low: Any, boundary: float) -> Any:
    """One patcher that samples by `high` from the noise share `boundary` on and by `low` below.

    Raises ValueError for two that cannot share a run.
    """
    reason = unlike(high, low)
    if reason is not None:
        raise ValueError(f"Fresco Experts: {reason}")
    joined = pair.bare_clone(high)
    joined.set_attachments(EXPERTS, Experts(high, low, boundary))
    kinds = comfy.patcher_extension.WrappersMP
    joined.add_wrapper_with_key(kinds.OUTER_SAMPLE, EXPERTS, outer_sample)
    # in the options: a guider's second model is prepared by these alone
    comfy.patcher_extension.add_wrapper_with_key(
        kinds.PREPARE_SAMPLING, EXPERTS, prepare_sampling, joined.model_options, is_model_options=True
    )
    return joined


def unlike(high: Any, low: Any) -> str | None:
    """Why two patchers cannot sample one run, what was found and what to do; None where they can."""
    a, b = high.model, low.model
    if high.load_device != low.load_device:
        return f"the two models run on {high.load_device} and {low.load_device}; both must be on one device"
    for one, other in ((a, b), (a.latent_format, b.latent_format), (a.diffusion_model, b.diffusion_model)):
        if type(one) is not type(other):
            return (
                f"the high-noise model has {type(one).__name__} and the low-noise one "
                f"{type(other).__name__}; connect the two experts of one model"
            )
    configs = ({n: v for n, v in m.model_config.unet_config.items() if n != "dtype"} for m in (a, b))
    one, other = configs
    differing = sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))
    if differing:
        name = differing[0]
        return (
            f"the two networks differ: {name} is {one.get(name)} in the high-noise model and "
            f"{other.get(name)} in the low-noise one; connect the two experts of one model"
        )
    if hasattr(a.diffusion_model, "preprocess_text_embeds"):
        return f"each {type(a).__name__} reads the text by weights of its own, which one run does only once"
    for patcher, name in ((high, "high_noise"), (low, "low_noise")):
        found = pair.acts_on_runs(patcher)
        if found is not None:
            return f"'{found}' of {name} acts on a whole run; connect its node behind Fresco Experts instead"
    return unlike_sampling(sampling_of(high), sampling_of(low))


def unlike_sampling(high: Any, low: Any) -> str | None:
    """Why two model_samplings give no common sigmas; None where they are alike."""
    if parameterisation_of(high) is None:
        return f"{_kind(high)} is neither a flow nor an EPS or v-prediction model; it has no boundary"
    if _kind(high) != _kind(low):
        return (
            f"the high-noise model samples by {_kind(high)} and the low-noise one by {_kind(low)}; both must "
            "sample alike"
        )
    shifts = getattr(high, "shift", None), getattr(low, "shift", None)
    tables = ("sigmas", "multiplier")
    alike = all(_same(getattr(high, name, None), getattr(low, name, None)) for name in tables)
    if shifts[0] == shifts[1] and alike:
        return None
    found = f"shifts {shifts[0]} and {shifts[1]}" if shifts[0] != shifts[1] else "sigmas of their own"
    return (
        f"the two models have {found}; put a ModelSampling node with the same values on each, in front of "
        "Fresco Experts"
    )


def _kind(sampling: Any) -> str:
    """The classes that a model_sampling is made of."""
    names = [c.__name__ for c in type(sampling).__mro__ if c.__module__ == "comfy.model_sampling"]
    return " with ".join(names or [type(sampling).__name__])


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a.cpu(), b.cpu())
    return bool(a == b)


@dataclass
class RunningExperts:
    """The two in one run of a guider, over latents of `shape`. loaded: the one that was asked last. due: the
    last timestep and level that were asked about, and whose they are."""

    guider: Any
    shape: tuple[int, ...]
    experts: Experts
    high: Expert
    low: Expert
    sampling: Any
    loaded: Expert | None = None
    due: tuple[Tensor, float, Expert] | None = None

    @classmethod
    def of(cls, guider: Any, shape: tuple[int, ...], experts: Experts) -> RunningExperts:
        """The two with what the nodes behind have put on the joined model."""
        joined, high, low = guider.model_patcher, experts.high, experts.low
        found = pair.bound_to_network(joined, high)
        if found is not None:
            raise ValueError(
                f"Fresco Experts: '{found}' behind the node changes one of the two networks only; connect "
                "its node in front of Fresco Experts, once for each model"
            )
        other = pair.carried(joined, high, low)
        pair.prepare(other, guider)
        first, second = Expert(joined, pair.own_options(high)), Expert(other, pair.own_options(low))
        return cls(guider, shape, experts, first, second, sampling_of(joined))

    def asked_at(self, sigma: float) -> Expert:
        """The expert for a network's sigma."""
        at = parameterisation_of(self.sampling)
        share = sigma if at is None else at.share(sigma)
        return self.high if share >= self.experts.boundary - CLOSE else self.low

    def forget(self) -> None:
        """The host has been asked for another model: the next evaluation loads its expert anew."""
        self.loaded = None

    def whole_options(self, behind: dict) -> dict:
        """All model options that evaluations may have, of both experts and behind."""
        return pair.merged(pair.merged(self.high.options, self.low.options), behind)

    def notice(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """Outermost of all that acts on a prediction: a cache that answers for whole evaluations begins anew
        where the next one is another expert's, before it can answer with this one's."""
        given = bound("x timestep model_options seed", args, kwargs)
        transformer_options = given["model_options"]["transformer_options"]
        if self._due(given["timestep"], transformer_options)[0] is not self.loaded:
            restart_step_cache(transformer_options)
        return executor(*args, **kwargs)

    def _due(self, timestep: Tensor, transformer_options: dict) -> tuple[Expert, float]:
        """The expert for the sigma that its network is asked with, and the level of the look, in halvings of
        the noise's deviation."""
        run: Run | None = transformer_options.get(RUN)
        level, sigma = 0.0, timestep
        if run is not None and run.course is not None and not isinstance(run.view.look, MixedLook):
            level = noise_halvings(run.view.look.level, run.view.look.halvings)
            sigma = run.target.parameterisation.level_sigma(timestep, level)
        if self.due is None or self.due[0] is not timestep or self.due[1] != level:  # one read for both
            self.due = timestep, level, self.asked_at(float(sigma.max()))
        return self.due[2], level

    def predict_noise(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """The evaluation by the expert for the sigma that its network is asked with."""
        given = bound("x timestep model_options seed", args, kwargs)
        x, timestep, behind = (given.pop(name) for name in ("x", "timestep", "model_options"))
        expert, level = self._due(timestep, behind["transformer_options"])
        self._switch_to(expert, behind["transformer_options"])
        options = pair.merged(expert.options, behind)
        clones = options.get("multigpu_clones")
        if clones is not None and clones.get(expert.patcher.load_device) is not expert.patcher:
            del options["multigpu_clones"]  # those of the other network
        if expert.level != level:
            restart_block_caches(expert.patcher.model, options["transformer_options"])
        expert.level = level
        return executor(x, timestep, options, given.get("seed"))

    def _switch_to(self, expert: Expert, transformer_options: dict) -> None:
        """Have the expert on its device, and the guider ask it. What a step cache keeps, and weights patched
        by hooks, are of the other's evaluations."""
        patcher, guider = expert.patcher, self.guider
        if expert is not self.loaded:
            restart_step_cache(transformer_options)
            other = self.low if expert is self.high else self.high
            if other.used:
                other.patcher.clean_hooks()
            load(patcher, guider, self.shape)
            self.loaded = expert
        if not expert.used:
            expert.used = True
            pair.place_options(expert.options, patcher.load_device, patcher.model_dtype())
            if patcher is not guider.model_patcher:
                patcher.pre_run()
        patcher.model.current_patcher = patcher
        guider.inner_model = patcher.model

    def close(self) -> None:
        """End of the run, on every way out: the host has seen to the guider's own patcher."""
        for expert in (self.high, self.low):
            with suppress(Exception):  # a device that has failed would hide why
                if expert.used:
                    pair.place_options(expert.options, expert.patcher.offload_device)
                    if expert.patcher is not self.guider.model_patcher:
                        pair.release(expert.patcher)
        self.loaded = self.due = None


def outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Open the run's two experts, innermost of all that acts on a prediction, and drop them at the end."""
    given = bound("noise latent_image sampler sigmas", args, kwargs)
    guider, sigmas = executor.class_obj, given["sigmas"]
    joined, options = guider.model_patcher, guider.model_options
    experts: Experts | None = joined.get_attachment(EXPERTS)
    if experts is None or not len(sigmas):
        return executor(*args, **kwargs)
    running = RunningExperts.of(guider, tuple(given["noise"].shape), experts)
    guider.model_options = comfy.model_patcher.create_model_options_clone(options)
    transformer_options = guider.model_options["transformer_options"]
    transformer_options[EXPERTS] = running
    kind = comfy.patcher_extension.WrappersMP.PREDICT_NOISE
    wrappers = transformer_options.setdefault("wrappers", {})
    outermost = {f"{EXPERTS}_notice": [running.notice]}
    wrappers[kind] = outermost | wrappers.get(kind, {}) | {EXPERTS: [running.predict_noise]}
    running.loaded = running.asked_at(float(sigmas[0]))  # the host loads the guider's patcher
    guider.model_patcher = running.loaded.patcher
    try:
        return executor(*args, **kwargs)
    finally:
        running.close()
        guider.model_patcher, guider.model_options = joined, options


def prepare_sampling(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse to load the joined model for a run that `outer_sample` has not opened, where every evaluation
    would be the high-noise network's."""
    given = bound("model noise_shape conds model_options", args, kwargs)
    if EXPERTS not in given["model_options"]["transformer_options"]:
        raise ValueError(
            "Fresco Experts: the guider has this MODEL as its second one (model_negative), of which it would "
            "ask the high-noise network alone; connect one of the two models there, or none"
        )
    return executor(*args, **kwargs)
