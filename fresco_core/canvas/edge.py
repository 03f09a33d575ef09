"""What lies beyond the edge of a canvas whose sides 2^level, or the tokens of a level, do not divide."""

from __future__ import annotations

from torch import Tensor

from .haar import extend, repeated
from .noise_field import hashed_noise
from .noise_level import FLOW, Parameterisation, over_batch


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
