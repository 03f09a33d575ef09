"""Exact denoisers in closed form: no network, so that what a plan does to the statistics can be computed and
shown.

The process is Gaussian and diagonal in the Haar basis: every detail coefficient of level j is independent
with variance S_j, around one of several mean pictures. Its posterior mean E[x0 | x] and that of each merged
level are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas.haar import merge, split, working
from ..canvas.noise_level import FLOW, Parameterisation, over_batch


def join(low: Tensor, details: Tensor) -> Tensor:
    """Inverse of `split`: low (..., h, w) and details (3, ..., h, w) -> (..., 2h, 2w)."""
    if details.shape != (3, *low.shape):
        raise ValueError(f"details are {tuple(details.shape)}; expected {(3, *low.shape)}")
    ll, (dh, dv, dd) = working(low), working(details)
    above = torch.stack(((ll + dh) + (dv + dd), (ll - dh) + (dv - dd)), dim=-1)
    below = torch.stack(((ll + dh) - (dv + dd), (ll - dh) - (dv - dd)), dim=-1)
    blocks = torch.stack((above, below), dim=-3) * 0.5  # (..., h, 2, w, 2)
    return blocks.flatten(-4, -3).flatten(-2).to(low.dtype)


@dataclass(frozen=True)
class HaarProcess:
    """Mixture of Gaussian processes that share their band powers.

    powers: S_j of the orthonormal detail bands of the full canvas, from the finest (j = 1) on; the last entry
    is the power of the remaining low band. means: (K, C, H, W) pictures, equally likely. Sides are multiples
    of 2^(len - 1).
    """

    means: Tensor
    powers: tuple[float, ...]

    @property
    def depth(self) -> int:
        """Number of detail levels."""
        return len(self.powers) - 1

    def level_of(self, x: Tensor) -> int:
        """The level at which a picture of x's size is seen; ValueError if it is none of the process's."""
        for level in range(self.depth + 1):
            if self.means.shape[-1] >> level == x.shape[-1] and self.means.shape[-2] >> level == x.shape[-2]:
                return level
        raise ValueError(
            f"{tuple(x.shape[-2:])} is no level of a {tuple(self.means.shape[-2:])} process "
            f"of {self.depth} levels"
        )

    def power(self, level: int, band: int) -> float:
        """S of `band` (0 the finest detail left, depth - level the low band) of the merged process.

        A merged canvas is its low band over 2^level, so powers shrink by 4^level.
        """
        return self.powers[level + band] / 4.0**level

    def bands(self, x: Tensor, level: int) -> list[Tensor]:
        """Orthonormal bands of x (..., H, W) at `level`: details (3, ..., h, w), fine first, then the low."""
        out: list[Tensor] = []
        for _ in range(self.depth - level):
            x, detail = split(x)
            out.append(detail)
        return [*out, x.unsqueeze(0)]

    @staticmethod
    def assemble(bands: Sequence[Tensor]) -> Tensor:
        """Inverse of `bands`."""
        low = bands[-1][0]
        for detail in reversed(bands[:-1]):
            low = join(low, detail)
        return low

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Samples (count, C, H, W) of the process itself."""
        pick = torch.randint(len(self.means), (count,), generator=generator)
        white = torch.randn(count, *self.means.shape[1:], generator=generator)
        scaled = [band * self.power(0, j) ** 0.5 for j, band in enumerate(self.bands(white, 0))]
        return self.means[pick] + self.assemble(scaled)

    def denoise(self, x: Tensor, sigma: Tensor, parameterisation: Parameterisation = FLOW) -> Tensor:
        """E[x0 | x], exact, for a state x (B, C, h, w) of any level at its own noise level sigma, shape () or
        (B,).

        Each mean picture is weighted by its likelihood; around it every band shrinks by a S / (a^2 S + b^2).
        """
        level = self.level_of(x)
        s = over_batch(sigma, x)
        a, b = parameterisation.signal(s), parameterisation.noise(s)
        means = self.bands(merge(self.means, level), level)
        score = x.new_zeros(x.shape[0], len(self.means))
        shrunk = []
        for j, (seen, mean) in enumerate(zip(self.bands(x, level), means, strict=True)):
            power = self.power(level, j)
            total = (a * a * power + b * b).clamp_min(1e-20)
            gap = seen.unsqueeze(2) - (a.unsqueeze(1) if a.ndim else a) * mean.unsqueeze(
                1
            )  # (3, B, K, C, h, w)
            score -= 0.5 * (gap * gap).sum(dim=(0, 3, 4, 5)) / total.reshape(-1, 1)
            shrunk.append((a * power / total, gap))
        weight = score.softmax(dim=1).reshape(1, *score.shape, 1, 1, 1)
        out = []
        for (gain, gap), mean in zip(shrunk, means, strict=True):
            gain = gain.reshape(1, -1, 1, 1, 1) if gain.ndim else gain
            out.append((weight * mean.unsqueeze(1)).sum(2) + gain * (weight * gap).sum(2))
        return self.assemble(out)


def power_law(depth: int, amplitude: float = 1.0, beta: float = 2.0) -> tuple[float, ...]:
    """Band powers of a 1/f^beta spectrum: `amplitude` in the finest, 2^beta times more in each coarser."""
    return tuple(amplitude * 2.0 ** (beta * min(j, depth - 1)) for j in range(depth + 1))
