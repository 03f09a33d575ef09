"""MiniMax H3, which makes its sound in one sequence with the video."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .family import Family, kinds

SHIFT = "minimax_h3_sigma_shift_video"  # by which the network reads the sound's noise level off the video's


def video_clock(
    network: Any, args: tuple, kwargs: dict, times: Tensor, level: int
) -> tuple[tuple, dict]:
    """H3's clocks: both hang on the video's timestep, the second argument, through two shifts. The noise
    level of a coarse look is the same moment under 2^-level of the video's shift: the sound's stays."""
    x, timestep, context, options, *others = args
    shift = float(options.get(SHIFT, network.sigma_shift_video)) / (1 << level)
    return (x, timestep * times.to(timestep), context, {**options, SHIFT: shift}, *others), kwargs


MINIMAX_H3 = Family(
    "MiniMax H3",
    frozenset({"MiniMaxH3"}),
    trained=None,
    conditions=kinds(UNTOUCHED="minimax_payload", GRID="MiniMaxH3.denoise_mask"),
    clocks={"MiniMaxH3Model": video_clock},
)
