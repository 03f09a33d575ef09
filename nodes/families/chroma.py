"""Chroma: FLUX's sequence, positions and blocks, made inside its forward.

One layer makes the modulations of all blocks for one timestep, from an input made inside the forward. Those
of a second clock come from a forward of one token and one word through no blocks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ..host.executors import bound
from ..mixed.call import Conditions, MixedCall
from ..mixed.clocks import TwoClocks, ranged_blocks, takes_ranges, tokenwise
from ..mixed.joint import evaluate_joint, joins
from ..mixed.strip import View
from .family import Family, MixedAdapter

FORWARD = "x timestep context guidance"


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    params = network.params
    return families.chroma(
        "chroma",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        patch_inputs=network.in_channels,
        patch_outputs=network.out_channels,
        context=params.context_in_dim,
        approximator=(params.in_dim, params.hidden_dim, params.out_dim, params.n_layers),
    )


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "forward_orig", "img", "img_ids", "txt", "txt_ids"):
        return "the host's Chroma makes its positions in another way than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    return None if takes_ranges(network) else "the host's Chroma blocks do not modulate ranges of tokens"


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    network, coarse = executor.class_obj, call.layout.coarse.shape[1]
    given = bound(FORWARD, args, kwargs)

    def modulations(index: Tensor) -> Tensor:
        second = modulations_at(network, call.timestep, given["x"], given["context"], given["guidance"])
        return torch.cat((network.distilled_guidance_layer(index), second))

    replaced = {
        "distilled_guidance_layer": modulations,
        **ranged_blocks(network, coarse),
        "final_layer": tokenwise(network.final_layer, coarse),
    }
    return evaluate_joint(executor, args, kwargs, call, TwoClocks(replaced, both=False))


def modulations_at(network: Any, timestep: Tensor, x: Tensor, context: Tensor, guidance: Tensor) -> Tensor:
    """The modulations (B, N, D) that the host's forward makes for `timestep` (B,)."""
    found = []

    def caught(index: Tensor) -> Tensor:
        found.append(network.distilled_guidance_layer(index))
        return found[0]

    bare = View(network, distilled_guidance_layer=caught, double_blocks=(), single_blocks=())
    patch = network.patch_size
    bare._forward(x[..., :patch, :patch], timestep, context[:, :1], guidance, transformer_options={})
    return found[0]


ADAPTER = MixedAdapter(
    "comfy.ldm.chroma.model.Chroma",
    frozenset({"guidance"}),
    misfit,
    one_clock,
    evaluate,
)

CHROMA = Family(
    "Chroma",
    frozenset({"Chroma"}),
    pixels={"ChromaRadiance": 1},
    readers={"Chroma": cost},
    mixed=ADAPTER,
)
