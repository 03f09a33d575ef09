"""Stable Diffusion 3 and 3.5."""

from __future__ import annotations

from typing import Any

from ...fresco_core.cost import Architecture, families
from .family import Family


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    patch, blocks = network.patch_size**2, network.joint_blocks
    width = network.hidden_size
    return families.sd3(
        "sd3",
        width=width,
        layers=len(blocks),
        dual_layers=sum(bool(block.x_block.x_block_self_attn) for block in blocks),
        mlp_ratio=blocks[0].x_block.mlp.fc1.out_features / width,
        patch_inputs=patch * network.in_channels,
        patch_outputs=patch * network.out_channels,
        context=getattr(network.context_embedder, "in_features", width),
        pooled=None if network.y_embedder is None else network.y_embedder.mlp[0].in_features,
    )


SD3 = Family(
    "SD3",
    frozenset({"SD3", "OpenAISignatureMMDITWrapper"}),
    readers={"OpenAISignatureMMDITWrapper": cost},
)
