"""Looks with fewer frames on the host: whose clips may be shortened, and what of a run follows.

A look with fewer frames shows the network a shorter clip of the same time. Networks that are told a frame
rate (LTX-Video) are told that of the short clip, and place its frames at their own times. All others number
latent frames: they see the short clip as they would see any of a lower frame rate, at places from 0 on
without gaps, as levels in space have theirs.

What a run gives the network for its frames follows where every frame of a group is given the same, as for
image to video, whose first frame is a group by itself. Else the look has all frames, and the plan says why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import Plan, plain_plan
from ...fresco_core.canvas.frames import expand_frames, merge_frames
from ...fresco_core.schedule.steps import FULL_STEP, Step
from ..families import kind_of
from ..families.family import MAP, MASKED, REFERENCE
from ..host.caches import patches_with_maps
from ..host.conds import conditions_of
from ..host.model import derives_from
from ..host.samplers import from_the_top

CLIPS = frozenset({"WAN21", "HunyuanVideo", "LTXV"})
"""Classes of the host's models whose latent frames are a clip's, the first standing for one picture.
Elsewhere they may be layers, or pictures of reference."""

RATES = ("frame_rate", "fps")
TIMELESS = frozenset(
    (
        *RATES,
        *("c_crossattn", "crossattn_controlnet", "attention_mask", "y", "guidance", "num_tokens", "clip_fea"),
        *("txt_byt5", "disable_time_r", "guiding_frame_index", "vace_strength", "ref_latents_method"),
        "reference_strength",
    )
)
"""Conditionings that say nothing of single frames; HunyuanVideo's guiding frame is the first."""
OF_SPACE = {"control": "ControlNets", "area": "areas", "gligen": "GLIGEN"}


def told_apart(halvings: int, sigma: float, sigma_max: float, latent: Tensor, mask: Tensor | None) -> bool:
    """Whether a run that starts at `sigma` from a latent (B, C, T, H, W), painted where the mask is, is given
    frames that a look of fewer would show as one: frames that show through the noise, or are kept."""
    if not halvings or latent.ndim != 5:
        return False
    if not from_the_top(sigma, sigma_max) and bool(latent.any()):
        return True
    if mask is None:
        return False
    mask = mask.to(latent)
    return not (still(mask, halvings) and still((1.0 - mask) * latent, halvings))


def still(x: Tensor, halvings: int) -> bool:
    """Whether all frames of each group of x (..., T, H, W) are the same, up to rounding."""
    means = expand_frames(merge_frames(x, halvings), halvings, x.shape[-3])
    return bool(torch.allclose(means, x, rtol=1e-4, atol=1e-6))


def with_followed_frames(
    plan: Plan,
    grid: list[float],
    model: Any,
    conds: dict[str, list[dict]],
    model_options: dict,
    streams: bool,
) -> Plan:
    """The plan of a run over `grid`, with all frames in every look where what it is given follows no fewer.

    streams: whether the run has others beside the video.
    """
    most = max((step.halvings for p in plan.passes for step in p.looks), default=0)
    reason = unfollowed(plan, most, model, conds, model_options, streams) if most else None
    if reason is None:
        return plan
    whole = replace(plan.with_steps(all_frames), note=f"every look has all frames of the latent: {reason}")
    full = all(step == FULL_STEP for p in whole.passes for step in p.looks)
    return plain_plan(plan.schedule, grid, plan.canvas, whole.note) if full else whole


def all_frames(step: Step) -> Step:
    """The step with no frame left out."""
    return replace(step, halvings=0)


def unfollowed(
    plan: Plan, halvings: int, model: Any, conds: dict[str, list[dict]], model_options: dict, streams: bool
) -> str | None:
    """Why a run's looks cannot have fewer frames; None where they can."""
    name = type(model).__name__
    if not derives_from(model, CLIPS):
        return f"nobody has told Fresco whether the frames of {name} are a clip's"
    if streams:
        return "the sound beside the video keeps to its frames"
    if model_options.get("context_handler") is not None:
        return "context windows cut the clip"
    given = [cond for group in conds.values() for cond in group]
    for key, words in OF_SPACE.items():
        if any(cond.get(key) is not None for cond in given):
            return f"{words} are bound to the full clip"
    if patches_with_maps(model_options.get("transformer_options", {})):
        return "a patch of the model is bound to the full clip"
    for argument, values in conditions_of(conds).items():
        if argument not in TIMELESS and not all(_follows(v, argument, plan, halvings, model) for v in values):
            return f"the conditioning '{argument}' is bound to the full clip"
    return None


def _follows(value: Any, argument: str, plan: Plan, halvings: int, model: Any) -> bool:
    """Whether a conditioning is a still picture, or a map of the canvas whose groups of frames are still."""
    if isinstance(value, (list, tuple)):
        return all(_follows(item, argument, plan, halvings, model) for item in value)
    kind = kind_of(model, argument)
    if not isinstance(value, Tensor) or kind not in (MAP, MASKED, REFERENCE):
        return value is None
    if value.ndim < 5 or value.shape[-3] == 1:
        return True
    return kind is not REFERENCE and value.shape[-3] == plan.canvas.frames and still(value, halvings)


def told_rate(conds: dict[str, Any], halvings: int) -> dict[str, Any]:
    """A network's arguments with the frame rate of the short clip, where it is told any."""
    rates = {name: conds[name] for name in RATES if halvings and conds.get(name) is not None}
    return {**conds, **{name: rate / (1 << halvings) for name, rate in rates.items()}}


def words_of(plan: Plan, conds: dict[str, list[dict]]) -> str:
    """What a plan with fewer frames says of how the network takes them."""
    if not any(step.halvings for p in plan.passes for step in p.looks):
        return ""
    found = conditions_of(conds)
    if any(value is not None for name in RATES for value in found.get(name, ())):
        return "\nfewer frames (quality not measured): the network is told the lower frame rate"
    return (
        "\nfewer frames (quality not measured): the network is told no frame rate, and sees a clip that is "
        "as much faster"
    )


def shortened(tensor: Tensor, frames: int, halvings: int) -> Tensor:
    """A conditioning's clip of the canvas's frames with fewer of them; what has others is left as it is."""
    if not halvings or tensor.ndim < 5 or tensor.shape[-3] != frames:
        return tensor
    return merge_frames(tensor, halvings)
