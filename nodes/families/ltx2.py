"""LTX-2, which makes sound with its video."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...fresco_core.cost import LTX_2_PIXELS, Architecture, sound_families
from .family import Family, kinds
from .ltxv import text_of


def video_clock(network: Any, args: tuple, kwargs: dict, times: Tensor, level: float) -> tuple[tuple, dict]:
    """The video's timestep, (B,) or of each token (B, N, 1), is the network's second argument, and the
    audio's the keyword `a_timestep`."""
    x, timestep, *others = args
    own: Any = timestep * times.reshape(-1, *(1,) * (timestep.ndim - 1)).to(timestep)
    return (x, own, *others), kwargs


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    sizes = {"width": network.inner_dim, "sound_width": network.audio_inner_dim, "layers": network.num_layers}
    ports = {"channels": network.in_channels, "sound_channels": network.audio_in_channels}
    heads = network.num_attention_heads, network.audio_num_attention_heads
    gates = heads if getattr(network, "apply_gated_attention", False) else (0, 0)
    return sound_families.ltx_2("ltx-2", **sizes, **ports, gates=gates, **text_of(network))


LTX_2 = Family(
    "LTX-2",
    frozenset({"LTXAV", "LTXAVModel"}),
    LTX_2_PIXELS,
    pixels={"LTXAV": 32},
    readers={"LTXAVModel": cost},
    conditions=kinds(UNTOUCHED="audio_denoise_mask ref_audio latent_shapes"),
    clocks={"LTXAVModel": video_clock},
)
