"""Chroma: FLUX's sequence and positions, made inside its forward."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..mixing import MixedCall
from .joint import evaluate_joint, joins

NATIVE = False
CONDITIONS = frozenset({"guidance"})


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "forward_orig", "img", "img_ids", "txt", "txt_ids"):
        return "the host's Chroma makes its positions in another way than this version of Fresco knows"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    return evaluate_joint(executor, args, kwargs, call)
