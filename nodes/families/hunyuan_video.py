"""HunyuanVideo, HunyuanVideo 1.5 and HunyuanImage 2.1: a convolution embeds the strip patch by patch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..mixing import MixedCall
from .joint import evaluate_joint, joins

NATIVE = False
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


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""

    def frame(text_ids: Tensor, raster: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return text_ids, raster[..., -text_ids.shape[-1] :]  # pictures have no frame axis

    return evaluate_joint(executor, args, kwargs, call, frame)
