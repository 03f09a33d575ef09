"""Stable Diffusion 1 and 2, XL, and what else the host runs through its U-Net."""

from __future__ import annotations

from ...fresco_core.cost import U_NET_PIXELS
from .family import Family, kinds

SDXL = Family("SDXL", frozenset({"SDXL", "SDXLRefiner"}), U_NET_PIXELS)
STABLE_DIFFUSION = Family(
    "Stable Diffusion",
    frozenset({"UNetModel"}),
    U_NET_PIXELS,
    conditions=kinds(UNTOUCHED="time_context num_video_frames"),  # of Stable Video Diffusion
)
