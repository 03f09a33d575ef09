"""A mixed sequence as a strip: a latent one token high whose tokens are those of the sequence.

The host's own forward takes it like any other latent, with its patches, and never knows. Only the positions
of the tokens must be replaced, which a family does on a view of the network.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

from einops import rearrange
from torch import Tensor

from ...fresco_core import Layout, merge
from ..host.executors import with_forward_of
from ..host.model import patch_of
from .call import MixedCall


class View:
    """The network with some attributes replaced: the `self` of one call of its forward. Its methods see the
    view too; nothing is set on the network."""

    def __init__(self, network: Any, **replaced: Any):
        self.__dict__.update(replaced, _network=network)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._network, name)
        if inspect.ismethod(found) and found.__self__ is self._network:
            return types.MethodType(found.__func__, self)
        return found


def through_strip(executor: Any, view: View, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas args[0], valid at fine tokens, by its forward with `view` for its
    self; that of coarse tokens goes to `call.output`."""
    x, layout = args[0], call.layout
    patch = patch_of(executor.class_obj)
    sequence = layout.gather(tokens_of(x, patch), tokens_of(call.state, patch))
    strip = latent_of(sequence, (1, 1, layout.tokens), patch, x.ndim)
    out = with_forward_of(executor, view)(strip, *args[1:], **kwargs)
    fine, coarse = layout.scatter(tokens_of(out, patch))
    frames, rows, columns = layout.mask.shape[1:]
    side = 1 << layout.level
    call.output = latent_of(coarse, (frames, rows, columns), patch, x.ndim)
    return latent_of(fine, (frames, rows * side, columns * side), patch, x.ndim)


def tokens_of(x: Tensor, patch: int) -> Tensor:
    """The tokens (B, N, D) of a latent (B, C, [T,] H, W) in raster order."""
    video = x if x.ndim == 5 else x.unsqueeze(2)
    return rearrange(video, "b c t (h p) (w q) -> b (t h w) (c p q)", p=patch, q=patch)


def latent_of(tokens: Tensor, grid: tuple[int, int, int], patch: int, ndim: int) -> Tensor:
    """Inverse of `tokens_of` for a grid of frames, rows and columns of tokens."""
    t, h, w = grid
    pattern = "b (t h w) (c p q) -> b c t (h p) (w q)"
    video = rearrange(tokens, pattern, t=t, h=h, w=w, p=patch, q=patch)
    return video if ndim == 5 else video.squeeze(2)


def single_frame(layout: Layout, fine_ids: Tensor, coarse_ids: Tensor) -> Tensor:
    """Positions (B, L, axes) for attention that is not split, from those of the two whole grids (1, N, axes)
    and (1, n, axes): the fine frame with coarse tokens at the centres of their blocks, or the coarse grid's
    own where nothing is fine."""
    frames, rows, columns = layout.mask.shape[1:]
    batch, axes = len(layout.mask), fine_ids.shape[-1]
    if layout.fine_blocks:
        side = 1 << layout.level  # counts may be symbols, where a compiler traces: times it, not shifted
        grid = fine_ids.mT.reshape(1, axes * frames, rows * side, columns * side)
        coarse_ids = merge(grid, layout.level).reshape(1, axes, -1).mT
    return layout.gather(fine_ids.expand(batch, -1, -1), coarse_ids.expand(batch, -1, -1))


def takes(function: Any, *names: str) -> bool:
    """Whether a function of the host has the parameters `names`."""
    return callable(function) and set(names) <= set(inspect.signature(function).parameters)
