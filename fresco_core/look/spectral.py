"""The spectral rule: the level of each evaluation, found in the run by the spectrum of its own prediction.

The rule (arXiv 2605.18736, there with constants fitted to one VAE): a level is enough while the detail band
that it hides is noise on the canvas. Here that is

    a(sigma)^2 P / b(sigma)^2  <=  tolerance,

P the power that the model, looking finer, would predict in that band: the power of the finest band that the
current prediction shows, times its ratio to the next coarser one for each band up to it. A band of clean
power S is predicted with P = S s / (1 + s), s = a^2 S / b^2 (the posterior mean of a Gaussian), so that the
level changes where s is near the root of the tolerance. Levels only become finer, and the schedule bounds
them on both sides. What THREE_QUARTERS hides counts as strong as the band that half hides, of which it is the
finer part.
"""

from __future__ import annotations

from math import ceil, inf

import torch
from torch import Tensor

from ..canvas.haar import merge
from ..canvas.noise_level import FLOW, Parameterisation
from .spectrum import hidden_powers, hides_noise_only


class SpectralRule:
    """What the predictions of a pass say about the level of the next evaluation."""

    def __init__(self, parameterisation: Parameterisation = FLOW):
        self._parameterisation = parameterisation
        self.reset()

    def reset(self, picture: Tensor | None = None, level: float = 0) -> None:
        """Begin a pass: any level, and nothing known but the clean `picture` that it begins with, seen at
        `level`."""
        self._finest_yet = inf
        self._seen_at: float = 0
        self._power: Tensor | None = None
        self._known: list[float] = []
        if picture is not None:
            self.observe(picture, level)

    def observe(self, prediction: Tensor, level: float) -> None:
        """Take the clean prediction (B, C, ..., H, W) of an evaluation at `level`. Does not synchronise with
        the device. Of a batch the picture with most detail counts."""
        if level:
            self._power, self._seen_at = hidden_powers(merge(prediction, ceil(level)), ceil(level)), level

    def read(self, sigma: Tensor) -> float:
        """The sigma of the next evaluation, read from the device together with what was observed."""
        if self._power is None:
            return float(sigma.flatten()[0])
        value, *self._known = torch.cat((sigma.flatten()[:1].to(self._power), self._power)).tolist()
        return value

    def choose(self, level: float, tolerance: float, sigma: float) -> float:
        """The level of the evaluation at `sigma` where the schedule allows `level` or finer; after `read`."""
        level = min(level, self._finest_yet)
        if self._power is not None and 0 < level <= self._seen_at:
            known = self._known[ceil(self._seen_at) - ceil(level) :]  # the bands that it hides
            enough = hides_noise_only(known, sigma, self._parameterisation, tolerance)
            level = max(0, level - (*enough, True).index(True))
        self._finest_yet = level
        return level
