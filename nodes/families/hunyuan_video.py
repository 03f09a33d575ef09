"""HunyuanVideo, HunyuanVideo 1.5 and HunyuanImage 2.1: a convolution embeds the strip patch by patch.

Blocks modulate ranges of tokens, as for image to video. Mean-flow models are told one step's end for all
tokens beside their timestep, and have one clock.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ..mixed.call import Conditions, MixedCall
from ..mixed.clocks import FIRST, TwoClocks, half, ranged_blocks, takes_ranges, tokenwise, twice
from ..mixed.joint import evaluate_joint, joins
from .family import Family, MixedAdapter, kinds


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    params, patch = network.params, math.prod(network.patch_size)
    return families.hunyuan_video(
        "hunyuan-video",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        patch_inputs=patch * params.in_channels,
        patch_outputs=patch * params.out_channels,
        context=params.context_in_dim,
        pooled=params.vec_in_dim,
        guidance=params.guidance_embed,
        mean_flow=params.meanflow,
        vision=params.vision_in_dim,
    )


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "forward_orig", "img", "img_ids", "txt", "txt_ids"):
        return "the host's HunyuanVideo makes its positions in another way than this version of Fresco knows"
    if any(getattr(block, "flipped_img_txt", False) for block in network.double_blocks):
        return "this host's HunyuanVideo has its text behind the image"
    if len(network.patch_size) == 3 and network.patch_size[0] != 1:
        return "this HunyuanVideo model has tokens of several frames"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    if network.time_r_in is not None:
        return "mean-flow models are told the end of the step for all tokens together"
    if not takes_ranges(network):
        return "the host's HunyuanVideo blocks do not modulate ranges of tokens"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""

    def frame(text: Tensor, raster: Tensor, grid: tuple[int, int], others: Tensor) -> tuple[Tensor, ...]:
        return text, raster[..., -text.shape[-1] :], others  # pictures have no frame axis

    network, coarse = executor.class_obj, call.layout.coarse.shape[1]

    def text(tokens: Tensor, timesteps: Tensor, *others: Any, **options: Any) -> Tensor:
        return network.txt_in(tokens, half(timesteps, FIRST), *others, **options)

    replaced = {
        "txt_in": text,
        "vector_in": twice(network.vector_in),
        "guidance_in": twice(network.guidance_in),
        **ranged_blocks(network, coarse),
        "final_layer": tokenwise(network.final_layer, coarse),
    }
    return evaluate_joint(executor, args, kwargs, call, TwoClocks(replaced), frame)


ADAPTER = MixedAdapter(
    "comfy.ldm.hunyuan_video.model.HunyuanVideo",
    frozenset({"y", "guidance", "txt_byt5", "clip_fea", "disable_time_r"}),
    misfit,
    one_clock,
    evaluate,
)

HUNYUAN_VIDEO = Family(
    "HunyuanVideo",
    frozenset({"HunyuanVideo"}),
    pixels={"HunyuanVideo15": 16},
    readers={"HunyuanVideo": cost},
    conditions=kinds(
        UNTOUCHED="guiding_frame_index txt_byt5 disable_time_r",
        REFERENCE="ref_latent",
    ),
    mixed=ADAPTER,
)
HUNYUAN_IMAGE = replace(
    HUNYUAN_VIDEO,
    name="HunyuanImage",
    classes=frozenset({"HunyuanImage21"}),
    pixels={"HunyuanImage21": 32},
)
