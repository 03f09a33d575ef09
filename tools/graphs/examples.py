"""The graphs: what people run, with Fresco Apply in front of the sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import demos
from .builder import Graph
from .few_steps import flux2_klein, krea2_turbo, qwen_edit_two_references, z_image_turbo
from .flux1 import flux_depth_lora, flux_lora_controlnet, image_to_image, inpainting
from .videos import ltx2_with_audio, wan22_two_experts

EXAMPLES: Mapping[str, Callable[[Graph], None]] = {
    "fresco_demo": demos.demo,
    "fresco_compare": demos.compare,
    "fresco_z_image_turbo": z_image_turbo,
    "fresco_krea2_turbo": krea2_turbo,
    "fresco_flux2_klein": flux2_klein,
    "fresco_wan22_two_experts": wan22_two_experts,
    "fresco_ltx2_with_audio": ltx2_with_audio,
    "fresco_qwen_edit_two_references": qwen_edit_two_references,
    "fresco_flux_depth_lora": flux_depth_lora,
    "fresco_flux_lora_controlnet": flux_lora_controlnet,
    "fresco_image_to_image": image_to_image,
    "fresco_inpainting": inpainting,
}


def build(name: str, info: Mapping[str, Any]) -> Graph:
    """The graph of that name."""
    graph = Graph(name, info)
    EXAMPLES[name](graph)
    return graph
