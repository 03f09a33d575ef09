"""A coarse look: the canvas as the model sees it at level k, and its prediction brought back to the canvas.

`coarse_state` and `complete` (detail.py) are the two halves; `look` joins them around a denoiser. Hosts that
split a prediction over several conditionings call the halves themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .clock import FLOW, Parameterisation, over_batch
from .detail import DEFAULT_PRIOR, complete
from .noise import hashed_noise
from .transform import extend, level_size, merge, padded_size, repeated

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""denoise(x, sigma) -> x0: x (B, C, ..., H, W), sigma (B,), the clean prediction in x's shape."""


class Margin:
    """What lies beyond the edge of a run's canvas, where a level has broken blocks or tokens.

    There the canvas goes on with the border of the last clean prediction and with noise of its own, drawn
    once per coordinate. Repeating the noisy border instead would give the last blocks more noise than their
    level has.
    """

    def __init__(self, seed: int = 0):
        self._seed = seed
        self._strips: dict[tuple, Tensor] = {}

    def around(
        self,
        x: Tensor,
        sigma: Tensor,
        size: tuple[int, int],
        prediction: Tensor | None,
        parameterisation: Parameterisation = FLOW,
    ) -> Tensor:
        """The canvas x (B, C, ..., H, W) at sigma, continued to `size` (H', W').

        `prediction` is the last clean prediction: x's shape, or a batch that x's holds several times. None
        counts as zeros, as before the first evaluation of pure noise.
        """
        height, width = x.shape[-2], x.shape[-1]
        out = extend(x, size)
        if size == (height, width):
            return out
        s = over_batch(sigma, x)
        a, b = parameterisation.signal(s), parameterisation.noise(s)
        if prediction is not None:
            prediction = repeated(prediction, x.shape[0])
        for top, left, rows, columns in (
            (0, width, height, size[1] - width),
            (height, 0, size[0] - height, size[1]),
        ):
            if rows and columns:
                state = b * self._noise(x, top, left, rows, columns)
                if prediction is not None:
                    border = prediction[..., -1:, :] if top else prediction[..., -1:]
                    state = a * extend(border, (rows, columns)) + state
                out[..., top : top + rows, left : left + columns] = state
        return out

    def _noise(self, x: Tensor, top: int, left: int, rows: int, columns: int) -> Tensor:
        key = (top, left, rows, columns, x.shape[1:-2], x.device)
        if key not in self._strips:
            shape = (1, *x.shape[1:-2], rows, columns)
            self._strips[key] = hashed_noise(self._seed, shape, origin=(0, 0, top, left), device=x.device)
        return self._strips[key].to(x.dtype)


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


def look(
    denoise: Denoiser,
    x: Tensor,
    sigma: Tensor,
    level: int,
    parameterisation: Parameterisation = FLOW,
    prior: str = DEFAULT_PRIOR,
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
    height, width = level_size(size, level)
    low = denoise(state, level_sigma)[..., :height, :width]
    return complete(low, x, sigma, level, parameterisation, prior)
