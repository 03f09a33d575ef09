"""A focus look: all tokens at their own positions, but only some of them queried.

The others stay visible as the keys and values of their last evaluation, and their part of the prediction
stays as it is. The first step queries all tokens, and every REFRESH-th after it. A layout of level 0, whose
blocks are single tokens, says which are queried: the fine ones.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .canvas import Canvas
from .layout import Layout
from .transform import extend, padded_size

REFRESH = 4  # steps from one evaluation of all tokens to the next


class KeyValues:
    """Keys and values of all image tokens at their last evaluation, for each block of a model.

    Of 2 x tokens x width numbers a block and sample, and never more; a conditional and an unconditional
    sample count as two. `cost.Architecture.key_value_bytes` says how much that is.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Tensor] = {}

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return sum(kept.nbytes for kept in self._kept.values())

    def update(
        self, block: int, keys: Tensor, values: Tensor, index: Tensor, tokens: int
    ) -> tuple[Tensor, Tensor]:
        """Put keys and values (B, heads, K, D) at index (B, K) of `tokens` image tokens, and return those of
        all, (B, heads, tokens, D). All tokens come in raster order. Raises ValueError where only some come
        first."""
        given = torch.stack((keys, values))  # owned: views would keep the block's whole projection
        if keys.shape[2] == tokens:
            self._kept[block] = given
        elif block in self._kept:
            self._kept[block].scatter_(3, index[:, None, :, None].expand_as(given), given)
        else:
            raise ValueError(
                f"{keys.shape[2]} of {tokens} tokens came, but nothing is kept of the others; query all "
                "tokens first"
            )
        kept = self._kept[block]
        return kept[0], kept[1]


@runtime_checkable
class FocusDenoiser(Protocol):
    """A denoiser that can query some tokens only."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `look.Denoiser`."""

    def focus(self, x: Tensor, sigma: Tensor, layout: Layout, memory: KeyValues) -> Tensor:
        """Clean prediction of a canvas x (B, C, ..., H, W) at sigma (B,), where the layout's fine tokens are.

        H and W are whole tokens. Takes the keys and values of all other tokens from `memory`, and leaves
        those of the fine ones there.
        """


def focus_look(
    denoise: FocusDenoiser,
    x: Tensor,
    sigma: Tensor,
    layout: Layout,
    canvas: Canvas,
    memory: KeyValues,
    last: Tensor,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of x at sigma (B,): new where the layout's tokens are queried,
    elsewhere that of `last`, the prediction before this one."""
    size = padded_size((x.shape[-2], x.shape[-1]), 0, canvas.patch)
    prediction = denoise.focus(extend(x, size), sigma, layout, memory)
    queried = layout.fine_pixels(canvas.patch, canvas.frame_patch, x)
    return torch.where(queried, prediction[..., : x.shape[-2], : x.shape[-1]], last)
