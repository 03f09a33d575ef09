"""Models on and off the device in the middle of a run, by the host's own means."""

from __future__ import annotations

from typing import Any


def load(patcher: Any, guider: Any, shape: tuple[int, ...]) -> None:
    """Bring a patcher to its device for latents of `shape` (B, C, ..., H, W), with the run's ControlNets; the
    host moves off what has no room beside it."""
    models = [patcher, *patcher.get_nested_additional_models(), *getattr(guider, "loaded_models", ())]
    _load(models, guider.conds, shape)


def reload(guider: Any, shape: tuple[int, ...]) -> None:
    """Bring back what the host has moved off the device for the VAE: the run's models and ControlNets.

    The host's guider of two models keeps the negative prompt's by itself, where that one is used.
    """
    models = [guider.model_patcher, *getattr(guider, "loaded_models", ())]
    if getattr(guider, "uncond_inner", None) is not None:
        models += [guider.uncond_model_patcher, *getattr(guider, "uncond_loaded", ())]
    _load(models, guider.conds, shape)


def _load(models: list[Any], conds: dict[str, list[dict]], shape: tuple[int, ...]) -> None:
    """Load models, with room for what the first of them and the conditioning's ControlNets need to work."""
    from comfy.model_management import load_models_gpu
    from comfy.sampler_helpers import estimate_memory, get_additional_models

    required, least = estimate_memory(models[0], shape, conds)
    others = get_additional_models(conds, models[0].model_dtype())[1]
    load_models_gpu(models, memory_required=required + others, minimum_memory_required=least + others)
