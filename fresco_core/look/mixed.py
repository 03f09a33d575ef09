"""A mixed look: some blocks of the canvas through fine tokens, the others through coarse ones.

Fine tokens are read from the canvas at sigma, coarse ones from its level. Fine predictions go to the canvas
as they are, coarse ones copied over their blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..canvas.edge import Margin
from ..canvas.haar import expand, extend, merge, padded_size
from ..canvas.noise_level import FLOW, Parameterisation, over_batch
from ..canvas.size import Canvas
from .dense import coarse_state, levelled
from .token_layout import Layout


@dataclass(frozen=True, eq=False)
class MixedLook:
    """Fine and coarse tokens together, as `layout` has them."""

    layout: Layout
    halvings = 0  # it has all frames

    @property
    def level(self) -> int:
        """Of the coarse tokens."""
        return self.layout.level


@runtime_checkable
class MixedDenoiser(Protocol):
    """A denoiser that takes mixed sequences besides whole canvases."""

    own_clock: bool
    """Whether coarse tokens may have a noise level of their own."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `dense.Denoiser`."""

    def mixed(
        self, x: Tensor, sigma: Tensor, state: Tensor, state_sigma: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """Clean predictions of a canvas x (B, C, ..., H, W) at sigma (B,) and of its level `state`
        (B, C, ..., h, w) at state_sigma (B,), in their shapes.

        H and W are whole numbers of blocks. Only what the layout's tokens cover is seen, or used of the
        result. All tokens are in the fine frame, coarse ones at the centres of their blocks; where nothing is
        fine, on their own grid.
        """


def level_state(
    x: Tensor, sigma: Tensor, level: int, own_clock: bool = True, parameterisation: Parameterisation = FLOW,
    prediction: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """What coarse tokens are read from, (B, C, ..., h, w), and its noise level.

    With a clock of their own: `dense.coarse_state`, at sigma_k. Without, for models with one timestep for all
    tokens: at sigma itself. Of each block one Hadamard row is taken, its low band plus its details, that is
    one pixel of the canvas, which carries the canvas's own noise; the detail that `prediction`, the last
    clean one in x's shape, has there is taken off the signal.
    """
    if own_clock:
        return coarse_state(x, sigma, level, parameterisation)
    side = 1 << level
    state = x[..., ::side, ::side]
    if prediction is not None:
        detail = prediction[..., ::side, ::side] - merge(prediction, level)
        state = state - parameterisation.signal(over_batch(sigma, x)) * detail
    return state, sigma


def mixed_look(
    denoise: MixedDenoiser, x: Tensor, sigma: Tensor, layout: Layout, canvas: Canvas,
    parameterisation: Parameterisation = FLOW, margin: Margin | None = None, last: Tensor | None = None,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of one mixed evaluation of x at sigma (B,).

    `margin` and `last`, the prediction before this one, continue canvases that are no whole number of blocks.
    """
    size = padded_size((x.shape[-2], x.shape[-1]), layout.level, canvas.patch)
    whole = extend(x, size) if margin is None else margin.around(x, sigma, size, last, parameterisation)
    before = None if last is None else extend(last, size)
    state, state_sigma = level_state(whole, sigma, layout.level, denoise.own_clock, parameterisation, before)
    fine, low = denoise.mixed(whole, sigma, state, state_sigma, layout)
    pixels = layout.fine_pixels(canvas.patch, canvas.frame_patch, x)
    return coarse_levelled(blockwise(fine, low, pixels, layout.level), pixels, layout.level)


def blockwise(fine: Tensor, low: Tensor, pixels: Tensor, level: int) -> Tensor:
    """The canvas of `pixels`' size with the fine prediction (B, C, ..., H', W') where `pixels`, and copies of
    the level's (B, C, ..., h, w) elsewhere."""
    size = (pixels.shape[-2], pixels.shape[-1])
    copied = expand(low, level)[..., : size[0], : size[1]]
    return torch.where(pixels, fine[..., : size[0], : size[1]], copied)


def coarse_levelled(prediction: Tensor, pixels: Tensor, level: int) -> Tensor:
    """`dense.levelled` where a canvas prediction is coarse; fine `pixels` keep theirs."""
    return torch.where(pixels, prediction, levelled(prediction, level))
