"""A coarse look: the canvas as the model sees it at level k, and with fewer frames, and its prediction
brought back to the canvas.

What the level cannot see, the prediction lacks: the canvas's own detail bands are empty where only a coarse
look has been. `coarse_state` and `on_canvas` are the two halves; `dense_look` joins them around a denoiser.
Hosts that split a prediction over several conditionings call the halves themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..canvas.edge import Margin
from ..canvas.frames import continued, expand_frames, group_means, merge_frames
from ..canvas.haar import expand, merge, padded_size
from ..canvas.levels import side_at
from ..canvas.noise_level import FLOW, Parameterisation, noise_halvings, over_batch

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""denoise(x, sigma) -> x0: x (B, C, ..., H, W), sigma (B,), the clean prediction in x's shape."""


@dataclass(frozen=True)
class DenseLook:
    """The whole canvas at one level; 0 is full resolution. halvings: in time, of its frames."""

    level: float
    halvings: int = 0


FULL = DenseLook(0)


def coarse_state(
    x: Tensor, sigma: Tensor, level: float, parameterisation: Parameterisation = FLOW, halvings: int = 0
) -> tuple[Tensor, Tensor]:
    """The state that the model sees at `level`: (p, sigma_k) of shapes (B, C, ..., h, w) and sigma's.

    `x` (B, C, ..., H, W) is the canvas at `sigma`, shape () or (B,). Continue canvases whose sides 2^level
    does not divide by `Margin.around` first, and those that are seen with fewer frames always.
    """
    weaker, s = noise_halvings(level, halvings), over_batch(sigma, x)
    state = merge(group_means(x, halvings), level) * parameterisation.state_scale(s, weaker)
    return state, parameterisation.level_sigma(sigma, weaker)


def levelled(prediction: Tensor, level: float, halvings: int = 0) -> Tensor:
    """A canvas prediction (B, C, ..., H, W) with each block of `level` at its mean, and each group of frames:
    what such a look can know of it."""
    return on_canvas(merge(merge_frames(prediction, halvings), level), level, prediction, halvings)


def on_canvas(low: Tensor, level: float, like: Tensor, halvings: int = 0) -> Tensor:
    """A prediction made at `level` copied over a canvas of the size of `like` (B, C, ..., H, W)."""
    spread = expand(low, level, (like.shape[-2], like.shape[-1]))
    return expand_frames(spread, halvings, like.shape[-3])


def dense_look(
    denoise: Denoiser, x: Tensor, sigma: Tensor, level: float, parameterisation: Parameterisation = FLOW,
    margin: Margin | None = None, last: Tensor | None = None, halvings: int = 0,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of `denoise` called on the canvas at `level` and its own noise
    level.

    level 0 of all frames is `denoise(x, sigma)` itself. `margin` and `last`, the prediction before this one,
    continue canvases of sizes that 2^level does not divide, and frames to groups of 2^halvings.
    """
    if level == halvings == 0:
        return denoise(x, sigma)
    whole = padded_size((x.shape[-2], x.shape[-1]), level)
    canvas = continued(x, halvings)
    if margin is not None:
        canvas = margin.around(x, sigma, whole, last, parameterisation, halvings)
    state, level_sigma = coarse_state(canvas, sigma, level, parameterisation, halvings)
    height, width = (side_at(side, level) for side in whole)
    return on_canvas(denoise(state, level_sigma)[..., :height, :width], level, x, halvings)
