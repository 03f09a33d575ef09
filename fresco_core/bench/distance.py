"""How far pictures are from others of the same seed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SPREAD = 11, 1.5  # pixels a side of the window of structural similarity, and of its Gaussian's sigma
LEAST_SIDE = WINDOW
EQUAL = 100.0  # dB, above which pictures of 8 bits are the same


def peak_ratio(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures (N, H, W, 3) in [0, 1], by the mean error of them all;
    EQUAL at the most, which also stands for no difference."""
    error = float((a - b).square().mean(dtype=torch.float64))
    return EQUAL if error <= 10 ** (-EQUAL / 10) else -10.0 * math.log10(error)


def similarity(a: Tensor, b: Tensor) -> float:
    """Structural similarity of pictures (N, H, W, 3) in [0, 1], mean over windows, channels and pictures
    (Wang et al. 2004: Gaussian windows of 11 pixels, whole ones only). Raises ValueError for smaller
    pictures."""
    if min(a.shape[1:3]) < LEAST_SIDE:
        raise ValueError(
            f"the pictures are {a.shape[2]}x{a.shape[1]} pixels; structural similarity needs at least "
            f"{LEAST_SIDE} a side"
        )
    return sum(_similarity(x, y) for x, y in zip(a, b)) / len(a)


def _similarity(a: Tensor, b: Tensor) -> float:
    """Of one pair (H, W, 3)."""
    x, y = (picture.movedim(-1, 0).unsqueeze(1).float() for picture in (a, b))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float(((2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1) * structure).mean())


def _windowed(channels: Tensor) -> Tensor:
    """Gaussian means of (C, 1, H, W) over whole windows."""
    place = torch.arange(WINDOW, device=channels.device) - WINDOW // 2
    weights = torch.exp(-place.float().square() / (2 * SPREAD**2))
    weights = weights / weights.sum()
    rows = F.conv2d(channels, weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1))
