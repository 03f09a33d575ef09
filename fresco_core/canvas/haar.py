"""The 2x2 orthonormal Haar transform between a canvas and its coarser levels.

Level k of a canvas is the mean of its 2^k x 2^k spatial blocks. All functions act on the last two dimensions,
so images (B, C, H, W) and video (B, C, T, H, W, per frame) go through the same code. They compute in float32
or better and return the dtype that they were given.

A side that 2^k does not divide is continued by repeating its last line, level by level; the line is cut off
again on the way back. This keeps `merge(expand(z)) == z` for every size. Where the values carry noise, pass a
canvas through edge.Margin first: repeated noise is stronger than the mean of independent noise.
"""

from __future__ import annotations

import torch
from torch import Tensor


def level_size(size: tuple[int, int], level: int) -> tuple[int, int]:
    """(H, W) in latent pixels of `level` of a canvas of `size`: its sides divided by 2^level, rounded up."""
    check_level(level)
    step = 1 << level
    return -(-size[0] // step), -(-size[1] // step)


def check_level(level: int) -> None:
    """Raise ValueError unless `level` is an integer >= 0."""
    if isinstance(level, bool) or not isinstance(level, int) or level < 0:
        raise ValueError(
            f"level is {level!r}; expected an integer >= 0 (0 full, 1 half, 2 quarter resolution)"
        )


def working(x: Tensor) -> Tensor:
    """x in float32, or as it is where it is wider."""
    if x.ndim < 2:
        raise ValueError(f"found a tensor of shape {tuple(x.shape)}; expected (..., H, W)")
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def extend(x: Tensor, size: tuple[int, int]) -> Tensor:
    """x (..., H, W) continued to `size`, not smaller, by repeating its last row and column."""
    for dim, side in ((-2, size[0]), (-1, size[1])):
        if x.shape[dim] != side:
            lines = torch.arange(side, device=x.device).clamp(max=x.shape[dim] - 1)
            x = x.index_select(dim, lines)
    return x


def repeated(x: Tensor, batch: int) -> Tensor:
    """x (B, ...) repeated to a batch that holds it several times, as cond and uncond together do."""
    return x if x.shape[0] == batch else x.repeat(batch // x.shape[0], *(1,) * (x.ndim - 1))


def pad_to_even(x: Tensor) -> Tensor:
    """Repeat the last line of each odd side of x (..., H, W) once."""
    return extend(x, padded_size((x.shape[-2], x.shape[-1]), 1))


def padded_size(size: tuple[int, int], level: int, multiple: int = 1) -> tuple[int, int]:
    """The smallest (H, W) not below `size` whose sides at `level` are whole multiples of `multiple`."""
    unit = multiple << level
    return -(-size[0] // unit) * unit, -(-size[1] // unit) * unit


def _corners(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return x[..., 0::2, 0::2], x[..., 0::2, 1::2], x[..., 1::2, 0::2], x[..., 1::2, 1::2]


def merge(x: Tensor, level: int = 1) -> Tensor:
    """Block means M^k of x: (..., H, W) -> (..., ceil(H/2^level), ceil(W/2^level))."""
    check_level(level)
    out = working(x)
    for _ in range(level):
        a, b, c, d = _corners(pad_to_even(out))
        out = ((a + b) + (c + d)) * 0.25
    return out.to(x.dtype)


def expand(z: Tensor, level: int = 1, size: tuple[int, int] | None = None) -> Tensor:
    """Copy every value of z over its block: the operator E^k. `size` (H, W) cuts the padding of odd canvases
    off.

    `merge(expand(z, k, size), k) == z` exactly. Raises ValueError where `size` does not have z's size at
    `level`.
    """
    check_level(level)
    found = (z.shape[-2], z.shape[-1])
    if size is not None and level_size(size, level) != found:
        raise ValueError(
            f"level {level} of a {size[0]}x{size[1]} canvas is {level_size(size, level)}, but the "
            f"tensor is {found}"
        )
    if level == 0:
        return z
    step = 1 << level
    out = z.repeat_interleave(step, dim=-2).repeat_interleave(step, dim=-1)
    return out if size is None else out[..., : size[0], : size[1]]


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """One orthonormal Haar level of x (..., H, W), sides even: low (..., H/2, W/2), details (3, ..., H/2,
    W/2).

    The details are horizontal, vertical and diagonal differences; the four bands are the rows of the order-4
    Hadamard matrix over 2. `low` is twice the block mean.
    """
    if x.shape[-2] % 2 or x.shape[-1] % 2:
        raise ValueError(f"split needs even sides, found {tuple(x.shape[-2:])}; use pad_to_even first")
    a, b, c, d = _corners(working(x))
    low = ((a + b) + (c + d)) * 0.5
    details = torch.stack(((a - b) + (c - d), (a + b) - (c + d), (a - b) - (c - d))) * 0.5
    return low.to(x.dtype), details.to(x.dtype)


def join(low: Tensor, details: Tensor) -> Tensor:
    """Inverse of `split`: low (..., h, w) and details (3, ..., h, w) -> (..., 2h, 2w)."""
    if details.shape != (3, *low.shape):
        raise ValueError(f"details are {tuple(details.shape)}; expected {(3, *low.shape)}")
    ll, (dh, dv, dd) = working(low), working(details)
    above = torch.stack(((ll + dh) + (dv + dd), (ll - dh) + (dv - dd)), dim=-1)
    below = torch.stack(((ll + dh) - (dv + dd), (ll - dh) - (dv - dd)), dim=-1)
    blocks = torch.stack((above, below), dim=-3) * 0.5  # (..., h, 2, w, 2)
    return blocks.flatten(-4, -3).flatten(-2).to(low.dtype)


def unpack_channels(x: Tensor, packing: int) -> Tensor:
    """(B, c*p*p, H, W), channels `(c p p)` -> (B, c, H*p, W*p). packing 1 changes nothing."""
    return x if packing == 1 else torch.nn.functional.pixel_shuffle(x, packing)


def pack_channels(x: Tensor, packing: int) -> Tensor:
    """Inverse of `unpack_channels`."""
    return x if packing == 1 else torch.nn.functional.pixel_unshuffle(x, packing)
