"""Colour maps of heatmaps: perceptually uniform, dark to bright, legible without colour vision."""

from __future__ import annotations

import torch
from torch import Tensor

# Nine points each of matplotlib's maps (CC0, van der Walt and Smith), evenly spaced
PALETTES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "viridis": (
        (0.267, 0.005, 0.329),
        (0.279, 0.175, 0.483),
        (0.230, 0.322, 0.546),
        (0.173, 0.449, 0.558),
        (0.128, 0.567, 0.551),
        (0.158, 0.684, 0.502),
        (0.369, 0.789, 0.383),
        (0.678, 0.864, 0.190),
        (0.993, 0.906, 0.144),
    ),
    "inferno": (
        (0.001, 0.000, 0.014),
        (0.129, 0.047, 0.291),
        (0.342, 0.062, 0.429),
        (0.541, 0.135, 0.415),
        (0.736, 0.216, 0.330),
        (0.894, 0.353, 0.194),
        (0.978, 0.558, 0.035),
        (0.975, 0.798, 0.206),
        (0.988, 0.998, 0.645),
    ),
}
DEFAULT_PALETTE = "viridis"


def in_colour(pictures: Tensor) -> Tensor:
    """Pictures (..., 3) of ones with any number of channels; one or two are grey, the second opacity."""
    if pictures.shape[-1] < 3:
        return pictures[..., :1].expand(*pictures.shape[:-1], 3)
    return pictures[..., :3]


def colour(values: Tensor, palette: str = DEFAULT_PALETTE) -> Tensor:
    """Colours (..., 3) in [0, 1] of values (...) in [0, 1], linear between the points of the palette; what
    is no number has the colour of 0.

    Raises ValueError for a palette that is not there.
    """
    if palette not in PALETTES:
        raise ValueError(f"found the palette {palette!r}; expected one of {', '.join(PALETTES)}")
    table = torch.tensor(PALETTES[palette], dtype=torch.float32)
    scaled = values.float().nan_to_num(0.0).clamp(0.0, 1.0) * (len(table) - 1)
    low = scaled.floor().long().clamp(max=len(table) - 2)
    part = (scaled - low).unsqueeze(-1)
    return table[low] * (1.0 - part) + table[low + 1] * part
