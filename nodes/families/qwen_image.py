"""Qwen-Image and its edit models: positions count from the picture's centre, the text's from beyond its
longer half."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import compat
from ..mixing import MixedCall
from .joint import evaluate_joint, joins, reference_grids

NATIVE = False
CONDITIONS = frozenset({"ref_latents", "ref_latents_method"})
FORWARD = "x timestep context attention_mask ref_latents"


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "_forward", "x", "context", "ref_latents"):
        return "the host's Qwen-Image forward takes other arguments than this version of Fresco knows"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""

    def frame(text_ids: Tensor, raster: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        half = raster.new_tensor((0, grid[0] // 2, grid[1] // 2))
        return text_ids - text_ids[:, :1] + max(grid) // 2, raster - half

    references = compat.bound(FORWARD, args, kwargs)["ref_latents"]
    grids = reference_grids(references, compat.patch_of(executor.class_obj))
    return evaluate_joint(executor, args, kwargs, call, frame, grids)
