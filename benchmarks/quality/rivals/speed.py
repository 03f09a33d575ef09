"""SPEED: Spectral Progressive Diffusion (Xiao et al., arXiv 2605.18736).

A run starts at half size and becomes full at the first sigma at which the finest frequency that half size
shows is no longer dominated by noise. Clean latents are taken to have the power A w^-b per orthonormal
coefficient at w cycles a picture, fitted to the autoencoder; a frequency is active below

    t(w) = 1 / (1 + sqrt(delta / (P (1 + P - delta))))          (Eq. 9, at the half grid's Nyquist: Eq. 10)

There the latent's DCT is embedded in a larger one whose other coefficients are fresh noise of deviation t,
and with r = 2 the state is scaled by k = r / (1 + (r - 1) t) and is one at sigma k t (Eq. 5 and 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .painter import Painter


def speed(painter: Painter, sigmas: Sequence[float], delta: float = 0.05) -> Tensor:
    """Euler with one spectral expansion, on the run's own grid; only the sigma of the switch is raised."""
    grid = list(sigmas)
    switch = activation(*painter.spectrum(), painter.noise.shape[-1] / 4, delta)
    last = len(grid) - 2  # is drawn at full size, whatever the rule says
    step = next((i for i, sigma in enumerate(grid[:last]) if sigma <= switch), last)
    half = painter.noise.shape[-1] // 2
    state = _idct(_dct(painter.noise)[..., :half, :half])
    state = painter.euler(state, grid[: step + 1])
    here = grid[step]
    spread = here * painter.fresh_noise(stream=1)
    spread[..., :half, :half] = _dct(state)
    scale = 2.0 / (1.0 + here)
    return painter.euler(scale * _idct(spread), [scale * here, *grid[step + 1 :]])


def activation(amplitude: float, exponent: float, frequency: float, delta: float) -> float:
    """The sigma below which a frequency (cycles a picture) counts as signal."""
    power = amplitude * frequency**-exponent
    if power <= delta - 1.0 or delta <= 0.0:
        raise ValueError(f"delta is {delta:g}; expected a tolerance between 0 and 1")
    return 1.0 / (1.0 + math.sqrt(delta / (power * (1.0 + power - delta))))


def fit_spectrum(latents: Tensor) -> tuple[float, float]:
    """Amplitude A and exponent b of A w^-b, by least squares of logarithms over rings of one cycle, of clean
    latents (B, C, H, W)."""
    power = _dct(latents.float()).double().square().mean(dim=(0, 1)).log()
    index = torch.arange(latents.shape[-1], dtype=torch.float64) / 2.0
    radius = torch.sqrt(index[:, None] ** 2 + index[None, :] ** 2)
    rings = [(radius >= w - 0.5) & (radius < w + 0.5) for w in range(1, latents.shape[-1] // 2)]
    frequency = torch.stack([radius[ring].log().mean() for ring in rings])
    level = torch.stack([power[ring].mean() for ring in rings])
    away = frequency - frequency.mean()
    slope = float((away * level).sum() / away.square().sum())
    return math.exp(float(level.mean()) - slope * float(frequency.mean())), -slope


def _matrix(side: int) -> Tensor:
    """The orthonormal DCT-II of a side."""
    line = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi * line[:, None] * (2.0 * line[None, :] + 1.0) / (2.0 * side))
    matrix *= math.sqrt(2.0 / side)
    matrix[0] /= math.sqrt(2.0)
    return matrix.float()


def _dct(x: Tensor) -> Tensor:
    matrix = _matrix(x.shape[-1])
    return matrix @ x @ matrix.T


def _idct(x: Tensor) -> Tensor:
    matrix = _matrix(x.shape[-1])
    return matrix.T @ x @ matrix
