"""The unified noise field: one white Gaussian value per coordinate, for every resolution of a run.

Inside a host the field is the host's own seeded noise tensor. Without a host `hashed_noise` draws it from a
counter-based hash, so that a value depends on (seed, batch, frame, y, x, channel) alone: not on the canvas
size, the device or the order of calls (Fresco, Eq. 3).
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15  # odd constants of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def _signed(value: int) -> int:
    """The two's complement int64 of an unsigned 64-bit value."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """splitmix64's finaliser on int64 with wrap-around."""
    x = (x ^ _shift_right(x, 30)) * _signed(_MIX_1)
    x = (x ^ _shift_right(x, 27)) * _signed(_MIX_2)
    return x ^ _shift_right(x, 31)


def _absorb(state: Tensor, coordinate: Tensor) -> Tensor:
    return _mix(state + (coordinate + 1) * _signed(_GOLDEN))


def hashed_noise(
    seed: int,
    shape: tuple[int, ...],
    *,
    origin: tuple[int, int, int, int] = (0, 0, 0, 0),
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
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

    def axis(count: int, start: int, dim: int) -> Tensor:
        values = torch.arange(start, start + count, dtype=torch.int64)
        return values.reshape([-1 if d == dim else 1 for d in range(5)])

    state = _mix(torch.full((1,) * 5, _signed(seed), dtype=torch.int64) + _signed(_GOLDEN))
    for coordinate in (
        axis(batch, origin[0], 0),
        axis(frames, origin[1], 2),
        axis(height, origin[2], 3),
        axis(width, origin[3], 4),
        axis(channels, 0, 1),
    ):
        state = _absorb(state, coordinate)
    # 53 bits for the radius (never zero), 53 bits of a second hash for the angle
    radius = (_shift_right(state, 11) + 1).double() * 2.0**-53
    angle = _shift_right(_mix(state + _signed(_GOLDEN)), 11).double() * 2.0**-53
    values = torch.sqrt(-2.0 * torch.log(radius)) * torch.cos(angle * (2.0 * torch.pi))
    return values.reshape(shape).to(device=device, dtype=dtype)


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
