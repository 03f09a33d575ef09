"""Two clocks in one call of a network: fine tokens at their noise level, coarse tokens at a lower one.

The host's forward is given both timesteps as a batch of twice the size, so that the host itself makes both
modulations. Its blocks get both, with the ranges of tokens that they are for, in the way they know from
reference pictures; a last layer that knows no ranges is called once for each, as no token in it sees another.
The coarse tokens are the last of the sequence, but for padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor

from ..host.versions import ranges_keep_their_dimension
from .call import MixedCall
from .strip import takes

FIRST, SECOND = 0, 1
DOUBLE, SINGLE = ("modulation_dims_img", "modulation_dims_txt"), ("modulation_dims",)


@dataclass(frozen=True)
class TwoClocks:
    """How a network takes two clocks.

    replaced: what stands for its attributes then. both: whether its forward is given both timesteps. ends:
    its layers before and behind the blocks, between which references are put before the coarse tokens.
    """

    replaced: Mapping[str, Any]
    both: bool = True
    ends: tuple[str, str] | None = None


def apart(call: MixedCall) -> bool:
    """Whether the sequence holds tokens of both kinds, each with a clock of its own."""
    return call.own_clock and bool(call.layout.fine.shape[1]) and bool(call.layout.coarse.shape[1])


def timesteps(fine: Tensor, call: MixedCall) -> Tensor:
    """The timesteps of a call, from those of fine tokens (B,): both (2 B,) where they are apart, the coarse
    tokens' where nothing is fine."""
    if apart(call):
        return torch.cat((fine, call.timestep))
    return fine if call.layout.fine.shape[1] else call.timestep


def takes_index(blocks: Iterable[Any]) -> bool:
    """Whether all blocks divide their tokens by a `timestep_zero_index`, a place or slices."""
    return all(takes(block.forward, "timestep_zero_index") for block in blocks)


def takes_ranges(network: Any) -> bool:
    """Whether all blocks of a network of FLUX's kind modulate ranges of tokens."""
    return all(takes(block.forward, "vec", *DOUBLE) for block in network.double_blocks) and all(
        takes(block.forward, "vec", *SINGLE) for block in network.single_blocks
    )


def indexed(block: Callable, coarse: int) -> Callable:
    """A block with the second modulation for the last `coarse` tokens, by its `timestep_zero_index`: the host
    slices with it, so that it may count from the end."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return block(*args, **{**kwargs, "timestep_zero_index": -coarse})

    return call


def sliced(block: Callable, coarse: int, padding: int) -> Callable:
    """A block of (x, ...) with the second modulation for the `coarse` tokens before the last `padding` ones,
    where the host's `timestep_zero_index` is a list of slices."""

    def call(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        end = x.shape[1] - padding
        return block(x, *args, **{**kwargs, "timestep_zero_index": [(end - coarse, end)]})

    return call


def ranged_blocks(network: Any, coarse: int) -> dict[str, list[Callable]]:
    """The blocks of a network of FLUX's kind with the second modulation for the last `coarse` tokens; by the
    names of their lists."""
    text, image = [(0, None, FIRST)], [(0, -coarse, FIRST), (-coarse, None, SECOND)]
    return {
        "double_blocks": [_ranged(block, DOUBLE, (image, text)) for block in network.double_blocks],
        "single_blocks": [_ranged(block, SINGLE, (image,)) for block in network.single_blocks],
    }


def _ranged(block: Callable, names: tuple[str, ...], ranges: tuple[list, ...]) -> Callable:
    def call(*args: Any, vec: Any, **kwargs: Any) -> Any:
        return block(*args, vec=pair(vec), **{**kwargs, **dict(zip(names, ranges))})

    return call


def tokenwise(layer: Callable, coarse: int) -> Callable:
    """A layer (x, modulation) of tokens (B, L, D) that do not see each other, called once for each clock."""

    def call(x: Tensor, vec: Any, **kwargs: Any) -> Tensor:
        parts = x.split((x.shape[1] - coarse, coarse), dim=1)
        return torch.cat([layer(part, half(vec, n), **kwargs) for n, part in enumerate(parts)], dim=1)

    return call


def twice(embedder: Callable[[Tensor], Tensor] | None) -> Callable[[Tensor], Tensor] | None:
    """An embedder of what both clocks have in common: its output (B, D) as that of a batch of twice the
    size."""
    return None if embedder is None else lambda x: embedder(x).repeat(2, 1)


def half(vec: Any, which: int) -> Any:
    """Modulation of one clock, FIRST or SECOND, from that of a batch of twice the size."""
    return vec.chunk(2)[which] if isinstance(vec, Tensor) else tuple(half(part, which) for part in vec)


def pair(vec: Any) -> Any:
    """Modulation of a batch of twice the size as pairs (B, 2, D), in whatever the host keeps it."""
    if isinstance(vec, Tensor):
        pairs = vec.reshape(2, -1, vec.shape[-1]).movedim(0, 1)
        return pairs if ranges_keep_their_dimension() else pairs.unsqueeze(2)
    if isinstance(vec, tuple):
        return tuple(pair(part) for part in vec)
    if is_dataclass(vec) and not isinstance(vec, type):
        return type(vec)(**{name: pair(value) for name, value in vars(vec).items()})
    return vec
