"""Grounds that vary in what no prompt says: phase, pitch and angle of the pattern, its strength, its tone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fresco_core.demo.vocabulary import GROUND_KINDS

PITCHES = (36.0, 60.0)
"""Shortest and longest period of a pattern in pixels."""
MOST_TURN = 30.0
"""Degrees that a pattern is turned by, either way."""


def open_ground(kind: str, colour: Tensor, side: int, random: torch.Generator) -> Tensor:
    """A ground (3, side, side), about [0, 1], in a colour (3,)."""
    draw = torch.rand(8, generator=random).tolist()
    pitch = PITCHES[0] * (PITCHES[1] / PITCHES[0]) ** draw[0]
    angle = math.radians(MOST_TURN) * (2 * draw[1] - 1)
    phase_x, phase_y = pitch * 2 * draw[2], pitch * 2 * draw[3]
    axis = torch.arange(side) + 0.5 - side / 2
    across, down = axis[None, :], axis[:, None]
    x = across * math.cos(angle) + down * math.sin(angle)
    y = down * math.cos(angle) - across * math.sin(angle)
    strength = 0.8 + 0.3 * draw[4]
    light = pattern(kind, x, y, pitch, (phase_x, phase_y), side).clamp(-1, 1) * strength
    tone = colour + 0.03 * (2 * torch.tensor(draw[5:8]) - 1)
    tone = tone[:, None, None]
    return tone + light.clamp(min=0) * (1 - tone) * 0.55 + light.clamp(max=0) * tone * 0.25


def pattern(kind: str, x: Tensor, y: Tensor, pitch: float, phase: tuple[float, float], side: int) -> Tensor:
    """The lightness of a pattern, to be cut to [-1, 1], along turned axes x, y (side, side)."""
    turn = math.tau / pitch
    if kind == "plain":
        return torch.zeros_like(x)
    if kind == "gradient":
        return 2.2 * y / side
    x, y = x + phase[0], y + phase[1]
    if kind == "checks":
        return 4 * torch.sin(x * turn / 2 * math.sqrt(2)) * torch.sin(y * turn / 2 * math.sqrt(2))
    if kind == "stripes":
        return 2.5 * torch.sin(x * turn)
    if kind == "dots":
        return 3 * (torch.cos(x * turn) + torch.cos(y * turn) - 0.8)
    if kind == "waves":
        return 2.5 * torch.sin((y + pitch / 4 * torch.sin(x * turn / 2)) * turn)
    raise ValueError(f"Unknown kind of ground '{kind}'; expected one of {', '.join(GROUND_KINDS)}.")
