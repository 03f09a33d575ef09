"""Detail priors: what the canvas prediction holds in the bands that a coarse look cannot see.

All priors keep the low band: `merge(complete(low, ...), k) == low`. For each hidden Haar level they add

    zero            nothing
    smooth          the detail of a bicubic upsampling of the prediction
    wiener          w * x_d, the best linear guess from the canvas's own noisy detail x_d
    smooth_wiener   s + w_r * (x_d - a s): the smooth detail s, corrected by what the canvas says of its error

with w = a S / (a^2 S + b^2), S the clean power of the band. S is extrapolated from the coarser bands of the
current prediction, which a posterior mean shrinks to a^2 S^2 / (a^2 S + b^2); that is solved for S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .clock import Parameterisation, over_batch
from .transform import join, level_size, merge, pad_to_even, split

DETAIL_PRIORS: tuple[str, ...] = ("zero", "smooth", "wiener", "smooth_wiener")
DEFAULT_PRIOR = "zero"  # closest to the plain picture: `python -m benchmarks.quality --suite priors`

_DECAY = (0.25, 4.0)  # allowed ratio of neighbouring bands' powers: spectra from 1/f^4 to white
_UNSHRINK = 100.0  # a prediction's power is taken to be shrunk by this factor at the most


def check_prior(prior: str) -> str:
    """`prior` as it is, if it is one of DETAIL_PRIORS; ValueError otherwise."""
    if prior not in DETAIL_PRIORS:
        raise ValueError(f"unknown detail prior {prior!r}; expected one of {', '.join(DETAIL_PRIORS)}")
    return prior


def complete(
    low: Tensor,
    x: Tensor,
    sigma: Tensor,
    level: int,
    parameterisation: Parameterisation,
    prior: str = DEFAULT_PRIOR,
    power: Sequence[Tensor] | None = None,
) -> Tensor:
    """The canvas prediction (B, C, ..., H, W) for a prediction `low` made at `level`, and the canvas x it
    came from.

    `sigma` is the canvas's noise level, shape () or (B,). `power`, for tests and known processes, gives S of
    each hidden band instead of the estimate: per hidden level from fine to coarse, a tensor that broadcasts
    to (3, B, C, ...), in units of `split(merge(x0, level - 1))`.
    """
    check_prior(prior)
    size = (x.shape[-2], x.shape[-1])
    s = over_batch(sigma, low)
    a, b = parameterisation.signal(s), parameterisation.noise(s)
    for coarse in range(level, 0, -1):
        low = _refine_once(
            low,
            x,
            a,
            b,
            coarse,
            level_size(size, coarse - 1),
            prior,
            None if power is None else power[coarse - 1],
        )
    return low


def _refine_once(
    low: Tensor,
    x: Tensor,
    a: Tensor,
    b: Tensor,
    coarse: int,
    size: tuple[int, int],
    prior: str,
    power: Tensor | None,
) -> Tensor:
    """One level down: the prediction at `coarse` -> the prediction at `coarse - 1`, of `size`."""
    smooth = _smooth_detail(low) if prior.startswith("smooth") else None
    detail = smooth if smooth is not None else low.new_zeros((3, *low.shape))
    if prior.endswith("wiener"):
        bands = _details if smooth is None else _smooth_residual
        if power is None:
            power = band_power(low, a, b / (1 << coarse), bands)
        # the canvas at the finer level: a * x0 + (b / 2^(coarse - 1)) * white
        noisy = split(pad_to_even(merge(x, coarse - 1)))[1].to(low.dtype)
        noise = b / (1 << (coarse - 1))
        weight = a * power / (a * a * power + noise * noise).clamp_min(1e-20)
        detail = detail + weight * (noisy - a * detail)
    return join(2.0 * low, detail)[..., : size[0], : size[1]]


def _details(z: Tensor) -> Tensor:
    """The detail bands of z: (3, ..., h/2, w/2)."""
    return split(z)[1]


def _smooth_detail(low: Tensor) -> Tensor:
    """Detail bands (3, ..., h, w) of the bicubic upsampling of low (..., h, w)."""
    flat = low.reshape(-1, 1, *low.shape[-2:])
    up = torch.nn.functional.interpolate(flat, scale_factor=2, mode="bicubic", align_corners=False)
    return split(up)[1].reshape(3, *low.shape)


def _smooth_residual(z: Tensor) -> Tensor:
    """The detail bands of z that smooth upsampling of its own low band misses: (3, ..., h/2, w/2)."""
    low, detail = split(z)
    return detail - _smooth_detail(low * 0.5)


def band_power(
    low: Tensor,
    a: Tensor,
    b: Tensor,
    bands: Callable[[Tensor], Tensor],
) -> Tensor:
    """Clean power S of the first hidden band, extrapolated from the two finest visible ones: (3, B, C, 1,
    ...).

    `low` (B, C, ..., h, w) is the current prediction, a and b the coefficients of signal and noise at its
    level. `bands` gives the bands (3, B, C, ..., h/2, w/2) whose power is wanted. The ratio of neighbouring
    bands is pooled over channels and limited to spectra between 1/f^4 and white; grids too small to show two
    bands count as 1/f^2.
    """

    def measured(z: Tensor, noise: Tensor) -> Tensor:
        values = bands(z)
        mean = (values * values).mean(dim=tuple(range(3, values.ndim)), keepdim=True)
        return _unshrink(mean, a, noise)

    if min(low.shape[-2:]) < 2:
        return low.new_zeros((3,) + low.shape[:2] + (1,) * (low.ndim - 2))
    even = pad_to_even(low)
    finest = measured(even, b)
    if min(low.shape[-2:]) < 8:
        return finest
    coarser = measured(pad_to_even(merge(even, 1)), b * 0.5)
    decay = finest.mean(dim=2, keepdim=True) / coarser.mean(dim=2, keepdim=True).clamp_min(1e-20)
    return finest * decay.clamp(*_DECAY)


def _unshrink(power: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Solve power = a^2 S^2 / (a^2 S + b^2) for S, limited to `_UNSHRINK` times the power."""
    ratio = (b * b) / (a * a).clamp_min(1e-12)
    solved = 0.5 * (power + torch.sqrt(power * power + 4.0 * ratio * power))
    return torch.minimum(solved, _UNSHRINK * power)
