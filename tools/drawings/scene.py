"""The scene of icon, banner and drawings: a sun over hills, and the same seen in blocks."""

from __future__ import annotations

import numpy as np

Picture = np.ndarray
"""(H, W, 3), float, 0 to 255."""

SKY = ((27, 58, 92), (74, 118, 150))
SUN, GLOW = (247, 206, 121), (232, 150, 88)
HILLS = ((196, 92, 72), (142, 58, 62), (84, 38, 54))
SAMPLES = 2  # a side, for every pixel


def scene(height: int, width: int, sun: tuple[float, float, float] = (0.5, 0.44, 0.25)) -> Picture:
    """The scene; sun: its centre and radius, in heights from the left and the top."""
    y, x = np.mgrid[0 : height * SAMPLES, 0 : width * SAMPLES].astype(np.float32) + 0.5
    x, y = x / (height * SAMPLES), y / (height * SAMPLES)
    out = _mixed(SKY[0], SKY[1], np.clip(y / 0.8, 0.0, 1.0))
    centre_x, centre_y, radius = sun
    away = np.hypot(x - centre_x, y - centre_y)
    down = np.clip((y - centre_y + radius) / (2.2 * radius), 0, 1)
    out = _over(out, away <= radius, _mixed(SUN, GLOW, down))
    for level, colour in enumerate(HILLS):
        turn = 2.0 * np.pi * (x / (1.15 - 0.2 * level) + 0.31 * level + 0.1)
        line = 0.62 + 0.13 * level + 0.06 * np.sin(turn)
        out = _over(out, y >= line, np.broadcast_to(np.array(colour, np.float32), out.shape))
    return out.reshape(height, SAMPLES, width, SAMPLES, 3).mean(axis=(1, 3))


def in_blocks(picture: Picture, side: int) -> Picture:
    """The means of blocks of `side` pixels, each over its block; both sizes are multiples of `side`."""
    height, width, _ = picture.shape
    means = picture.reshape(height // side, side, width // side, side, 3).mean(axis=(1, 3))
    return means.repeat(side, axis=0).repeat(side, axis=1)


def coarse_to_fine(picture: Picture, parts: tuple[tuple[float, int], ...]) -> Picture:
    """From the left, up to each part of the width, blocks of that side; the rest as it is."""
    out, width = picture.copy(), picture.shape[1]
    left = 0
    for until, side in parts:
        right = round(until * width / side) * side
        out[:, left:right] = in_blocks(picture, side)[:, left:right]
        left = right
    return out


def _mixed(first: tuple[int, ...], second: tuple[int, ...], part: np.ndarray) -> Picture:
    a, b = np.array(first, np.float32), np.array(second, np.float32)
    return a + (b - a) * part[..., None]


def _over(below: Picture, where: np.ndarray, above: Picture) -> Picture:
    return np.where(where[..., None], above, below)
