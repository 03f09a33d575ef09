"""`auto`: the level of each evaluation, settled in the run by the spectrum of its own prediction.

The spectral rule (arXiv 2605.18736, there with constants fitted to one VAE): a level is enough while the
detail band that it hides is noise on the canvas,

    a(sigma)^2 S / b(sigma)^2  <=  tolerance,

S the clean power of that band, extrapolated from the bands that the current prediction shows (detail.py).
Levels only become finer, by one an evaluation at the most, and the schedule bounds them on both sides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .clock import FLOW, Parameterisation, over_batch
from .detail import band_power, details
from .transform import merge


class Settling:
    """What the predictions of a pass say about the level of the next evaluation."""

    def __init__(self, parameterisation: Parameterisation = FLOW):
        self._parameterisation = parameterisation
        self.reset()

    def reset(self, picture: Tensor | None = None, level: int = 0) -> None:
        """Begin a pass: any level, and of the spectrum nothing known but that of the clean `picture` that it
        begins with, seen at `level`."""
        self._finest_yet: int | None = None
        self._seen_at = 0
        self._power: Tensor | None = None
        self._known = 0.0
        if picture is not None:
            self.observe(picture, picture.new_zeros(()), level)

    def observe(self, prediction: Tensor, sigma: Tensor, level: int) -> None:
        """Take the clean prediction (B, C, ..., H, W) of an evaluation at `sigma`, shape () or (B,), and
        `level`. Does not synchronise with the device. Of a batch the picture with most detail counts."""
        if level == 0:
            return
        low = merge(prediction, level).float()
        s = over_batch(sigma, low)
        a, b = self._parameterisation.signal(s), self._parameterisation.noise(s)
        power = band_power(low, a, b / (1 << level), details)
        self._power = power.mean(dim=(0, *range(2, power.ndim))).max() * 4.0 ** (level - 1)
        self._seen_at = level

    def read(self, sigma: Tensor) -> float:
        """The sigma of the next evaluation, read from the device together with what was observed."""
        if self._power is None:
            return float(sigma.flatten()[0])
        both = torch.stack((sigma.flatten()[0].to(self._power), self._power))
        value, self._known = both.tolist()
        return value

    def choose(self, level: int, tolerance: float, sigma: float) -> int:
        """The level of the evaluation at `sigma` where the schedule allows `level` or finer; after `read`."""
        if self._finest_yet is not None:
            level = min(level, self._finest_yet)
        if self._power is not None and level == self._seen_at > 0:
            signal, noise = self._parameterisation.signal(sigma), self._parameterisation.noise(sigma)
            if signal * signal * self._known > tolerance * noise * noise:
                level -= 1
        self._finest_yet = level
        return level
