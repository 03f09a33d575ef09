"""Coherence of the ground: how much of it does not lie on one pattern.

A ground of the demo's scenes is plain, shaded, or a pattern that repeats along two turned axes: stripes,
checks and dots at one pitch, waves at twice the pitch along their crests. So whatever the pattern, its
colours are a sum of few harmonics of two wave vectors of which one is the other turned by a right angle, and
only a pitch and an angle have to be found; phases and colours are linear. Of the part of the ground that no
object covers, by what the judge reads, the residual is

    mean of min(|picture - fit|^2, v) / v,      v the variance of the visible ground, and a floor,

between 0, one pattern throughout, and 1, none. A ground whose phase jumps, or whose pitch or angle drifts, is
matched in one place only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core.demo.classifier import Reading
from tools.demo.render import SIZE_SHARES

SIDE = 64
"""Grounds are looked at in this size."""
PADDED = 512
LONGEST, SHORTEST = 0.31, 0.085
"""Periods that are looked for, as shares of the picture's side."""
FLOOR = 0.02
"""Deviation of colour, of 1, that counts as nothing; about what an autoencoder costs."""
STRAY = 0.1
"""Deviation from the fit at which a pixel begins to look like something else than ground."""
LEAST_VISIBLE = 0.08
"""Share of a picture below which its ground is not judged."""


@dataclass(frozen=True)
class Pattern:
    """A kind of pattern: the wave vectors it shows most of, and all that its fit may use, in multiples of the
    pitch's own, (along the axis, across it); only one of each pair of opposites."""

    leading: tuple[tuple[float, float], ...]
    harmonics: tuple[tuple[float, float], ...]


def _upper(across: tuple[float, ...], along: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(n), m) for n in range(along + 1) for m in across if n > 0 or m > 0)


PATTERNS = (
    Pattern(((1, 0),), tuple((float(n), 0.0) for n in range(1, 6))),  # stripes
    Pattern(((1, 0), (0, 1)), _upper(tuple(float(m) for m in range(-3, 4)), 3)),  # dots, and checks
    Pattern(  # waves
        ((1, 0), (1, 0.5), (1, -0.5)),
        tuple((float(n), m / 2) for n, most in ((1, 4), (2, 5), (3, 6)) for m in range(-most, most + 1)),
    ),
)
AXIS = (np.arange(SIDE) + 0.5) / SIDE - 0.5
ACROSS, DOWN = (part.ravel() for part in np.meshgrid(AXIS, AXIS))
SMOOTH = np.stack([ACROSS**i * DOWN**j for i in range(4) for j in range(4 - i)], axis=1)
LIGHT = np.stack((np.ones_like(ACROSS), ACROSS, DOWN), axis=1)


