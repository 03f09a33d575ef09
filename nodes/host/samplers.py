"""What the host's samplers do with their sigmas, and what hangs on a run of one."""

from __future__ import annotations

import inspect
from typing import Any

RUN_PLAIN = {  # samplers whose own work depends on the size of the run, or on how far each step errs
    "ar_video": "draws a video block by block and keeps the network's keys and values of all",
    "lcm_upscale": "enlarges the latent within the run",
    "dpm_adaptive": "takes as many steps as it wants, and more with coarse ones among them",
}
PASS_STEPS = {"unipc": 2, "unipc_bh2": 2, "dpm_fast": 2}


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
        try:
            held = inspect.getclosurevars(function).nonlocals
        except ValueError:  # a variable of its that has no value yet
            continue
        found = held.get("previewer")
        if hasattr(found, "decode_latent_to_preview_image"):
            return found
        functions += held.values()
    return None


def least_steps(sampler: Any) -> int:
    """The fewest steps that the sampler makes a whole pass of: with fewer it leaves noise or does nothing."""
    return PASS_STEPS.get(function_of(sampler), 1)


def off_grid(sampler: Any) -> bool:
    """Whether the sampler picks its own sigmas between its grid's first and last positive one."""
    return function_of(sampler) == "dpm_fast"


def function_of(sampler: Any) -> str:
    """The name of a sampler's function: sample_euler's and the host's own euler_function's are euler."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    return name.removeprefix("sample_").removesuffix("_function")


def restart_hooks(guider: Any) -> None:
    """Let conditioning hooks with keyframes (scheduled LoRAs) begin anew, on all devices; the host only ever
    moves them forward."""
    found = [
        hook
        for group in guider.conds.values()
        for cond in group
        if cond.get("hooks") is not None
        for hook in cond["hooks"].hooks
    ]
    scheduled = [hook for hook in found if not hook.hook_keyframe.is_empty()]
    for hook in scheduled:
        hook.hook_keyframe.reset()
    if scheduled:
        guider.inner_model.current_patcher.clear_cached_hook_weights()
        for clone in guider.model_options.get("multigpu_clones", {}).values():
            clone.clear_cached_hook_weights()
