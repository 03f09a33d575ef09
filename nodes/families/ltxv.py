"""LTX-Video."""

from __future__ import annotations

from typing import Any

from ...fresco_core.cost import LTX_VIDEO_PIXELS, Architecture, sound_families
from .family import Family, kinds


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    return sound_families.ltx_video(
        "ltx-video",
        width=network.inner_dim,
        layers=network.num_layers,
        channels=network.in_channels,
        **text_of(network),
    )


def text_of(network: Any) -> dict[str, Any]:
    """How a network of the LTX kind takes its text; oldest hosts know one way only."""
    before = getattr(network, "caption_proj_before_connector", False)
    modulated = getattr(network, "cross_attention_adaln", False)
    modulations = sound_families.PROMPT_MODULATIONS if modulated else sound_families.MODULATIONS
    return {"caption": None if before else network.caption_channels, "modulations": modulations}


LTXV = Family(
    "LTX-Video",
    frozenset({"LTXV", "LTXVModel"}),
    LTX_VIDEO_PIXELS,
    pixels={"LTXV": 32},
    readers={"LTXVModel": cost},
    conditions=kinds(
        UNTOUCHED="frame_rate", REBUILT="keyframe_idxs guide_attention_entries generated_keyframes"
    ),
)