def visible_ground(reading: Reading) -> Tensor:
    """Where no object is read: (B, SIDE, SIDE) of bool. An object covers a disc around its cell's centre."""
    axis = (torch.arange(SIDE) + 0.5) / SIDE
    objects, sizes = reading.objects.argmax(-1), reading.sizes.argmax(-1)
    visible = torch.ones(len(objects), SIDE, SIDE, dtype=torch.bool)
    for cell in range(9):
        share = torch.tensor((SIZE_SHARES[1], *SIZE_SHARES))[sizes[:, cell]]
        centre = [
            torch.minimum(torch.maximum(torch.tensor(0.18 + 0.32 * place), 0.46 * share), 1 - 0.46 * share)
            for place in (cell % 3, cell // 3)
        ]
        across, down = (axis[None] - place[:, None] for place in centre)
        away = torch.sqrt(across[:, None, :] ** 2 + down[:, :, None] ** 2)
        covered = away < (0.56 * share + 0.04)[:, None, None]
        visible &= ~(covered & (objects[:, cell] > 0)[:, None, None])
    return visible


def residuals(pictures: Tensor, visible: Tensor) -> np.ndarray:
    """Residual of each ground (B,) of pictures (B, 3, H, W) in [0, 1], where it is `visible` (B, SIDE, SIDE);
    NaN where too little of it is."""
    small = F.interpolate(pictures.float(), (SIDE, SIDE), mode="area")
    colours = small.permute(0, 2, 3, 1).flatten(1, 2).double().numpy()
    seen = visible.flatten(1).numpy()
    return np.array([residual(one, where) for one, where in zip(colours, seen, strict=True)], np.float32)


def residual(colours: np.ndarray, seen: np.ndarray) -> float:
    """Of one ground: colours (SIDE^2, 3), seen (SIDE^2,) of bool."""
    if seen.mean() < LEAST_VISIBLE:
        return math.nan
    colours = _evenly_lit(colours, seen)
    inside = colours[seen]
    variance = float(np.square(inside - inside.mean(0)).sum(1).mean() / 3) + FLOOR**2
    power = _periodogram(colours.mean(1), seen)
    bases = [SMOOTH]
    bases += [np.concatenate((LIGHT, _waves(p.harmonics, *_found(power, p))), axis=1) for p in PATTERNS]
    return min(_misfit(basis, colours, seen, variance) for basis in bases)


def _evenly_lit(colours: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Colours without the linear fall of light over the picture, as far as the ground shows it."""
    grey = colours.mean(1)
    weights, *_ = np.linalg.lstsq(LIGHT[seen], grey[seen], rcond=None)
    light = LIGHT @ weights / max(abs(weights[0]), 0.05)
    return colours / np.clip(light, 0.6, 1.6)[:, None]


def _periodogram(grey: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Power at wave vectors (down, across) in steps of 1 / PADDED cycles a pixel, wrapped around."""
    window = np.where(seen, grey - grey[seen].mean(), 0.0).reshape(SIDE, SIDE)
    return np.abs(np.fft.fft2(window, (PADDED, PADDED))) ** 2


def _found(power: np.ndarray, pattern: Pattern) -> tuple[float, float]:
    """Cycles a picture and angle at which the leading wave vectors of a pattern have most power: a coarse
    search, and two finer ones about its best."""
    cycles = np.linspace(1 / LONGEST, 1 / SHORTEST, 48)
    angles = np.linspace(0.0, math.pi, 96, endpoint=False)
    steps = cycles[1] - cycles[0], angles[1] - angles[0]
    for _ in range(3):
        score = _score(power, pattern, cycles[:, None], angles[None, :])
        best = np.unravel_index(int(score.argmax()), score.shape)
        found = float(cycles[best[0]]), float(angles[best[1]])
        spread = np.linspace(-1.0, 1.0, 9)
        cycles, angles = found[0] + steps[0] * spread, found[1] + steps[1] * spread
        steps = steps[0] / 4, steps[1] / 4
    return found


def _score(power: np.ndarray, pattern: Pattern, cycles: np.ndarray, angles: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angles), np.sin(angles)
    total = np.zeros(np.broadcast_shapes(cycles.shape, angles.shape))
    for along, across in pattern.leading:
        x = (along * cos - across * sin) * cycles * (PADDED / SIDE)
        y = (along * sin + across * cos) * cycles * (PADDED / SIDE)
        total += _between(power, y, x)
    return total


def _between(power: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Power between its entries, bilinear."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    dy, dx = y - top, x - left
    corners = [power[(top + i) % PADDED, (left + j) % PADDED] for i in (0, 1) for j in (0, 1)]
    upper = corners[0] * (1 - dx) + corners[1] * dx
    return upper * (1 - dy) + (corners[2] * (1 - dx) + corners[3] * dx) * dy


def _waves(harmonics: tuple[tuple[float, float], ...], cycles: float, angle: float) -> np.ndarray:
    """(SIDE^2, 2 harmonics): cosines and sines."""
    u = ACROSS * math.cos(angle) + DOWN * math.sin(angle)
    v = DOWN * math.cos(angle) - ACROSS * math.sin(angle)
    pairs = np.array(harmonics)
    phase = 2 * math.pi * cycles * (np.outer(u, pairs[:, 0]) + np.outer(v, pairs[:, 1]))
    return np.concatenate((np.cos(phase), np.sin(phase)), axis=1)


def _misfit(basis: np.ndarray, colours: np.ndarray, seen: np.ndarray, variance: float) -> float:
    """The residual of the best fit of a basis; what strays far, an object that nobody read, does not pull."""
    inside, wanted = basis[seen], colours[seen]
    weight = np.ones(len(inside))
    for _ in range(3):
        weighted = inside * weight[:, None]
        normal = weighted.T @ inside + 1e-6 * len(inside) * np.eye(inside.shape[1])
        square = np.square(wanted - inside @ np.linalg.solve(normal, weighted.T @ wanted)).mean(1)
        weight = 1.0 / (1.0 + square / STRAY**2) ** 2
    return float(np.minimum(square, variance).mean() / variance)
