"""What lies beyond the edge of a canvas whose sides 2^level, or the tokens of a level, do not divide, and
before and behind a clip whose frames make no whole groups."""

from __future__ import annotations

from torch import Tensor

from .frames import before, continued
from .haar import extend, repeated
from .noise_field import hashed_noise
from .noise_level import FLOW, Parameterisation, over_batch


class Margin:
    """What lies beyond the edge of a run's canvas, where a level has broken blocks, tokens or groups of
    frames.

    There the canvas goes on with the border of the last clean prediction and with noise of its own, drawn
    once per coordinate. Repeating the noisy border instead would give the last blocks more noise than their
    level has.
    """

    def __init__(self, seed: int = 0):
        self._seed = seed
        self._strips: dict[tuple, Tensor] = {}

    def around(
        self, x: Tensor, sigma: Tensor, size: tuple[int, int], prediction: Tensor | None,
        parameterisation: Parameterisation = FLOW, halvings: int = 0,
    ) -> Tensor:
        """The canvas x (B, C, [T,] H, W) at sigma, continued to `size` (H', W') and to whole groups of
        2^halvings frames.

        `prediction` is the last clean prediction: x's shape, or a batch that x's holds several times. None
        counts as zeros, as before the first evaluation of pure noise.
        """
        out = continued(extend(x, size), halvings)
        if out.shape == x.shape:
            return out
        clip = out.view(*x.shape[:2], -1, *size)  # pictures are clips of one frame
        s = over_batch(sigma, clip)
        a, b = parameterisation.signal(s), parameterisation.noise(s)
        clean = x.new_zeros(x.shape) if prediction is None else repeated(prediction, x.shape[0])
        clean = continued(extend(clean, size), halvings).view(clip.shape)
        frames, (height, width), lead = x[0, 0, ..., 0, 0].numel(), x.shape[-2:], before(halvings)
        for frame, top, left, shape in (
            (0, 0, width, (frames, height, size[1] - width)),
            (0, height, 0, (frames, size[0] - height, size[1])),
            (-lead, 0, 0, (lead, *size)),
            (frames, 0, 0, (clip.shape[2] - lead - frames, *size)),
        ):
            if min(shape):
                starts = zip((0, 0, frame + lead, top, left), (*x.shape[:2], *shape))
                strip = tuple(slice(start, start + length) for start, length in starts)
                clip[strip] = a * clean[strip] + b * self._noise(x, (0, frame, top, left), shape)
        return out

    def _noise(self, x: Tensor, origin: tuple[int, int, int, int], shape: tuple[int, ...]) -> Tensor:
        key = (origin, shape, x.shape[1], x.device)
        if key not in self._strips:
            whole = (1, x.shape[1], *shape)
            self._strips[key] = hashed_noise(self._seed, whole, origin=origin, device=x.device)
        return self._strips[key].to(x.dtype)
