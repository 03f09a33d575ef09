"""Families whose attention joins text and image and whose positions go through one `pe_embedder`.

Their sequences are strips (strip.py) with phase-aligned attention (alignment.py), or that of a focus step
(focus.py). Coarse tokens have a clock of their own where the adapter says how the family's blocks take two
(clocks.py). Where a `post_input` patch of another pack moves image tokens, a mixed step puts them back in
their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..mixing import Conditions, MixedCall, with_options
from .alignment import Grid
from .clocks import TwoClocks, apart, takes_index, timesteps
from .focus import attention_of
from .strip import View, takes, through_strip

Frame = Callable[[Tensor, Tensor, tuple[int, int]], tuple[Tensor, Tensor]]
"""frame(text_ids, raster, grid) -> (text_ids, ids): a family's positions in a frame of `grid` (rows, columns)
tokens, from the host's for the text (B, M, axes) and (frame, row, column) of the image's tokens (B, L, 3)."""


def in_raster(text_ids: Tensor, raster: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A Frame: (frame, row, column) themselves, with the text where the host has it."""
    return text_ids, raster


def evaluate_joint(
    executor: Any,
    args: tuple,
    kwargs: dict,
    call: MixedCall,
    two_clocks: TwoClocks,
    frame: Frame = in_raster,
    references: Sequence[Grid] = (),
    shared: int = 1,
) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to `call.output`.
    shared: how many heads share keys and values."""
    network, layout = executor.class_obj, call.layout
    alignment = attention_of(call, references, shared)

    def embed(ids: Tensor) -> Tensor:
        start = ids.shape[1] - layout.tokens - alignment.reference_tokens
        text, others = ids[:, :start], ids[:, start + layout.tokens :]
        rows, columns = layout.mask.shape[-2:]
        side = 1 << layout.level
        fine = (*frame(text, layout.fine_frame(), (rows * side, columns * side)), others)
        coarse = (*frame(text, layout.coarse_frame(), (rows, columns)), alignment.halved(others))
        fine_ids, coarse_ids = (
            torch.cat([part.float() for part in parts], dim=1) for parts in (fine, coarse)
        )
        alignment.align(network.pe_embedder, fine_ids, coarse_ids)
        return network.pe_embedder(alignment.ordered(fine_ids))

    args, kwargs = with_options(args, kwargs, alignment.around)
    replaced: dict[str, Any] = {"pe_embedder": embed}
    timestep = timesteps(args[1], call)
    if apart(call):
        replaced |= two_clocks.replaced
        timestep = timestep if two_clocks.both else args[1]
        if references and two_clocks.ends is not None:
            alignment.coarse_last = True
            begin, end = two_clocks.ends
            first, last = getattr(network, begin), replaced[end]
            replaced[begin] = lambda tokens: first(alignment.ordered(tokens))
            replaced[end] = lambda tokens, clock: alignment.restored(last(tokens, clock))
    args = (args[0], timestep, *args[2:])
    return through_strip(executor, View(network, **replaced), args, kwargs, call)


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
