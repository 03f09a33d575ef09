"""LTX-Video, and what packs audio with its video."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .family import Family, kinds


def video_clock(
    network: Any, args: tuple, kwargs: dict, times: Tensor, level: int
) -> tuple[tuple, dict]:
    """LTX-2's clocks: the video's timestep, (B,) or of each token (B, N, 1), is the network's second
    argument, and the audio's the keyword `a_timestep`."""
    x, timestep, *others = args
    own: Any = timestep * times.reshape(-1, *(1,) * (timestep.ndim - 1)).to(timestep)
    return (x, own, *others), kwargs


LTXV = Family(
    "LTX-Video",
    trained=None,
    pixels={"LTXV": 32, "LTXAV": 32},
    conditions=kinds(
        UNTOUCHED="frame_rate audio_denoise_mask ref_audio latent_shapes",
        GRID="generated_keyframes",
        REBUILT="keyframe_idxs guide_attention_entries",
    ),
    clocks={"LTXAVModel": video_clock},
)
