"""A coarse look: the canvas as the model sees it at level k, and its prediction brought back to the canvas.

`coarse_state` and `complete` (detail.py) are the two halves; `look` joins them around a denoiser. Hosts that
split a prediction over several conditionings call the halves themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .clock import FLOW, Parameterisation, over_batch
from .detail import complete
from .transform import extend, merge, pad_with, padded_size

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""denoise(x, sigma) -> x0: x (B, C, ..., H, W), sigma (B,), the clean prediction in x's shape."""


def coarse_state(
    x: Tensor,
    sigma: Tensor,
    level: int,
    parameterisation: Parameterisation = FLOW,
    margin: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The state that the model sees at `level`: (p, sigma_k) of shapes (B, C, ..., h, w) and sigma's.

    `x` (B, C, ..., H, W) is the canvas at `sigma`, shape () or (B,). `margin` (see `margin_state`) continues
    canvases whose sides 2^level does not divide, so that the noise of their last blocks has the right
    strength too.
    """
    s = over_batch(sigma, x)
    if margin is not None:
        x = pad_with(x, margin)
    state = merge(x, level) * parameterisation.state_scale(s, level)
    return state, parameterisation.level_sigma(sigma, level)


def margin_state(
    prediction: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
    parameterisation: Parameterisation = FLOW,
) -> Tensor:
    """A canvas of the padded size at `sigma` whose part beyond the edge continues the run's canvas.

    `noise` is a field of the padded size; `prediction` the last clean prediction of the canvas, whose border
    lines are repeated outwards (None before the first: zeros).
    """
    size = (noise.shape[-2], noise.shape[-1])
    s = over_batch(sigma, noise)
    state = parameterisation.noise(s) * noise
    if prediction is None:
        return state
    clean = extend(prediction, size)
    return parameterisation.signal(s) * clean + state


def needs_margin(size: tuple[int, int], level: int, multiple: int = 1) -> bool:
    """Whether a canvas of `size` (H, W) has sides at `level` that are no whole multiples of `multiple`."""
    return padded_size(size, level, multiple) != size


def look(
    denoise: Denoiser,
    x: Tensor,
    sigma: Tensor,
    level: int,
    parameterisation: Parameterisation = FLOW,
    prior: str = "smooth",
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) of `denoise` called on the canvas at `level` and its own noise
    level.

    level 0 is `denoise(x, sigma)` itself.
    """
    if level == 0:
        return denoise(x, sigma)
    state, level_sigma = coarse_state(x, sigma, level, parameterisation)
    return complete(denoise(state, level_sigma), x, sigma, level, parameterisation, prior)
