"""The strip below a picture: what it shows, and which value a colour stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...fresco_core.view.colours import DEFAULT_PALETTE, colour
from .font import font_for

GROUND, TEXT = (24, 24, 24), (235, 235, 235)
SMALLEST, LARGEST = 10, 18  # font sizes in pixels
GAP = 4


def with_legends(
    groups: Sequence[Tensor],
    captions: Sequence[str],
    ticks: list[tuple[float, str]],
    palette: str = DEFAULT_PALETTE,
) -> Tensor:
    """Groups of pictures (B, H, W, 3) in [0, 1], each with its caption and a bar of the palette below it.

    `ticks` are (position on the bar in [0, 1], words); without any there is no bar. The pictures, all of one
    size, come back as one batch: one font fits all captions.
    """
    width = groups[0].shape[2]
    size = _font_size(width, [*captions, "  ".join(words for _, words in ticks)])
    labelled = []
    for pictures, caption in zip(groups, captions, strict=True):
        strip = _strip(width, size, caption, ticks, palette)
        labelled.append(torch.cat((pictures, strip.expand(pictures.shape[0], -1, -1, -1)), dim=1))
    return torch.cat(labelled)


def _font_size(width: int, lines: list[str]) -> int:
    """The font size that suits a width in pixels and fits the longest line, as far as that can be read."""
    size = max(SMALLEST, min(LARGEST, width // 16))
    while size > SMALLEST and max(font_for(words, size).getlength(words) for words in lines) > width - size:
        size -= 1
    return size


def _strip(width: int, size: int, caption: str, ticks: list[tuple[float, str]], palette: str) -> Tensor:
    """(H, width, 3): the caption, the bar, the words of the ticks."""
    margin = size // 2
    top = margin + size + margin
    words_at = top + size // 2 + margin // 2
    image = Image.new("RGB", (width, words_at + size + margin if ticks else top), GROUND)
    draw = ImageDraw.Draw(image)
    draw.text((margin, margin), caption, TEXT, font_for(caption, size), anchor="la")
    length = max(width - 2 * margin, 2)
    if ticks:
        bar = (colour(torch.linspace(0, 1, length), palette) * 255).to(torch.uint8)
        image.paste(Image.fromarray(bar.expand(size // 2, -1, -1).contiguous().numpy()), (margin, top))
    for position, words in ticks:
        font = font_for(words, size)
        long = font.getlength(words)
        left = margin + position * (length - 1) - long / 2
        left = min(max(left, margin), width - margin - long)
        draw.text((left, words_at), words, TEXT, font, anchor="la")
    return torch.from_numpy(np.array(image)).float() / 255.0


def beside(*pictures: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) of any height, side by side with gaps between them."""
    height = max(p.shape[1] for p in pictures)
    ground = torch.tensor(GROUND) / 255.0
    row: list[Tensor] = []
    for p in pictures:
        if row:
            row.append(ground.expand(p.shape[0], height, GAP, 3))
        row.append(torch.cat((p, ground.expand(p.shape[0], height - p.shape[1], p.shape[2], 3)), dim=1))
    return torch.cat(row, dim=2)
