"""Models on and off the device in the middle of a run, by the host's own means."""

from __future__ import annotations

from typing import Any


def load(patcher: Any, guider: Any, shape: tuple[int, ...]) -> None:
    """Bring a patcher to its device for latents of `shape` (B, C, ..., H, W), with the run's ControlNets; the
    host moves off what has no room beside it."""
    from comfy.model_management import load_models_gpu
    from comfy.sampler_helpers import estimate_memory

    required, least = estimate_memory(patcher, shape, guider.conds)
    others = additional_memory(patcher, guider.conds)
    required, least = required + others, least + others
    models = [patcher, *patcher.get_nested_additional_models(), *getattr(guider, "loaded_models", ())]
    load_models_gpu(models, memory_required=required, minimum_memory_required=least)


def reload(guider: Any, shape: tuple[int, ...]) -> None:
    """Bring back what the host has moved off the device for the VAE: the run's models and ControlNets.

    The host's guider of two models keeps the negative prompt's by itself, where that one is used.
    """
    from comfy.model_management import load_models_gpu
    from comfy.sampler_helpers import estimate_memory

    required, least = estimate_memory(guider.model_patcher, shape, guider.conds)
    others = additional_memory(guider.model_patcher, guider.conds)
    required, least = required + others, least + others
    models = [guider.model_patcher, *getattr(guider, "loaded_models", ())]
    if getattr(guider, "uncond_inner", None) is not None:
        models += [guider.uncond_model_patcher, *getattr(guider, "uncond_loaded", ())]
    load_models_gpu(models, memory_required=required, minimum_memory_required=least)


def additional_memory(patcher: Any, conds: dict[str, list[dict]]) -> float:
    """Bytes that what hangs on a run's conditioning (ControlNets) needs to work, as the host adds them."""
    from comfy.sampler_helpers import get_additional_models

    return get_additional_models(conds, patcher.model_dtype())[1]
