"""Krea 2: one stream of text and image with FLUX's positions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import compat
from ..mixing import MixedCall
from .joint import evaluate_joint, joins, reference_grids

NATIVE = False
CONDITIONS = frozenset({"ref_latents", "ref_latents_method"})
FORWARD = "x timesteps context attention_mask ref_latents"


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "_forward", *FORWARD.split()):
        return "the host's Krea 2 forward takes other arguments than this version of Fresco knows"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    network, given = executor.class_obj, compat.bound(FORWARD, args, kwargs)
    used = given.get("ref_latents_method", network.default_ref_method) is not None
    grids = reference_grids(given["ref_latents"] if used else (), compat.patch_of(network))
    attention = network.blocks[0].attn
    shared = attention.heads // attention.kvheads
    return evaluate_joint(executor, args, kwargs, call, references=grids, shared=shared)
