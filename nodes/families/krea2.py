"""Krea 2: one stream of text and image with FLUX's positions.

Its blocks know two clocks, divided at one place of the stream. Reference pictures have that of fine tokens;
methods that give them timestep zero leave none for coarse tokens.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import compat
from ..mixing import Conditions, MixedCall
from .clocks import TwoClocks, indexed, tokenwise
from .joint import evaluate_joint, joins, one_of_two_clocks, reference_grids

CONDITIONS = frozenset({"ref_latents", "ref_latents_method"})
FORWARD = "x timesteps context attention_mask ref_latents"


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
    network, given = executor.class_obj, compat.bound(FORWARD, args, kwargs)
    used = given.get("ref_latents_method", network.default_ref_method) is not None
    grids = reference_grids(given["ref_latents"] if used else (), compat.patch_of(network))
    coarse = call.layout.coarse.shape[1]
    replaced = {
        "blocks": [indexed(block, coarse) for block in network.blocks],
        "last": tokenwise(network.last, coarse),
    }
    two_clocks = TwoClocks(replaced, ends=("first", "last"))
    attention = network.blocks[0].attn
    shared = attention.heads // attention.kvheads
    return evaluate_joint(executor, args, kwargs, call, two_clocks, references=grids, shared=shared)
