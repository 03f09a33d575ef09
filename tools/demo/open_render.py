"""Draw scenes that vary in what no prompt says: turn, tint, light, shadow, overlap, the ground's pattern.

By a little each: a small model learns objects that vary widely only as blobs, and what words leave open
(which object, where, how large, on what ground) is much already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fresco_core.demo.scene import slots_of
from fresco_core.demo.vocabulary import GROUND_COLOURS, Vocabulary

from .open_grounds import open_ground
from .packages import picture
from .render import SIZE_SHARES, Looks

CELL = 1.4
"""Side of an atlas cell over its sprite's: room for the soft shadow."""
SHARPER = 1.15
"""Side of an atlas sprite over the one drawn."""
MOST_TURN = 9.0
"""Degrees either way."""
NAMED_SIDE = 48
"""Cells a side that an object's name is noted for: each token of every picture size has one at its centre or
next to it."""


class OpenRenderer:
    """Sprites of an open vocabulary, ready to draw; on the CPU."""

    def __init__(self, points: Mapping[str, int], vocabulary: Vocabulary, looks: Looks):
        self.vocabulary, self.looks = vocabulary, looks
        self.sides = [share * looks.side for share in SIZE_SHARES]
        self.atlas = [
            torch.stack([_sprite(points[name], round(side * SHARPER)) for name in vocabulary.objects])
            for side in self.sides
        ]
        self.colours = torch.tensor([GROUND_COLOURS[word] for word in vocabulary.colours])

    def draw(self, ids: Tensor, random: torch.Generator) -> Tensor:
        """Pictures (B, 3, side, side) in [0, 1] of ids (B, columns) that leave nothing out."""
        return self.draw_with_names(ids, random)[0]

    def draw_with_names(self, ids: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The pictures, and which object is where: (B, NAMED_SIDE, NAMED_SIDE) uint8, the word's index or 0
        for the ground, at the centres of so many cells a side."""
        drawn = [self._draw(row, random) for row in ids.cpu()]
        return torch.stack([shown for shown, _ in drawn]), torch.stack([names for _, names in drawn])

    def _draw(self, row: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        side, ground = self.looks.side, self.vocabulary.kinds[int(row[-2]) - 1]
        shown = open_ground(ground, self.colours[int(row[-1]) - 1], side, random)
        angle, slope, exposure, depth, reach, order = torch.rand(6, generator=random).tolist()
        towards = math.cos(math.tau * angle), math.sin(math.tau * angle)
        shadow = 0.4 * depth, 0.03 + 0.06 * reach  # its strength, and its distance over the sprite's side
        objects = [entry for entry in slots_of(row[None])[0].tolist() if entry[0]]
        names = torch.zeros(side, side, dtype=torch.uint8)
        for index in torch.randperm(len(objects), generator=random).tolist():
            self._place(shown, names, objects[index], towards, shadow, random)
        axis = (torch.arange(side) + 0.5) / side * 2 - 1
        light = 1 - 0.15 * slope * (towards[0] * axis[None, :] + towards[1] * axis[:, None])
        centres = ((torch.arange(NAMED_SIDE) + 0.5) * side / NAMED_SIDE).long()
        return shown.mul_(light * (0.94 + 0.12 * exposure)).clamp_(0, 1), names[centres][:, centres]

    def _place(
        self,
        shown: Tensor,
        names: Tensor,
        entry: list[int],
        towards: tuple[float, float],
        shadow: tuple[float, float],
        random: torch.Generator,
    ) -> None:
        """Draw one object and its shadow into a picture, and its name into the names, in place."""
        name, place, size = (value - 1 for value in entry)
        draw = (torch.rand(9, generator=random) * 2 - 1).tolist()
        side = self.sides[size] * (1 + self.looks.stretch * draw[0])
        centre = [
            min(max(self.looks.side * (0.18 + 0.32 * cell), 0.46 * side), self.looks.side - 0.46 * side)
            + self.looks.shift * away
            for cell, away in zip((place % 3, place // 3), draw[1:3], strict=True)
        ]
        turn = math.radians(MOST_TURN) * draw[3]
        cell = self.atlas[size][name]
        half = cell.shape[-1] / (2 * SHARPER) * side / self.sides[size]
        window = math.ceil(half * (abs(math.cos(turn)) + abs(math.sin(turn))) * 0.85)

        def sampled(x: float, y: float, channels: slice) -> tuple[Tensor, Tensor, Tensor]:
            """The sprite's channels around (x, y), and the parts of picture and names under them."""
            left, top = max(0, round(x) - window), max(0, round(y) - window)
            here = slice(top, round(y) + window), slice(left, round(x) + window)
            under = shown[(slice(None), *here)]
            rows, columns = (torch.arange(n) + 0.5 for n in under.shape[1:])
            across, down = (columns + left - x)[None, :] / half, (rows + top - y)[:, None] / half
            grid = torch.stack(
                (
                    across * math.cos(turn) + down * math.sin(turn),
                    down * math.cos(turn) - across * math.sin(turn),
                ),
                dim=-1,
            )
            return F.grid_sample(cell[None, channels], grid[None], align_corners=False)[0], under, names[here]

        away = shadow[1] * side
        dark, under, _ = sampled(centre[0] + away * towards[0], centre[1] + away * towards[1], slice(4, 5))
        under.mul_(1 - shadow[0] * dark)
        sprite, under, named = sampled(centre[0], centre[1], slice(0, 4))
        colour, opaque = sprite[:3], sprite[3:]
        grey = colour.mean(dim=0, keepdim=True)
        gains = torch.tensor([1 + 0.06 * value for value in draw[4:7]])[:, None, None]
        colour = (grey + (1 + 0.1 * draw[7]) * (colour - grey)) * gains * (1 + 0.05 * draw[8])
        under.mul_(1 - opaque).add_(torch.minimum(colour.clamp_(min=0), opaque))
        named[opaque[0] > 0.5] = name + 1


def _sprite(point: int, side: int) -> Tensor:
    """Premultiplied colours, alpha and soft alpha of a sprite, (5, cell, cell), centred."""
    file = picture(point)
    if file is None:
        raise FileNotFoundError(f"No picture for code point {point:x}.")
    pixels = _pixels(file, side)
    cell = 2 * math.ceil(side * CELL / 2)
    edge = (cell - side) // 2
    pixels = F.pad(pixels, (edge, cell - side - edge, edge, cell - side - edge))
    soft, reach = pixels[None, 3:], 2 * (side // 24) + 1
    for _ in range(2):
        soft = F.avg_pool2d(soft, reach, stride=1, padding=reach // 2)
    return torch.cat((pixels, soft[0]))


def _pixels(file: Path, side: int) -> Tensor:
    image = Image.open(file).convert("RGBa").resize((side, side), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
