"""What users build of two samplers: two stages with fresh noise, and the high-resolution fix."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .painter import Painter, copied, noised, share_of, shifted


def two_stage(painter: Painter, sigmas: Sequence[float], share: float = 0.5, start: float = 0.9) -> Tensor:
    """A half-size run to its end, its latent enlarged, fresh noise at `start`, the rest of the steps at full
    size; the first two stages of Bottleneck Sampling (arXiv 2503.18940), and of countless graphs."""
    steps = len(sigmas) - 1
    low = share_of(share, steps)
    half = painter.euler(painter.fresh_noise(level=1), painter.grid(1.0, low))
    state = noised(copied(half), painter.fresh_noise(stream=1), start)
    return painter.euler(state, painter.grid(start, steps - low))


def hires_fix(painter: Painter, sigmas: Sequence[float], share: float = 0.5, denoise: float = 0.5) -> Tensor:
    """A half-size run, decoded, enlarged, encoded, then sampled again with denoise 0.5: the last steps of the
    host's grid for steps / denoise, with noise of its own, as KSampler does it."""
    steps = len(sigmas) - 1
    low = share_of(share, steps)
    half = painter.euler(painter.fresh_noise(level=1), painter.grid(1.0, low))
    again = steps - low
    whole = int(again / denoise)
    grid = [shifted(1.0 - i / whole, painter.shift) for i in range(whole - again, whole + 1)]
    return painter.euler(noised(painter.over_pixels(half), painter.fresh_noise(stream=1), grid[0]), grid)
