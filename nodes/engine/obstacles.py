"""What a run has that a coarse look, or a mixed one, could not take along."""

from __future__ import annotations

from typing import Any

from ...fresco_core import Plan
from ..families import kind_of
from ..families.family import GRID
from ..host.caches import on_full_grid, patches_with_maps, unrestartable
from ..host.conds import conditions_of, given_once
from .guides import unplaceable

MULTIPLE_OF_AUDIO = 8  # WanDancer attends from this many groups of a frame's tokens to the music
TEXT_AND_CHANNELS = {"c_crossattn", "crossattn_controlnet", "c_concat"}


def unmergeable(model: Any, plan: Plan, conds: dict[str, list[dict]], model_options: dict) -> str | None:
    """Why a run with this conditioning and these patches can have none of the plan's coarse levels, if so."""
    given = given_once(conds)
    bound = sorted(name for name in given if kind_of(model, name) is GRID)
    if (reason := unrestartable(model.diffusion_model, model_options)) is not None:
        return reason
    if (reason := on_full_grid(model_options.get("transformer_options", {}))) is not None:
        return reason
    if bound:
        return f"the conditioning '{bound[0]}' is bound to the full grid"
    if "c_concat" in given and (amount := max_noise(conds)) > 0.0:
        return f"the picture beside the latent holds noise of its own (noise_augmentation {amount:g})"
    levels = {level for planned in plan.passes for level in planned.levels if level}
    for level in sorted(levels):
        if (reason := unplaceable(given, plan.canvas, level)) is not None:
            return reason
    if "audio_embed" in given and hasattr(model.diffusion_model, "music_injector"):
        for level in sorted(levels):
            rows, columns = plan.canvas.blocks(level)
            if rows * columns % MULTIPLE_OF_AUDIO:
                return (
                    f"this model hears its music in groups of {MULTIPLE_OF_AUDIO} tokens a frame, and a look "
                    f"of {plan.canvas.size(level)} has {rows * columns}"
                )
    return None


def max_noise(conds: dict[str, list[dict]]) -> float:
    """How much noise the host mixes into a picture that the network sees beside the latent (super-resolution
    of HunyuanVideo 1.5 and of Stable Diffusion, HunyuanImage's refiner): a level would average it away."""
    given = (cond for group in conds.values() for cond in group)
    return max((float(cond.get("noise_augmentation") or 0.0) for cond in given), default=0.0)


def unmixable(conds: dict[str, list[dict]], model_options: dict, known: frozenset[str]) -> str | None:
    """What a run has that a mixed sequence cannot take along, if anything; `known` are the network's
    arguments that it can."""
    options = model_options.get("transformer_options", {})
    if model_options.get("context_handler") is not None:
        return "context windows see parts of the canvas"
    if "multigpu_clones" in model_options:
        return "several GPUs share each evaluation"
    if patches_with_maps(options):
        return "a patch of the model keeps a map of the whole grid"
    if hasattr(options.get("easycache"), "uuid_cache_diffs"):
        return "EasyCache answers in the network's place"
    for name, words in (("control", "ControlNets"), ("area", "areas"), ("gligen", "GLIGEN")):
        if any(cond.get(name) is not None for group in conds.values() for cond in group):
            return f"{words} are bound to the whole grid"
    foreign = sorted(conditions_of(conds).keys() - known - TEXT_AND_CHANNELS)
    return f"the conditioning '{foreign[0]}' is bound to the whole grid" if foreign else None
