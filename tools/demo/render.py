"""Draw scenes: sprites over grounds, in batches, on any device."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fresco_core.demo.scenes import MAX_OBJECTS
from fresco_core.demo.vocabulary import GROUND_COLOURS, Vocabulary

from .packages import picture

log = logging.getLogger(__name__)

SIZE_SHARES = (0.23, 0.335, 0.47)
"""Side of a small, medium and big sprite as a share of the picture's."""


@dataclass(frozen=True)
class Looks:
    """How scenes vary beyond what the prompt says."""

    side: int = 192
    """Pixels."""
    shift: float = 3.0
    """Objects move by up to this many pixels in each direction."""
    stretch: float = 0.06
    """Objects are larger or smaller by up to this share."""
    free_phase: bool = False
    """Whether patterns start anywhere, not at the picture's corner."""
    pitch: float = 24.0
    """Period of the patterns in pixels."""


class Renderer:
    """Sprites of a vocabulary, ready to draw."""

    def __init__(self, points: Mapping[str, int], vocabulary: Vocabulary, looks: Looks, device: str = "cpu"):
        self.vocabulary, self.looks, self.device = vocabulary, looks, device
        self.sides = [round(share * looks.side) for share in SIZE_SHARES]
        self.cell = 2 * math.ceil((max(self.sides) + 4) / 2)
        self.atlas = _atlas([points[name] for name in vocabulary.objects], self.sides, self.cell).to(device)
        self.colours = torch.tensor([GROUND_COLOURS[word] for word in vocabulary.colours], device=device)

    def draw(self, ids: Tensor, random: torch.Generator) -> Tensor:
        """Pictures (B, 3, side, side) in [0, 1] of ids (B, ID_COLUMNS)."""
        ids = ids.to(self.device)
        picture = self._grounds(ids, random)
        side, batch = self.looks.side, len(ids)
        axis = torch.arange(side, device=self.device) + 0.5
        for slot in range(MAX_OBJECTS):
            name, place, size = ids[:, 3 * slot : 3 * slot + 3].unbind(1)
            here = (name > 0).nonzero()[:, 0]
            if not len(here):
                continue
            name, place, size = name[here] - 1, place[here] - 1, size[here] - 1
            jitter = (
                torch.rand(batch, 3, generator=random, device=random.device).to(self.device)[here] * 2 - 1
            )
            centre = torch.stack((place % 3, place // 3), 1) * (side * 0.32) + side * 0.18
            reach = torch.tensor(self.sides, device=self.device)[size][:, None] / 2 + self.looks.shift
            centre = (
                torch.minimum(torch.maximum(centre.float(), reach), side - reach)
                + jitter[:, :2] * self.looks.shift
            )
            scale = (1 + jitter[:, 2] * self.looks.stretch)[:, None] * (self.cell / 2)
            x = (axis[None] - centre[:, :1]) / scale
            y = (axis[None] - centre[:, 1:]) / scale
            grid = torch.stack((x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)), -1)
            sprite = F.grid_sample(self.atlas[size, name], grid, mode="bilinear", align_corners=False)
            picture[here] = picture[here] * (1 - sprite[:, 3:]) + sprite[:, :3]
        return picture.clamp_(0, 1)

    def _grounds(self, ids: Tensor, random: torch.Generator) -> Tensor:
        side, pitch, batch = self.looks.side, self.looks.pitch, len(ids)
        axis = torch.arange(side, device=self.device) + 0.5
        phase = torch.rand(batch, 2, generator=random, device=random.device).to(self.device) * pitch
        phase = phase if self.looks.free_phase else phase * 0
        x = (axis + phase[:, :1])[:, None, :].expand(-1, side, -1)
        y = (axis + phase[:, 1:])[:, :, None].expand(-1, -1, side)
        turn = 2 * math.pi / pitch
        waves = {
            "plain": torch.zeros_like(x),
            "gradient": ((axis / side) * 2 - 1)[None, :, None].expand_as(x) * 1.8,
            "checks": 4 * torch.sin(x * turn) * torch.sin(y * turn),
            "stripes": 2.5 * torch.sin((x + y) * turn),
            "dots": 3 * (torch.cos(x * turn) + torch.cos(y * turn) - 0.8),
            "waves": 2.5 * torch.sin((y + pitch / 4 * torch.sin(x * turn / 2)) * turn),
        }
        stack = torch.stack([waves[kind] for kind in self.vocabulary.kinds])
        light = stack[ids[:, -2] - 1, torch.arange(batch, device=self.device)].clamp(-1, 1)[:, None]
        colour = self.colours[ids[:, -1] - 1][:, :, None, None]
        return colour + light.clamp(min=0) * (1 - colour) * 0.55 + light.clamp(max=0) * colour * 0.22


def _atlas(points: list[int], sides: list[int], cell: int) -> Tensor:
    """Sprites with premultiplied alpha, (sizes, objects, 4, cell, cell), centred."""
    out = torch.zeros(len(sides), len(points), 4, cell, cell)
    for index, point in enumerate(points):
        file = picture(point)
        if file is None:
            raise FileNotFoundError(f"No picture for code point {point:x}.")
        out[:, index] = torch.stack([_sprite(file, side, cell) for side in sides])
    return out


def _sprite(file: Path, side: int, cell: int) -> Tensor:
    image = Image.open(file).convert("RGBa").resize((side, side), Image.Resampling.BOX)
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
    edge = (cell - side) // 2
    return F.pad(pixels, (edge, cell - side - edge, edge, cell - side - edge))


def sheet(pictures: Tensor, columns: int, file: Path, gap: int = 4) -> None:
    """Write pictures (B, 3, H, W) in [0, 1] as one PNG."""
    b, _, h, w = pictures.shape
    rows = math.ceil(b / columns)
    canvas = torch.ones(3, rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i, one in enumerate(pictures.detach().float().cpu().clamp(0, 1)):
        top, left = (i // columns) * (h + gap), (i % columns) * (w + gap)
        canvas[:, top : top + h, left : left + w] = one
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((canvas.permute(1, 2, 0) * 255).round().byte().numpy()).save(file)
