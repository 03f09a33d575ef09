"""Grounds that vary in what no prompt says: phase, pitch and angle of the pattern, its strength, its tone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fresco_core.demo.vocabulary import GROUND_KINDS

PITCHES = (28.0, 72.0)
"""Shortest and longest period of a pattern in pixels."""


def open_ground(kind: str, colour: Tensor, side: int, random: torch.Generator) -> Tensor:
    """A ground (3, side, side), about [0, 1], in a colour (3,)."""
    draw = torch.rand(8, generator=random).tolist()
    pitch = PITCHES[0] * (PITCHES[1] / PITCHES[0]) ** draw[0]
    angle, phase_x, phase_y = math.tau * draw[1], pitch * 2 * draw[2], pitch * 2 * draw[3]
    axis = torch.arange(side) + 0.5 - side / 2
    across, down = axis[None, :], axis[:, None]
    x = across * math.cos(angle) + down * math.sin(angle)
    y = down * math.cos(angle) - across * math.sin(angle)
    strength = 0.7 + 0.5 * draw[4]
    light = pattern(kind, x, y, pitch, (phase_x, phase_y), side).clamp(-1, 1) * strength
    tone = colour + 0.06 * (2 * torch.tensor(draw[5:8]) - 1)
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
