"""The unified noise field: one white Gaussian value per coordinate, for every resolution of a run.

Inside a host the field is the host's own seeded noise tensor. Without a host `hashed_noise` draws it from a
counter-based hash, so that a value depends on (seed, batch, frame, y, x, channel) alone: not on the canvas
size, the device or the order of calls (Fresco, Eq. 3).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_GOLDEN, _MIX_1, _MIX_2 = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
"""Odd constants of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser on uint64 with wrap-around."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def hashed_noise(
    seed: int, shape: tuple[int, ...], *, origin: tuple[int, int, int, int] = (0, 0, 0, 0),
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32,
) -> Tensor:
    """White unit Gaussian noise of `shape` (B, C, H, W) or (B, C, T, H, W), bound to coordinates.

    `origin` is the (batch, frame, y, x) coordinate of the first value, so any crop of a larger canvas can be
    drawn by itself. The values are made on the CPU in float64 (hash to two uniforms, then Box and Muller) and
    converted. Raises ValueError for other shapes.
    """
    if len(shape) not in (4, 5):
        raise ValueError(f"noise shape is {tuple(shape)}; expected (B, C, H, W) or (B, C, T, H, W)")
    batch, channels, height, width = shape[0], shape[1], shape[-2], shape[-1]
    frames = shape[2] if len(shape) == 5 else 1

    state = _mix(np.full((1,) * 5, seed % (1 << 64), np.uint64) + _GOLDEN)
    axes = ((0, batch, origin[0]), (2, frames, origin[1]), (3, height, origin[2]), (4, width, origin[3]))
    for dim, count, start in (*axes, (1, channels, 0)):
        values = np.arange(start, start + count).astype(np.uint64)
        coordinate = values.reshape([-1 if d == dim else 1 for d in range(5)])
        state = _mix(state + (coordinate + np.uint64(1)) * _GOLDEN)
    # 53 bits for the radius (never zero), 53 bits of a second hash for the angle
    radius = ((state >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    angle = (_mix(state + _GOLDEN) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn = np.sqrt(-2.0 * np.log(radius)) * np.cos(angle * (2.0 * np.pi))
    return torch.from_numpy(drawn).reshape(shape).to(device=device, dtype=dtype)


def check_finite(name: str, values: Tensor) -> None:
    """Raise ValueError that counts the NaN and infinite values of a tensor, if it has any. Synchronises."""
    if not torch.isfinite(values).all():
        nan = int(torch.isnan(values).sum())
        infinite = int(torch.isinf(values).sum())
        raise ValueError(
            f"the {name} has {nan} NaN and {infinite} infinite of {values.numel()} values; "
            "Fresco needs finite values: check the node that made it (a VAE in half precision is the "
            "usual cause)"
        )
