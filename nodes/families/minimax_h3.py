"""MiniMax H3, which makes its sound in one sequence with the video."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...fresco_core.cost import MINIMAX_H3_PIXELS, Architecture, sound_families
from .family import Family, kinds

SHIFT = "minimax_h3_sigma_shift_video"  # by which the network reads the sound's noise level off the video's


def video_clock(network: Any, args: tuple, kwargs: dict, times: Tensor, level: float) -> tuple[tuple, dict]:
    """Both clocks hang on the video's timestep, the second argument, through two shifts. The noise level of
    a coarse look is the same moment under 2^-level of the video's shift: the sound's stays."""
    x, timestep, context, options, *others = args
    shift = float(options.get(SHIFT, network.sigma_shift_video)) / 2.0**level
    return (x, timestep * times.to(timestep), context, {**options, SHIFT: shift}, *others), kwargs


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    block, layers, patch = network.blocks[0], len(network.blocks), network.video_patch_proj.in_features
    sizes = {"width": network.hidden_size, "heads_width": block.attn.heads * block.attn.head_dim}
    sizes |= {"mlp": block.mlp.fc2.in_features, "time_width": block.adaln_proj.linear.in_features}
    ports = {"patch": patch, "sound_channels": network.audio_latents_dim}
    return sound_families.minimax_h3("minimax-h3", layers=layers, **sizes, **ports)


MINIMAX_H3 = Family(
    "MiniMax H3",
    frozenset({"MiniMaxH3", "MiniMaxH3Model"}),
    MINIMAX_H3_PIXELS,
    readers={"MiniMaxH3Model": cost},
    conditions=kinds(UNTOUCHED="minimax_payload"),
    clocks={"MiniMaxH3Model": video_clock},
)
