"""Halvings in time: a video's clip with fewer frames.

At j halvings a model sees means of 2^j latent frames as one. The first latent frame is by itself: a video
autoencoder is causal and makes it of one picture, each other one of several, so that a mean of both is a
latent of neither, and what image to video keeps would be mixed with what it makes. T frames thus become
1 + ceil((T - 1) / 2^j), as many as the autoencoder makes of the same clip at 2^-j of its frame rate.

The first frame is continued to a whole group at the front, and the last group at its end, by copies. Where
the values carry noise, edge.Margin continues them: copied noise is stronger than the mean of independent
noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .haar import working


def frames_at(frames: int, halvings: int) -> int:
    """Latent frames that a model sees of so many."""
    return 1 + -(-(frames - 1) >> halvings)


def continued(x: Tensor, halvings: int) -> Tensor:
    """x (..., T, H, W) with copies of its first and last frame around it, as whole groups of 2^halvings."""
    if halvings == 0:
        return x
    frames = x.shape[-3]
    index = torch.arange(frames_at(frames, halvings) << halvings, device=x.device) - before(halvings)
    return x.index_select(-3, index.clamp(0, frames - 1))


def before(halvings: int) -> int:
    """How many frames the first one is continued by at the front."""
    return (1 << halvings) - 1


def group_means(x: Tensor, halvings: int) -> Tensor:
    """Means of whole groups, as `continued` makes them: (..., T' * 2^halvings, H, W) -> (..., T', H, W)."""
    out = working(x)
    for _ in range(halvings):  # in pairs, whose means are exact where both are equal
        out = (out[..., 0::2, :, :] + out[..., 1::2, :, :]) * 0.5
    return out.to(x.dtype)


def merge_frames(x: Tensor, halvings: int) -> Tensor:
    """The clip x (..., T, H, W) as a model sees it at so many halvings: (..., T', H, W)."""
    return group_means(continued(x, halvings), halvings)


def expand_frames(z: Tensor, halvings: int, frames: int) -> Tensor:
    """Copy every frame of z (..., T', H, W) over its group: (..., frames, H, W). `merge_frames` of it is z
    exactly."""
    if halvings == 0:
        return z
    return z.repeat_interleave(1 << halvings, dim=-3).narrow(-3, before(halvings), frames)
