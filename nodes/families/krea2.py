"""Krea 2: one stream of text and image with FLUX's positions.

Its blocks know two clocks, divided at one place of the stream. Reference pictures have that of fine tokens;
methods that give them timestep zero leave none for coarse tokens.
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

FORWARD = "x timesteps context attention_mask ref_latents"


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    block, fusion = network.blocks[0], network.txtfusion.layerwise_blocks[0]
    patch = network.patch**2 * network.channels
    return families.krea2(
        "krea-2",
        width=block.mlp.gate.in_features,
        mlp=block.mlp.gate.out_features,
        layers=len(network.blocks),
        key_width=block.attn.kvheads * block.attn.headdim,
        text_width=network.txtdim,
        text_key_width=fusion.attn.kvheads * fusion.attn.headdim,
        text_mlp=fusion.mlp.gate.out_features,
        text_layers=network.txtlayers,
        time_features=network.tdim,
        patch_inputs=patch,
        patch_outputs=patch,
    )


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "_forward", *FORWARD.split()):
        return "the host's Krea 2 forward takes other arguments than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    return one_of_two_clocks("Krea 2", network, network.blocks, conditions)


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    network, given = executor.class_obj, bound(FORWARD, args, kwargs)
    used = given.get("ref_latents_method", network.default_ref_method) is not None
    grids = reference_grids(given["ref_latents"] if used else (), patch_of(network))
    coarse = call.layout.coarse.shape[1]
    replaced = {
        "blocks": [indexed(block, coarse) for block in network.blocks],
        "last": tokenwise(network.last, coarse),
    }
    two_clocks = TwoClocks(replaced, ends=("first", "last"))
    return evaluate_joint(executor, args, kwargs, call, two_clocks, references=grids)


ADAPTER = MixedAdapter(
    "comfy.ldm.krea2.model.SingleStreamDiT",
    frozenset({"ref_latents", "ref_latents_method"}),
    misfit,
    one_clock,
    evaluate,
)

KREA2 = Family(
    "Krea 2",
    frozenset({"Krea2", "SingleStreamDiT"}),
    readers={"SingleStreamDiT": cost},
    mixed=ADAPTER,
)
