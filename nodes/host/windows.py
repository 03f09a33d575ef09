"""The host's context windows: the frames of a long video that one call of the network sees.

A handler cuts the canvas, and what conditioning lies on it, in front of every call, and puts the predictions
together behind it: a look is inside. Frames may be kept in every window, a frame may be put before a window,
and guides (LTX-Video) behind it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

KEY = "context_handler"  # of model options
FRAMES = 2  # their place in a video (B, C, T, H, W)


def kept_frames(model_options: dict) -> list[int]:
    """Frames of the latent that every window has in their own places; hosts before 0.19 keep none."""
    return list(getattr(model_options.get(KEY), "latent_retain_index_list", None) or [])


def windowed(
    tensor: Tensor | None, like: Tensor, transformer_options: dict, kept: list[int] | None = None
) -> Tensor | None:
    """A tensor of the run's canvas (B, C, ..., H, W) cut to what `like` shows of it; None where that is not
    known.

    `like` may be the canvas, several of its batches, or the context window that the host says it is, with
    the frames that it keeps.
    """
    if tensor is None:
        return None
    window = transformer_options.get("context_window")
    seen = tensor if window is None else _cut(tensor, window, kept or [])
    found = (part for part in (seen, tensor) if part is not None)
    return next((part for part in found if _shows(part, like)), None)


def _shows(tensor: Tensor, like: Tensor) -> bool:
    return tensor.shape[2:] == like.shape[2:] and like.shape[0] % tensor.shape[0] == 0


def _cut(tensor: Tensor, window: Any, kept: list[int]) -> Tensor | None:
    """What a window has of a canvas, by the host's own cut; None for windows of another make."""
    dim, total = getattr(window, "dim", None), getattr(window, "total_frames", None)
    frames = getattr(window, "index_list", None)
    if dim is None or not frames or dim >= tensor.ndim or max(frames) >= tensor.shape[dim]:
        return None
    if not total or not hasattr(window, "get_tensor"):
        return tensor.index_select(dim, torch.tensor(frames, device=tensor.device))
    video = tensor.narrow(dim, 0, min(total, tensor.shape[dim]))
    part = window.get_tensor(video, tensor.device, **({"retain_index_list": kept} if kept else {}))
    guides = [total + index for index in getattr(window, "guide_frames_indices", ())]
    if not guides:
        return part
    return torch.cat((part, tensor.index_select(dim, torch.tensor(guides, device=tensor.device))), dim)


def windows_of(model_options: dict, frames: int) -> tuple[int, int]:
    """How many windows see a clip of so many frames, and how many frames one sees, as far as that can be told
    before the run: one of all, where there are no windows."""
    handler = model_options.get(KEY)
    length, overlap = (getattr(handler, name, None) for name in ("context_length", "context_overlap"))
    if getattr(handler, "dim", None) != FRAMES or not length or overlap is None or frames <= length:
        return 1, frames
    name = getattr(getattr(handler, "context_schedule", None), "name", None)
    shared = 0 if name == "batched" else min(overlap, length - 1)
    before = 1 if getattr(handler, "causal_window_fix", False) else 0
    return math.ceil((frames - shared) / (length - shared)), length + before


def not_along_frames(model_options: dict, shape: tuple[int, ...]) -> str | None:
    """Why windows cut a canvas of `shape` (B, C, ..., H, W) across its blocks; None where they cut frames or
    pictures of a batch, or there are none."""
    handler = model_options.get(KEY)
    dim, length = getattr(handler, "dim", None), getattr(handler, "context_length", None)
    if dim is None or length is None or not len(shape) - 2 <= dim < len(shape) or shape[dim] <= length:
        return None
    return f"context windows cut the {'rows' if dim == len(shape) - 2 else 'columns'} of the canvas"


def cuts_several_as_one(model_options: dict) -> bool:
    """Whether there are windows, of a host that does not know of several streams in one latent."""
    import comfy.context_windows

    return model_options.get(KEY) is not None and not hasattr(comfy.context_windows, "WindowingState")
