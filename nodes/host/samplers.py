"""What the host's samplers do with their sigmas, and what hangs on a run of one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

RUN_PLAIN = {  # samplers whose own work depends on the size of the run, or on how far each step errs
    "ar_video": "draws a video block by block and keeps the network's keys and values of all",
    "lcm_upscale": "enlarges the latent within the run",
    "dpm_adaptive": "takes as many steps as it wants, and more with coarse ones among them",
}
PASS_STEPS = {"unipc": 2, "unipc_bh2": 2, "dpm_fast": 2}


def asks_past_wrappers(guider: Any) -> bool:
    """Whether a guider calls its model elsewhere than where the host's wrappers of a prediction are."""
    from comfy.samplers import CFGGuider

    names = ("__call__", "outer_predict_noise")
    return any(getattr(type(guider), name, None) is not getattr(CFGGuider, name) for name in names)


def of_the_usual_kind(sampler: Any) -> bool:
    """Whether a sampler begins as all of the host's do but VOID's, from the model's own mix of noise and the
    given latent; others may keep a state that is neither."""
    from comfy.samplers import KSAMPLER

    return isinstance(sampler, KSAMPLER)


def previewer_of(callback: Any) -> Any:
    """The host's previewer behind a sampler node's step callback; None where it sends no previews.

    latent_preview.prepare_callback makes both for each run and keeps the previewer in the callback's closure;
    the host and packs may have put a function around the callback.
    """
    seen, functions = set(), [callback]
    while functions:
        function = functions.pop()
        if not inspect.isfunction(function) or function in seen:
            continue
        seen.add(function)
        held = _held_by(function)
        found = held.get("previewer")
        if hasattr(found, "decode_latent_to_preview_image"):
            return found
        functions += held.values()
    return None


def least_steps(sampler: Any) -> int:
    """The fewest steps that the sampler makes a whole pass of: with fewer it leaves noise or does nothing."""
    return max(PASS_STEPS.get(name, 1) for name in functions_of(sampler))


def off_grid(sampler: Any) -> bool:
    """Whether the sampler picks its own sigmas between its grid's first and last positive one."""
    return "dpm_fast" in functions_of(sampler)


def functions_of(sampler: Any) -> list[str]:
    """The names of the functions of a sampler and of those that it wraps: sample_euler's and the host's own
    euler_function's are euler."""
    names = (getattr(getattr(one, "sampler_function", None), "__name__", "") for one in _samplers_of(sampler))
    return [name.removeprefix("sample_").removesuffix("_function") for name in names]


def course_of_its_own(sampler: Any) -> str | None:
    """What a sampler's options say of the run that its sigmas do not: RES4LYF's, which counts their steps."""
    for one in _samplers_of(sampler):
        options = getattr(one, "extra_options", {})
        begins, least = options.get("start_at_step", -1), options.get("steps_to_run", -1)
        if options.get("sampler_mode", "standard") != "standard" or begins > 0 or least >= 0:
            return "makes a part of the run that its sigmas do not tell"
        if options.get("guides"):
            return "counts the steps of its guides over the whole run"
    return None


def guidance_by_step(guider: Any) -> bool:
    """Whether a guider has a strength for each of the run's steps, as Inspire's and KJNodes' have."""
    return hasattr(guider, "cfg_sigmas") or isinstance(getattr(guider, "cfg", None), (list, tuple))


def _samplers_of(sampler: Any) -> Iterator[Any]:
    """A sampler and those that it wraps, as packs hand a function of their own another sampler."""
    wrapped, seen = [sampler], set[int]()
    while wrapped:
        one = wrapped.pop(0)
        seen.add(id(one))
        held = [*getattr(one, "extra_options", {}).values()]
        held += _held_by(getattr(one, "sampler_function", None)).values()
        wrapped += [s for s in held if hasattr(s, "sampler_function") and id(s) not in seen]
        yield one


def _held_by(function: Any) -> dict[str, Any]:
    """What a function has of the functions around it."""
    try:
        return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}
    except ValueError:  # a variable of its that has no value yet
        return {}


def from_the_top(sigma: float, highest: float) -> bool:
    """Whether a run from `sigma` starts from all noise, as the host's samplers ask: schedulers miss a model's
    highest sigma by a rounding step."""
    return sigma > highest or math.isclose(sigma, highest, rel_tol=1e-5)


def restart_keyframes(guider: Any) -> None:
    """Let what only ever moves forward along the run begin anew: conditioning hooks with keyframes (scheduled
    LoRAs), on all devices, and Advanced-ControlNet's timestep keyframes."""
    conds = [cond for group in guider.conds.values() for cond in group]
    hooks = [hook for cond in conds if cond.get("hooks") is not None for hook in cond["hooks"].hooks]
    scheduled = [hook for hook in hooks if not hook.hook_keyframe.is_empty()]
    for hook in scheduled:
        hook.hook_keyframe.reset()
    if scheduled:
        guider.inner_model.current_patcher.clear_cached_hook_weights()
        for clone in guider.model_options.get("multigpu_clones", {}).values():
            clone.clear_cached_hook_weights()
    controls = (control for cond in conds for control in chained(cond.get("control")))
    for control in {id(control): control for control in controls}.values():
        if hasattr(control, "pre_run_advanced"):
            model = guider.inner_model
            control.pre_run_advanced(model, model.model_sampling.percent_to_sigma)


def chained(control: Any) -> Iterator[Any]:
    """A ControlNet, if any, and those before it."""
    while control is not None:
        yield control
        control = getattr(control, "previous_controlnet", None)
