"""A mixed look: some blocks of the canvas through fine tokens, the others through coarse ones.

Fine tokens are read from the canvas at sigma, coarse ones from its level. Fine predictions go to the canvas
as they are; coarse ones through the detail prior.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .canvas import Canvas
from .clock import FLOW, Parameterisation, over_batch
from .detail import DEFAULT_PRIOR, complete
from .layout import Layout
from .look import Margin, coarse_state
from .transform import expand, extend, merge, padded_size

CLOCKS: tuple[str, ...] = ("native", "shared")
DEFAULT_CLOCK = "native"

FRAMES: tuple[str, ...] = ("fine", "aligned")
"""Positions of a mixed sequence: all tokens in the fine frame, coarse ones at the centres of their blocks
(where nothing is fine, on their own grid), or each token in the frame of its own stride (phase-aligned
attention, arXiv 2511.19778)."""
DEFAULT_FRAME = "fine"


@runtime_checkable
class MixedDenoiser(Protocol):
    """A denoiser that takes mixed sequences besides whole canvases."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `look.Denoiser`."""

    def mixed(
        self, x: Tensor, sigma: Tensor, state: Tensor, state_sigma: Tensor, layout: Layout, frame: str
    ) -> tuple[Tensor, Tensor]:
        """Clean predictions of a canvas x (B, C, ..., H, W) at sigma (B,) and of its level `state`
        (B, C, ..., h, w) at state_sigma (B,), in their shapes, with positions in one of FRAMES.

        H and W are whole numbers of blocks. Only what the layout's tokens cover is seen, or used of the
        result.
        """


def check_clock(clock: str) -> str:
    """`clock` as it is, if it is one of CLOCKS; ValueError otherwise."""
    if clock not in CLOCKS:
        raise ValueError(f"unknown clock {clock!r}; expected one of {', '.join(CLOCKS)}")
    return clock


def check_frame(frame: str) -> str:
    """`frame` as it is, if it is one of FRAMES; ValueError otherwise."""
    if frame not in FRAMES:
        raise ValueError(f"unknown frame {frame!r}; expected one of {', '.join(FRAMES)}")
    return frame


def level_state(
    x: Tensor,
    sigma: Tensor,
    level: int,
    clock: str = DEFAULT_CLOCK,
    parameterisation: Parameterisation = FLOW,
    prediction: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """What coarse tokens are read from, (B, C, ..., h, w), and its noise level.

    native: `look.coarse_state`, at sigma_k. shared: at sigma itself, for models with one timestep for all
    tokens. Of each block one Hadamard row is taken, its low band plus its details, that is one pixel of the
    canvas, which carries the canvas's own noise; the detail that `prediction`, the last clean one in x's
    shape, has there is taken off the signal.
    """
    if check_clock(clock) == "native":
        return coarse_state(x, sigma, level, parameterisation)
    side = 1 << level
    state = x[..., ::side, ::side]
    if prediction is not None:
        detail = prediction[..., ::side, ::side] - merge(prediction, level)
        state = state - parameterisation.signal(over_batch(sigma, x)) * detail
    return state, sigma


def mixed_look(
    denoise: MixedDenoiser,
    x: Tensor,
    sigma: Tensor,
    layout: Layout,
    canvas: Canvas,
    parameterisation: Parameterisation = FLOW,
    prior: str = DEFAULT_PRIOR,
    margin: Margin | None = None,
    last: Tensor | None = None,
    clock: str = DEFAULT_CLOCK,
    frame: str = DEFAULT_FRAME,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of one mixed evaluation of x at sigma (B,).

    `margin` and `last`, the prediction before this one, continue canvases that are no whole number of blocks.
    """
    size = padded_size((x.shape[-2], x.shape[-1]), layout.level, canvas.patch)
    whole = extend(x, size) if margin is None else margin.around(x, sigma, size, last, parameterisation)
    before = None if last is None else extend(last, size)
    state, state_sigma = level_state(whole, sigma, layout.level, clock, parameterisation, before)
    fine, low = denoise.mixed(whole, sigma, state, state_sigma, layout, frame)
    pixels = layout.fine_pixels(canvas.patch, canvas.frame_patch, x)
    prediction = blockwise(fine, low, pixels, layout.level)
    return complete_coarse(prediction, x, sigma, pixels, layout.level, parameterisation, prior)


def blockwise(fine: Tensor, low: Tensor, pixels: Tensor, level: int) -> Tensor:
    """The canvas of `pixels`' size with the fine prediction (B, C, ..., H', W') where `pixels`, and copies of
    the level's (B, C, ..., h, w) elsewhere."""
    size = (pixels.shape[-2], pixels.shape[-1])
    copied = expand(low, level)[..., : size[0], : size[1]]
    return torch.where(pixels, fine[..., : size[0], : size[1]], copied)


def complete_coarse(
    prediction: Tensor,
    x: Tensor,
    sigma: Tensor,
    pixels: Tensor,
    level: int,
    parameterisation: Parameterisation = FLOW,
    prior: str = DEFAULT_PRIOR,
) -> Tensor:
    """A prediction that is constant over each coarse block, with the detail prior there; fine `pixels` keep
    theirs."""
    completed = complete(merge(prediction, level), x, sigma, level, parameterisation, prior)
    return torch.where(pixels, prediction, completed)
