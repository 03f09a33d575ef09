"""The demo model as rivals draw with it, and what they have spent on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.demo.subjects import PromptedDenoiser
from fresco_core.look.bridge import Autoencoder, bicubic
from fresco_core.sampling import euler_step

FRESH_SEED = 1
"""Of noise that is not the run's own; further seeds follow it."""


@dataclass
class Painter:
    """The model on one shard's prompts.

    denoiser: of rows of the shard, all of them if None. noise: the run's field (B, C, H, W) at full size.
    first: index of the shard's first picture, which noise is bound to. shift: of the run's sigmas.
    step_flops: of an evaluation of one picture at a level; crossing_flops: of a picture's decoding at half
    size and encoding at full size. spectrum: amplitude and exponent of clean latents, see speed.py.
    """

    denoiser: Callable[[Tensor | None], PromptedDenoiser]
    codec: Autoencoder
    noise: Tensor
    first: int
    shift: float
    step_flops: Callable[[int], int]
    crossing_flops: Callable[[], int]
    spectrum: Callable[[], tuple[float, float]]
    flops: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.flops = torch.zeros(len(self.noise), dtype=torch.float64)

    def clean(self, x: Tensor, sigma: float, rows: Tensor | None = None) -> Tensor:
        """The clean prediction of latents x (B, C, h, w) of any level at sigma; rows: indices (B,) of the
        shard's pictures that x holds, all of them if None."""
        level = (self.noise.shape[-1] // x.shape[-1]).bit_length() - 1
        self.flops[slice(None) if rows is None else rows] += self.step_flops(level)
        return self.denoiser(rows)(x, torch.full((len(x),), sigma))

    def euler(self, x: Tensor, sigmas: Sequence[float]) -> Tensor:
        """x (B, C, h, w) at the first of some sigmas, followed to the last by Euler's rule."""
        for here, there in pairwise(sigmas):
            x = euler_step(x, self.clean(x, here), torch.tensor(here), torch.tensor(there))
        return x

    def over_pixels(self, half: Tensor) -> Tensor:
        """A clean half-size latent decoded, enlarged as a picture (bicubic) and encoded."""
        self.flops += self.crossing_flops()
        pixels = self.codec.decode(half)
        size = (pixels.shape[-2] * 2, pixels.shape[-1] * 2)
        return torch.cat([self.codec.encode(bicubic(some, size)) for some in pixels.split(16)])

    def fresh_noise(self, level: int = 0, stream: int = 0) -> Tensor:
        """White noise of a level's size that the run has not had yet, its own for every picture."""
        batch, channels, height, width = self.noise.shape
        size = (batch, channels, height >> level, width >> level)
        return hashed_noise(FRESH_SEED + stream, size, origin=(self.first, 0, 0, 0))

    def grid(self, start: float, steps: int) -> list[float]:
        """steps + 1 sigmas from start to 0, spread as the run's own are."""
        first = start / (self.shift - (self.shift - 1.0) * start)
        return [shifted(first * (1.0 - i / steps), self.shift) for i in range(steps + 1)]


def shifted(t: float, shift: float) -> float:
    """The sigma at time t of an even grid under a flow shift (SD3, arXiv 2403.03206)."""
    return shift * t / (1.0 + (shift - 1.0) * t)


def noised(clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """A flow state at sigma."""
    return (1.0 - sigma) * clean + sigma * noise


def copied(half: Tensor) -> Tensor:
    """A half-size latent at full size, each value over its block of four."""
    return F.interpolate(half, scale_factor=2, mode="nearest")


def share_of(share: float, steps: int) -> int:
    """A share of some steps, rounded; at least one and at most all but one."""
    return min(max(round(share * steps), 1), steps - 1)
