"""HunyuanVideo, HunyuanVideo 1.5 and HunyuanImage 2.1: a convolution embeds the strip patch by patch.

Blocks modulate ranges of tokens, as for image to video. Mean-flow models are told one step's end for all
tokens beside their timestep, and have one clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..mixing import Conditions, MixedCall
from .clocks import FIRST, TwoClocks, half, ranged_blocks, takes_ranges, tokenwise
from .joint import evaluate_joint, joins

CONDITIONS = frozenset({"y", "guidance", "txt_byt5", "clip_fea", "disable_time_r"})


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not joins(network, "forward_orig", "img", "img_ids", "txt", "txt_ids"):
        return "the host's HunyuanVideo makes its positions in another way than this version of Fresco knows"
    if any(getattr(block, "flipped_img_txt", False) for block in network.double_blocks):
        return "this host's HunyuanVideo has its text behind the image"
    if len(network.patch_size) == 3 and network.patch_size[0] != 1:
        return "this HunyuanVideo model has tokens of several frames"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    if network.time_r_in is not None:
        return "mean-flow models are told the end of the step for all tokens together"
    if not takes_ranges(network):
        return "the host's HunyuanVideo blocks do not modulate ranges of tokens"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""

    def frame(text_ids: Tensor, raster: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return text_ids, raster[..., -text_ids.shape[-1] :]  # pictures have no frame axis

    network, coarse = executor.class_obj, call.layout.coarse.shape[1]

    def text(tokens: Tensor, timesteps: Tensor, *others: Any, **options: Any) -> Tensor:
        return network.txt_in(tokens, half(timesteps, FIRST), *others, **options)

    replaced = {
        "txt_in": text,
        "vector_in": twice(network.vector_in),
        "guidance_in": twice(network.guidance_in),
        **ranged_blocks(network, coarse),
        "final_layer": tokenwise(network.final_layer, coarse),
    }
    return evaluate_joint(executor, args, kwargs, call, TwoClocks(replaced), frame)


def twice(embedder: Callable[[Tensor], Tensor] | None) -> Callable[[Tensor], Tensor] | None:
    """An embedder of what both clocks have in common: its output (B, D) as that of a batch of twice the
    size."""
    return None if embedder is None else lambda x: embedder(x).repeat(2, 1)
