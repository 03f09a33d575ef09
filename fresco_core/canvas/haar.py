"""The orthonormal transforms between a canvas and its coarser levels.

Level k of a canvas is the mean of its 2^k x 2^k spatial blocks, the low band of the 2x2 Haar transform. Level
THREE_QUARTERS has three of the four cosines of each line of four pixels, put together as three pixels: an
orthonormal transform too, which keeps constants. All functions act on the last two dimensions, so images (B,
C, H, W) and video (B, C, T, H, W, per frame) go through the same code. They compute in float32 or better and
return the dtype that they were given.

A side that has no whole blocks is continued by repeating its last line, level by level; the line is cut off
again on the way back. This keeps `merge(expand(z)) == z` for every size at whole levels, and at
THREE_QUARTERS but for broken blocks, of which the pixels beyond the edge are lost. Where the values carry
noise, pass a canvas through edge.Margin first: repeated noise is stronger than the mean of independent noise.
"""

from __future__ import annotations

from math import cos, gcd, pi

import torch
from torch import Tensor

from .levels import THREE_QUARTERS, block, side_at


def _weight(p: int, n: int) -> float:
    """Of pixel n of four for pixel p of three: cosines of four, back as those of three."""
    return 0.25 + 0.5 * sum(cos(pi * (2 * p + 1) * k / 6) * cos(pi * (2 * n + 1) * k / 8) for k in (1, 2))


_SHRINKING = [[_weight(p, n) for n in range(4)] for p in range(3)]
_SPREADING = [[_weight(p, n) * 4 / 3 for p in range(3)] for n in range(4)]


def level_size(size: tuple[int, int], level: float) -> tuple[int, int]:
    """(H, W) in latent pixels of `level` of a canvas of `size`: of so many blocks, the last ones broken."""
    height, width = padded_size(size, level)
    return side_at(height, level), side_at(width, level)


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


def padded_size(size: tuple[int, int], level: float, multiple: int = 1) -> tuple[int, int]:
    """The smallest (H, W) not below `size`, of whole blocks, whose sides at `level` are whole multiples of
    `multiple`."""
    whole, own = block(level)
    unit = whole * multiple // gcd(own, multiple)
    return -(-size[0] // unit) * unit, -(-size[1] // unit) * unit


def _corners(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return x[..., 0::2, 0::2], x[..., 0::2, 1::2], x[..., 1::2, 0::2], x[..., 1::2, 1::2]


def _lines(x: Tensor, weights: list[list[float]], dim: int) -> Tensor:
    """Each block of pixels along dim, -1 or -2, as weighted sums of them, of the dtype's own precision."""
    parts = x.unflatten(dim, (-1, len(weights[0]))).unbind(dim)
    sums = [sum(weight * part for weight, part in zip(row, parts)) for row in weights]
    return torch.stack(sums, dim).flatten(dim - 1, dim)


def merge(x: Tensor, level: float = 1) -> Tensor:
    """The level of x, M^k: (..., H, W) -> (..., h, w) of `level_size`; block means at whole levels."""
    out, size = working(x), padded_size((x.shape[-2], x.shape[-1]), level)
    if level == THREE_QUARTERS:
        return _lines(_lines(extend(out, size), _SHRINKING, -1), _SHRINKING, -2).to(x.dtype)
    for _ in range(int(level)):
        a, b, c, d = _corners(pad_to_even(out))
        out = ((a + b) + (c + d)) * 0.25
    return out.to(x.dtype)


def expand(z: Tensor, level: float = 1, size: tuple[int, int] | None = None) -> Tensor:
    """Every block of the canvas as z has it and no detail besides, the operator E^k: copies at whole levels.
    `size` (H, W) cuts the padding of canvases with broken blocks off.

    `merge(expand(z, k, size), k) == z`, at whole levels exactly, at THREE_QUARTERS up to rounding and for
    whole blocks. Raises ValueError where `size` does not have z's size at `level`.
    """
    found = (z.shape[-2], z.shape[-1])
    if size is not None and level_size(size, level) != found:
        raise ValueError(f"level {level} of {size[0]}x{size[1]} is {level_size(size, level)}, not {found}")
    if level == 0:
        return z
    if level == THREE_QUARTERS:
        out = _lines(_lines(working(z), _SPREADING, -1), _SPREADING, -2).to(z.dtype)
    else:
        step = block(level)[0]
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


def unpack_channels(x: Tensor, packing: int) -> Tensor:
    """(B, c*p*p, H, W), channels `(c p p)` -> (B, c, H*p, W*p). packing 1 changes nothing."""
    return x if packing == 1 else torch.nn.functional.pixel_shuffle(x, packing)


def pack_channels(x: Tensor, packing: int) -> Tensor:
    """Inverse of `unpack_channels`."""
    return x if packing == 1 else torch.nn.functional.pixel_unshuffle(x, packing)
