"""Qwen-Image and its edit models: positions count from the picture's centre, the text's from beyond its
longer half.

Its blocks know two clocks, divided at one place of the image's tokens. Reference pictures have that of fine
tokens; methods that give them timestep zero leave none for coarse tokens.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .. import compat
from ..mixing import Conditions, MixedCall
from .clocks import TwoClocks, indexed, tokenwise
from .joint import evaluate_joint, joins, one_of_two_clocks, reference_grids

CONDITIONS = frozenset({"ref_latents", "ref_latents_method"})
FORWARD = "x timestep context attention_mask ref_latents"


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

    def frame(text_ids: Tensor, raster: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        half = raster.new_tensor((0, grid[0] // 2, grid[1] // 2))
        return text_ids - text_ids[:, :1] + max(grid) // 2, raster - half

    network, coarse = executor.class_obj, call.layout.coarse.shape[1]
    references = compat.bound(FORWARD, args, kwargs)["ref_latents"]
    replaced = {
        "transformer_blocks": [indexed(block, coarse) for block in network.transformer_blocks],
        "norm_out": tokenwise(network.norm_out, coarse),
    }
    grids = reference_grids(references, compat.patch_of(network))
    two_clocks = TwoClocks(replaced, ends=("img_in", "norm_out"))
    return evaluate_joint(executor, args, kwargs, call, two_clocks, frame, grids)
