"""What a level hides: the power of detail bands, beside that of the noise which the canvas carries in them.

A coarse look may hide only what is noise. Band j (1 the finest) of a canvas at sigma holds the detail of the
clean picture with power a(sigma)^2 P_j and noise with power b(sigma)^2; level k hides the bands 1 to k, and
it is enough while in each of them

    a(sigma)^2 P_j  <=  tolerance * b(sigma)^2.

`band_powers` measures P on a picture that is given (image to image: detail that is there must stay);
`hidden_powers` extrapolates what a model would predict there, from what it has predicted at a level (the
spectral rule, arXiv 2605.18736, there with constants fitted to one VAE).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..canvas.haar import extend, merge, pad_to_even, padded_size, split
from ..canvas.noise_level import FLOW, Parameterisation

TOLERANCE = 0.0025
"""Power of a given picture's hidden detail over that of the noise in its band, up to which a run on the
trained demo model is no further from the plain one than a run from pure noise is."""


def hides_noise_only(
    powers: Sequence[float], sigma: float, parameterisation: Parameterisation, tolerance: float = TOLERANCE
) -> list[bool]:
    """For each band of clean power P: whether a look at `sigma` may hide it."""
    signal, noise = parameterisation.signal(sigma), parameterisation.noise(sigma)
    return [signal * signal * power <= tolerance * noise * noise for power in powers]


def _enough(powers: Sequence[float], sigma: float, parameterisation: Parameterisation) -> int:
    """The coarsest level that hides only bands which may be hidden; `powers` from the finest band on."""
    return (*hides_noise_only(powers, sigma, parameterisation), False).index(False)


def coarsest_level(
    picture: Tensor, sigma: float, level: int, parameterisation: Parameterisation = FLOW,
    mask: Tensor | None = None,
) -> int:
    """The coarsest level, `level` at the most, at which a run that starts at `sigma` from the clean `picture`
    (B, C, ..., H, W) may be seen. Reads from the device once.

    mask (picture's shape, or 1 where that has more): only what is painted, above 0, counts.
    """
    return _enough(band_powers(picture, level, mask).tolist(), sigma, parameterisation)


def coarsest_level_unseen(sigma: float, level: int, parameterisation: Parameterisation = FLOW) -> int:
    """As `coarsest_level`, for a run that goes on from a canvas which holds its noise: what is signal in it
    cannot be told, so every band counts as strong as a latent of unit power."""
    return _enough([1.0] * level, sigma, parameterisation)


def holds_noise(canvas: Tensor, sigma: float, parameterisation: Parameterisation = FLOW) -> bool:
    """Whether a canvas (B, C, ..., H, W) that a run without noise of its own goes on from shows at least half
    of the noise of `sigma` in its finest band: else it is something else than its sampler takes it for. Reads
    from the device once."""
    noise = parameterisation.noise(sigma)
    return bool((band_powers(canvas, 1) >= 0.5 * noise * noise).all())


def band_powers(picture: Tensor, level: int, mask: Tensor | None = None) -> Tensor:
    """Mean power of the bands 1 to `level` of picture (B, C, ..., H, W), in units of the canvas's orthonormal
    coefficients, of that picture of the batch which has most: (level,) on its device."""
    powers = []
    low = picture.float()
    for band in range(1, level + 1):
        even = pad_to_even(low)
        detail = split(even)[1] * 2.0 ** (band - 1)
        squares = (detail * detail).mean(dim=0)
        if mask is None:
            powers.append(squares.flatten(1).mean(dim=1).amax())
        else:
            painted = _painted(mask, band, (picture.shape[-2], picture.shape[-1])).expand(squares.shape)
            total = painted.flatten(1).sum(dim=1).clamp_min(1.0)
            powers.append(((squares * painted).flatten(1).sum(dim=1) / total).amax())
        low = merge(even, 1)
    return torch.stack(powers) if powers else picture.new_zeros(0)


def _painted(mask: Tensor, band: int, size: tuple[int, int]) -> Tensor:
    """1 for every block of `band` in which something is painted: (B, C, ..., h, w)."""
    whole = extend((mask > 0.0).float(), padded_size(size, band))
    flat = whole.reshape(-1, 1, *whole.shape[-2:])
    pooled = max_pool2d(flat, 1 << band)
    return pooled.reshape(*whole.shape[:-2], *pooled.shape[-2:])


def hidden_powers(low: Tensor, level: int) -> Tensor:
    """P of the bands that the levels from `level` to 1 hide, for the prediction low (B, C, ..., h, w) made at
    `level`: (level,).

    In units of the canvas's orthonormal bands. Power never rises towards finer bands; where low is too small
    to show two, it is taken to stay.
    """
    fine = _detail_power(low)
    ratio = torch.ones_like(fine)
    if min(low.shape[-2:]) >= 4:
        coarse = 4.0 * _detail_power(merge(pad_to_even(low), 1))
        ratio = (fine / coarse.clamp_min(1e-30)).clamp(max=1.0)
    bands = torch.arange(1, level + 1, device=low.device)
    return (fine * ratio ** bands.unsqueeze(1)).amax(dim=1) * 4.0**level


def _detail_power(z: Tensor) -> Tensor:
    """Mean power (B,) of the detail bands of z (B, C, ..., h, w)."""
    detail = split(pad_to_even(z.float()))[1]
    return (detail * detail).mean(dim=(0, *range(2, detail.ndim)))
