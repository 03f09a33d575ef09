"""A closed-form model to draw with: landscapes as the means of a Haar process, plaster as its noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .closed_form import HaarProcess, power_law

SIDE = 256
PATCH = 8  # a token of the demo is 8x8 pixels: 1024 tokens at full resolution


def _colour(*rgb: float) -> Tensor:
    return torch.tensor(rgb).reshape(3, 1, 1) * 2.0 - 1.0


def _landscape(index: int, side: int) -> Tensor:
    """Sky, sun, mountains and water, composed by `index`: (3, side, side) in [-1, 1]."""
    generator = torch.Generator().manual_seed(1000 + index)
    pick = torch.rand(12, generator=generator).tolist()
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    dusk = index % 2
    top, low = (
        (_colour(0.16, 0.24, 0.45), _colour(0.93, 0.62, 0.42))
        if dusk
        else (_colour(0.33, 0.55, 0.75), _colour(0.93, 0.90, 0.80))
    )
    horizon = 0.55 + 0.15 * pick[0]
    picture = top + (low - top) * (y / horizon).clamp(0, 1)
    sun = ((x - 0.15 - 0.7 * pick[1]) ** 2 + (y - 0.15 - 0.2 * pick[2]) ** 2).sqrt()
    picture = torch.where(sun < 0.05 + 0.03 * pick[3], _colour(0.99, 0.88, 0.60), picture)
    for ridge in range(3):
        height = horizon - 0.22 + 0.09 * ridge
        for wave in range(1, 6):
            height = height + 0.10 / wave**1.2 * torch.sin(
                2 * math.pi * (wave * (1 + pick[4 + ridge]) * x + pick[7] * 9 + ridge * wave * pick[8] * 5)
            )
        shade = 0.62 - 0.17 * ridge
        picture = torch.where(
            (y > height) & (y < horizon), _colour(shade * 0.72, shade * 0.80, shade), picture
        )
    ripple = 0.06 * torch.sin(90 * (y - horizon) / (0.35 + y - horizon) + 6 * torch.sin(9 * x + 5 * pick[9]))
    water = (
        _colour(0.20, 0.38, 0.46)
        + (low - _colour(0.2, 0.38, 0.46)) * 0.35 * (1 - (y - horizon) / (1 - horizon))
        + ripple
    )
    return torch.where(y >= horizon, water, picture).clamp(-1, 1)


def frescoes(count: int = 8, side: int = SIDE) -> HaarProcess:
    """The process: `count` landscapes, plaster texture with a 1/f^2 spectrum around each."""
    means = torch.stack([_landscape(i, side) for i in range(count)])
    return HaarProcess(means, power_law(5, amplitude=0.0015, beta=1.0))
