"""Families whose attention joins text and image and whose positions go through one `pe_embedder`.

Their sequences are strips (strip.py): text, fine, coarse and reference tokens. All tokens lie in the fine
frame, coarse ones at the centres of their blocks, or where nothing is fine on their own grid. Coarse tokens
have a clock of their own where the adapter says how the family's blocks take two (clocks.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import Layout
from .call import Conditions, MixedCall
from .clocks import TwoClocks, apart, takes_index, timesteps
from .strip import View, takes, through_strip

Grid = tuple[int, int, int]
"""Frames, rows and columns of tokens."""

Frame = Callable[[Tensor, Tensor, tuple[int, int], Tensor], tuple[Tensor, ...]]
"""frame(text, raster, grid, others) -> (text, ids, others): a family's positions in a frame of `grid` (rows,
columns) tokens. text (B, M, axes), others (B, R, axes): the host's of the text and of references; raster
(B, L, 3): frame, row and column of the image's tokens."""


def in_raster(text: Tensor, raster: Tensor, grid: tuple[int, int], others: Tensor) -> tuple[Tensor, ...]:
    """A Frame: (frame, row, column) themselves, the others where the host has them."""
    return text, raster, others


def evaluate_joint(
    executor: Any,
    args: tuple,
    kwargs: dict,
    call: MixedCall,
    two_clocks: TwoClocks,
    frame: Frame = in_raster,
    references: Sequence[Grid] = (),
) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network, layout = executor.class_obj, call.layout
    behind = sum(map(math.prod, references))
    order = _Order(layout, behind)

    def embed(ids: Tensor) -> Tensor:
        start = ids.shape[1] - layout.tokens - behind
        text, others = ids[:, :start], ids[:, start + layout.tokens :].clone()
        rows, columns = layout.mask.shape[-2:]
        side = 1 << layout.level
        if not layout.fine_blocks:
            others[..., 1:3] /= side
            side = 1
        parts = frame(text, layout.positions(), (rows * side, columns * side), others)
        return network.pe_embedder(order.of_blocks(torch.cat([part.float() for part in parts], dim=1)))

    replaced: dict[str, Any] = {"pe_embedder": embed}
    timestep = timesteps(args[1], call)
    if apart(call):
        replaced |= two_clocks.replaced
        timestep = timestep if two_clocks.both else args[1]
        if references and two_clocks.ends is not None:
            order.coarse_last = True
            begin, end = two_clocks.ends
            first, last = getattr(network, begin), replaced[end]
            replaced[begin] = lambda tokens: first(order.of_blocks(tokens))
            replaced[end] = lambda tokens, clock: order.of_latents(last(tokens, clock))
    args = (args[0], timestep, *args[2:])
    return through_strip(executor, View(network, **replaced), args, kwargs, call)


class _Order:
    """The order of a sequence's tokens (B, [text,] image and reference tokens, D) within the blocks: where
    their coarse tokens must be the last, references come before them."""

    def __init__(self, layout: Layout, references: int):
        self.coarse_last = False
        self._coarse = layout.coarse.shape[1]
        self._references = references

    def of_blocks(self, x: Tensor) -> Tensor:
        """Tokens as the latents have them, as the blocks see them."""
        return self._swapped(x, self._coarse, self._references)

    def of_latents(self, x: Tensor) -> Tensor:
        """Inverse of `of_blocks`."""
        return self._swapped(x, self._references, self._coarse)

    def _swapped(self, x: Tensor, first: int, second: int) -> Tensor:
        if not self.coarse_last:
            return x
        head, a, b = x.split((x.shape[1] - first - second, first, second), dim=1)
        return torch.cat((head, b, a), dim=1)


def joins(network: Any, forward: str, *names: str) -> bool:
    """Whether a network has a `pe_embedder`, and parameters `names` of its method `forward`."""
    embedder = getattr(network, "pe_embedder", None)
    return callable(embedder) and takes(getattr(network, forward, None), *names)


def reference_grids(references: Sequence[Tensor] | None, patch: int) -> list[Grid]:
    """Frames, rows and columns of the tokens of reference latents (B, C, [T,] H, W), sides padded to the
    patch."""
    return [
        (r.shape[2] if r.ndim == 5 else 1, -(-r.shape[-2] // patch), -(-r.shape[-1] // patch))
        for r in references or ()
    ]


def one_of_two_clocks(name: str, network: Any, blocks: Iterable[Any], conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones in a network that has a `default_ref_method` and whose
    blocks know two clocks at the most; None where they can have their own."""
    methods = (network.default_ref_method, *conditions.get("ref_latents_method", ()))
    if "ref_latents" in conditions and "index_timestep_zero" in methods:
        return f"{name}'s blocks know two clocks, and reference pictures have the second, timestep zero"
    if not takes_index(blocks):
        return f"the host's {name} blocks do not modulate two ranges of tokens"
    return None
