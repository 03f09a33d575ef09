"""Krea 2: one stream of text and image with FLUX's positions.

Its blocks know two clocks, divided at one place of the stream. Reference pictures come behind the coarse
tokens and are with the fine ones or have a third clock, so that edits with them share one.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import compat
from ..mixing import MixedCall
from .clocks import indexed, takes_index, tokenwise
from .joint import evaluate_joint, joins, reference_grids

CONDITIONS = frozenset({"ref_latents", "ref_latents_method"})
FORWARD = "x timesteps context attention_mask ref_latents"


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "_forward", *FORWARD.split()):
        return "the host's Krea 2 forward takes other arguments than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: set[str]) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    if "ref_latents" in conditions:
        return "Krea 2's blocks have no third range of tokens for reference pictures"
    if not takes_index(network.blocks):
        return "the host's Krea 2 blocks do not modulate two ranges of tokens"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    network, given = executor.class_obj, compat.bound(FORWARD, args, kwargs)
    used = given.get("ref_latents_method", network.default_ref_method) is not None
    grids = reference_grids(given["ref_latents"] if used else (), compat.patch_of(network))
    coarse = call.layout.coarse.shape[1]
    two_clocks = {
        "blocks": [indexed(block, coarse) for block in network.blocks],
        "last": tokenwise(network.last, coarse),
    }
    return evaluate_joint(executor, args, kwargs, call, references=grids, two_clocks=two_clocks)
