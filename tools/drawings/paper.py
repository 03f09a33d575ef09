"""What drawings are drawn on: a sheet in units of its final pixels, drawn larger and brought down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fresco_core.demo.sheet import FAINT, INK, LEVEL_COLOURS, PAPER

TIMES = 3
Point = tuple[float, float]
Colour = tuple[int, int, int]


class Paper:
    """A sheet of width x height pixels."""

    def __init__(self, width: int, height: int):
        self.size = width, height
        self._image = Image.new("RGB", (width * TIMES, height * TIMES), PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def text(self, at: Point, words: str, size: int = 15, colour: Colour = INK, anchor: str = "la") -> None:
        """Words at a point; anchor as Pillow has it."""
        font = ImageFont.load_default(size * TIMES)
        self._pen.text(_times(at), words, colour, font, anchor=anchor, spacing=4 * TIMES)

    def box(self, corner: Point, size: Point, fill: Colour | None = None, edge: Colour | None = None) -> None:
        """A rectangle."""
        (x, y), (width, height) = corner, size
        if width > 0 and height > 0:
            ends = (*_times((x, y)), *(value - 1 for value in _times((x + width, y + height))))
            self._pen.rectangle(ends, fill, edge, width=TIMES)

    def line(self, points: list[Point], colour: Colour = INK, width: float = 1.5) -> None:
        """A line through points."""
        self._pen.line([_times(p) for p in points], colour, round(width * TIMES), joint="curve")

    def dot(self, at: Point, radius: float = 4.0, colour: Colour = INK) -> None:
        """A disc."""
        x, y = at
        self._pen.ellipse((*_times((x - radius, y - radius)), *_times((x + radius, y + radius))), colour)

    def arrow(self, start: Point, end: Point, colour: Colour = INK) -> None:
        """An arrow along a row."""
        (x, y), head = end, 6.0
        self.line([start, (x - head, y)], colour)
        self._pen.polygon([_times(p) for p in ((x, y), (x - head, y - 4), (x - head, y + 4))], colour)

    def picture(self, corner: Point, values: np.ndarray, side: int) -> None:
        """(H, W, 3) of 0 to 255 as `side` x `side` pixels, its own pixels kept as squares."""
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
        large = image.resize((side * TIMES, side * TIMES), Image.Resampling.NEAREST)
        self._image.paste(large, tuple(round(value) for value in _times(corner)))

    def save(self, path: Path, **options: bool) -> None:
        """Write it."""
        self._image.resize(self.size, Image.Resampling.LANCZOS).save(path, **options)


def _times(at: Point) -> Point:
    return at[0] * TIMES, at[1] * TIMES


__all__ = ["FAINT", "INK", "LEVEL_COLOURS", "PAPER", "Paper"]
