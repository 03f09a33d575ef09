"""Noise levels: how a canvas at sigma looks to a model at level k.

A noisy canvas is `x = a(sigma) * x0 + b(sigma) * eps`. Block means keep `a` and divide the deviation of the
noise by 2^k, so the merged canvas is a state of the same family at its own noise level sigma_k, up to a
factor. Means over 2^j frames besides divide it by 2^(k + j/2): a `level` here may be such a half number.
Sigmas may be floats or tensors; no function here synchronises with the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

Sigma = TypeVar("Sigma", float, Tensor)


@dataclass(frozen=True)
class Flow:
    """Rectified flow, `x = (1 - sigma) * x0 + sigma * noise_scale * eps`, sigma in [0, 1]."""

    noise_scale: float = 1.0

    def signal(self, sigma: Sigma) -> Sigma:
        """a(sigma)."""
        return 1.0 - sigma

    def noise(self, sigma: Sigma) -> Sigma:
        """b(sigma)."""
        return sigma * self.noise_scale

    def level_sigma(self, sigma: Sigma, level: float) -> Sigma:
        """The noise level of the merged canvas: sigma / (2^k (1 - sigma) + sigma)."""
        return sigma / (2.0**level * (1.0 - sigma) + sigma)

    def state_scale(self, sigma: Sigma, level: float) -> Sigma:
        """What makes the merged canvas a state at `level_sigma`: 1 / ((1 - sigma) + sigma / 2^k)."""
        return 1.0 / ((1.0 - sigma) + sigma / 2.0**level)

    def share(self, sigma: float) -> float:
        """Noise share in [0, 1], the unit of schedules: sigma itself."""
        return sigma

    def from_share(self, share: float) -> float:
        """Inverse of `share`."""
        return share


@dataclass(frozen=True)
class VarianceExploding:
    """`x = x0 + sigma * eps`, sigma >= 0: EPS and v-prediction models in k-diffusion's sigmas."""

    def signal(self, sigma: Sigma) -> Sigma:
        """a(sigma) = 1."""
        return sigma * 0.0 + 1.0

    def noise(self, sigma: Sigma) -> Sigma:
        """b(sigma)."""
        return sigma

    def level_sigma(self, sigma: Sigma, level: float) -> Sigma:
        """The noise level of the merged canvas: sigma / 2^k."""
        return sigma / 2.0**level

    def state_scale(self, sigma: Sigma, level: float) -> Sigma:
        """1: the merged canvas is a state as it is."""
        return sigma * 0.0 + 1.0

    def share(self, sigma: float) -> float:
        """Noise share in [0, 1), the unit of schedules: sigma / (1 + sigma)."""
        return sigma / (1.0 + sigma)

    def from_share(self, share: float) -> float:
        """Inverse of `share`."""
        return share / (1.0 - share)


Parameterisation = Flow | VarianceExploding
FLOW = Flow()
VE = VarianceExploding()


def noise_halvings(level: float, halvings: int) -> float:
    """k + j/2: how often means of 2^k x 2^k pixels in 2^j frames halve the deviation of noise."""
    return level + halvings / 2


def over_batch(sigma: Tensor, x: Tensor) -> Tensor:
    """A sigma of shape () or (B,) shaped so that it multiplies x (B, ...), in x's dtype or float32."""
    sigma = sigma.to(device=x.device, dtype=x.dtype if x.dtype.itemsize >= 4 else None)
    return sigma if sigma.ndim == 0 else sigma.reshape(-1, *(1,) * (x.ndim - 1))


def recompose(x0: Tensor, noise: Tensor, sigma: Tensor, parameterisation: Parameterisation) -> Tensor:
    """The canvas at `sigma` with prediction `x0` and noise field `noise`: the rewind between passes."""
    s = over_batch(sigma, x0)
    return parameterisation.signal(s) * x0 + parameterisation.noise(s) * noise
