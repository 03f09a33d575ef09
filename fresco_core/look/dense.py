"""A coarse look: the canvas as the model sees it at level k, and its prediction brought back to the canvas.

What the level cannot see, the prediction lacks: the canvas's own detail bands are empty where only a coarse
look has been. `coarse_state` and `levelled` are the two halves; `look` joins them around a denoiser. Hosts
that split a prediction over several conditionings call the halves themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..canvas.edge import Margin
from ..canvas.haar import expand, merge, padded_size
from ..canvas.noise_level import FLOW, Parameterisation, over_batch

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""denoise(x, sigma) -> x0: x (B, C, ..., H, W), sigma (B,), the clean prediction in x's shape."""


@dataclass(frozen=True)
class DenseLook:
    """The whole canvas at one level; 0 is full resolution."""

    level: int


FULL = DenseLook(0)


def coarse_state(
    x: Tensor, sigma: Tensor, level: int, parameterisation: Parameterisation = FLOW
) -> tuple[Tensor, Tensor]:
    """The state that the model sees at `level`: (p, sigma_k) of shapes (B, C, ..., h, w) and sigma's.

    `x` (B, C, ..., H, W) is the canvas at `sigma`, shape () or (B,). Continue canvases whose sides 2^level
    does not divide by `Margin.around` first.
    """
    s = over_batch(sigma, x)
    return merge(x, level) * parameterisation.state_scale(s, level), parameterisation.level_sigma(
        sigma, level
    )


def levelled(prediction: Tensor, level: int) -> Tensor:
    """A canvas prediction (B, C, ..., H, W) with each block of `level` at its mean: what a look at the level
    can know of it."""
    return expand(merge(prediction, level), level, (prediction.shape[-2], prediction.shape[-1]))


def look(
    denoise: Denoiser,
    x: Tensor,
    sigma: Tensor,
    level: int,
    parameterisation: Parameterisation = FLOW,
    margin: Margin | None = None,
    last: Tensor | None = None,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of `denoise` called on the canvas at `level` and its own noise
    level.

    level 0 is `denoise(x, sigma)` itself. `margin` and `last`, the prediction before this one, continue
    canvases of sizes that 2^level does not divide.
    """
    if level == 0:
        return denoise(x, sigma)
    size = (x.shape[-2], x.shape[-1])
    whole = padded_size(size, level)
    canvas = x if margin is None else margin.around(x, sigma, whole, last, parameterisation)
    state, level_sigma = coarse_state(canvas, sigma, level, parameterisation)
    height, width = (side >> level for side in whole)
    return expand(denoise(state, level_sigma)[..., :height, :width], level, size)
