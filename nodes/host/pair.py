"""Two patchers that sample one run: what is each one's own, and what both have from the nodes behind."""

from __future__ import annotations

import uuid
from typing import Any

OUTER = ("outer_sample", "prepare_sampling", "sampler_sample", "predict_noise")
"""Kinds of wrappers that act on a whole run, whichever of two models is evaluated."""
OUTSIDE = ("denoise_mask_function",)
"""Model options that the host reads outside a model's evaluation."""


def merged(own: dict, behind: dict) -> dict:
    """`own` with `behind` laid over it, in new dicts and lists. Functions in lists act one after the other,
    the own ones first; of single values those behind hold."""
    out: dict = {}
    for name in own | behind:
        values = [options[name] for options in (own, behind) if name in options]
        last = values[-1]
        if isinstance(last, dict):
            first = values[0] if isinstance(values[0], dict) and len(values) > 1 else {}
            out[name] = merged(first, last)
        elif isinstance(last, list):
            out[name] = [item for value in values if isinstance(value, list) for item in value]
        else:
            out[name] = last
    return out


def own_options(patcher: Any) -> dict:
    """The model options that a run of `patcher` alone begins with: its wrappers and callbacks are in them."""
    functions = {"wrappers": patcher.wrappers, "callbacks": patcher.callbacks}
    return merged(patcher.model_options, {"transformer_options": functions, "to_load_options": functions})


def acts_on_runs(patcher: Any) -> str | None:
    """What of a patcher acts on a whole run, by its name; None if nothing does."""
    options = own_options(patcher)
    wrappers = options["transformer_options"].get("wrappers", {})
    for kind in OUTER:
        for key, functions in wrappers.get(kind, {}).items():
            if functions:
                return str(key if key is not None else getattr(functions[0], "__name__", kind))
    return next((name for name in OUTSIDE if name in options), None)


def bare_clone(patcher: Any) -> Any:
    """A clone of `patcher` with its weights and their patches, and nothing that acts in an evaluation."""
    clone = patcher.clone()
    clone.model_options = {"transformer_options": {}}
    clone.wrappers = {}
    return clone


def bound_to_network(joined: Any, source: Any) -> str | None:
    """What nodes have put on `joined`, a `bare_clone` of `source`, that belongs to source's own network."""
    compiled = joined.wrappers.get("apply_model", {}).get("torch.compile")
    changed = (n for n, value in joined.object_patches.items() if source.object_patches.get(n) is not value)
    names = [n for n in changed if n.split(".")[0] == "diffusion_model"]
    before = source.injections  # into modules, as Load LoRA (Bypass) has them
    names += [n for n, now in joined.injections.items() if any(i not in before.get(n, ()) for i in now)]
    names += ["load_device"] if joined.load_device != source.load_device else []
    return "torch.compile" if compiled else names[0] if names else None


def carried(joined: Any, source: Any, other: Any) -> Any:
    """A clone of `other` with the patches that nodes have put on `joined`, a `bare_clone` of `source`."""
    if is_dynamic(other) and not is_dynamic(joined):  # the host leaves it where conditioning has hooks
        other = other.get_non_dynamic_delegate()
    clone = other.clone()
    for key, patches in joined.patches.items():
        more = patches[len(source.patches.get(key, ())) :]
        if more:
            clone.patches[key] = [*clone.patches.get(key, ()), *more]
    for place in ("object_patches", "weight_wrapper_patches"):
        before, now, into = (getattr(patcher, place) for patcher in (source, joined, clone))
        into.update({name: value for name, value in now.items() if value is not before.get(name)})
    dtypes = [patcher.object_patches.get("manual_cast_dtype") for patcher in (source, joined)]
    if dtypes[0] is not dtypes[1]:  # a dtype to compute in, which the host's node sets with a flag
        clone.force_cast_weights = joined.force_cast_weights
    before, now = source.additional_models, joined.additional_models  # whose lists every clone copies
    more = {name: value for name, value in now.items() if name not in before and name != "multigpu"}
    clone.additional_models.update(more)
    for kind, functions in joined.callbacks.items():
        of_source = source.callbacks.get(kind, {})
        more = {k: [f for f in found if f not in of_source.get(k, ())] for k, found in functions.items()}
        clone.callbacks[kind] = merged(clone.callbacks.get(kind, {}), {k: v for k, v in more.items() if v})
    if joined.patches_uuid != source.patches_uuid:  # the same in every run: the host then keeps the weights
        clone.patches_uuid = uuid.uuid5(other.patches_uuid, str(joined.patches_uuid))
    return clone


def is_dynamic(patcher: Any) -> bool:
    """Whether the host moves the patcher's weights to the device as they are used."""
    return bool(getattr(patcher, "is_dynamic", lambda: False)())


def prepare(patcher: Any, guider: Any) -> None:
    """Register a run's conditioning hooks on a patcher beside the guider's own."""
    import comfy.model_patcher
    from comfy.sampler_helpers import prepare_model_patcher

    patcher.hook_mode = guider.model_patcher.hook_mode
    options = comfy.model_patcher.create_model_options_clone(patcher.model_options)
    prepare_model_patcher(patcher, guider.conds, options)


def place_options(options: dict, device: Any, dtype: Any = None) -> None:
    """Bring what model options hold for the device to it."""
    from comfy.samplers import cast_to_load_options

    cast_to_load_options(options, device=device, dtype=dtype)


def release(patcher: Any) -> None:
    """After a run: nothing of it stays on the patcher or its model."""
    try:
        patcher.cleanup()
    finally:
        patcher.restore_hook_patches()
