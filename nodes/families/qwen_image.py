"""Qwen-Image and its edit models: positions count from the picture's centre, the text's from beyond its
longer half.

Its blocks know two clocks, divided at one place of the image's tokens. Reference pictures have that of fine
tokens; methods that give them timestep zero leave none for coarse tokens.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ..host.executors import bound
from ..host.model import patch_of
from ..mixed.call import Conditions, MixedCall
from ..mixed.clocks import TwoClocks, indexed, tokenwise
from ..mixed.joint import evaluate_joint, joins, one_of_two_clocks, reference_grids
from .family import Family, MixedAdapter

FORWARD = "x timestep context attention_mask ref_latents"


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    return families.qwen_image(
        "qwen-image",
        width=network.inner_dim,
        layers=len(network.transformer_blocks),
        patch_inputs=network.in_channels,
        patch_outputs=network.patch_size**2 * network.out_channels,
        context=network.txt_in.in_features,
    )


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "_forward", "x", "context", "ref_latents"):
        return "the host's Qwen-Image forward takes other arguments than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    return one_of_two_clocks("Qwen-Image", network, network.transformer_blocks, conditions)


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""

    def frame(text: Tensor, raster: Tensor, grid: tuple[int, int], others: Tensor) -> tuple[Tensor, ...]:
        half = raster.new_tensor((0, grid[0] // 2, grid[1] // 2))
        return text - text[:, :1] + max(grid) // 2, raster - half, others

    network, coarse = executor.class_obj, call.layout.coarse.shape[1]
    references = bound(FORWARD, args, kwargs)["ref_latents"]
    replaced = {
        "transformer_blocks": [indexed(block, coarse) for block in network.transformer_blocks],
        "norm_out": tokenwise(network.norm_out, coarse),
    }
    grids = reference_grids(references, patch_of(network))
    two_clocks = TwoClocks(replaced, ends=("img_in", "norm_out"))
    return evaluate_joint(executor, args, kwargs, call, two_clocks, frame, grids)


ADAPTER = MixedAdapter(
    "comfy.ldm.qwen_image.model.QwenImageTransformer2DModel",
    frozenset({"ref_latents", "ref_latents_method"}),
    misfit,
    one_clock,
    evaluate,
)

QWEN_IMAGE = Family(
    "Qwen-Image",
    frozenset({"QwenImage", "QwenImageTransformer2DModel"}),
    readers={"QwenImageTransformer2DModel": cost},
    mixed=ADAPTER,
)
