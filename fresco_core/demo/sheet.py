"""One sheet: both pictures, the level of every step, the convergence heatmaps. Needs Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..canvas.levels import LEVELS
from ..schedule.looks import level_name
from ..trace import Trace
from ..view.heatmap import heatmap

PAPER, INK, FAINT = (250, 248, 244), (40, 38, 36), (150, 144, 138)
LEVEL_COLOURS = ((46, 92, 138), (122, 160, 110), (214, 140, 69), (188, 84, 75), (120, 70, 110))
"""In the order of LEVELS."""
MARGIN, WIDTH = 28, 1120


def to_image(picture: Tensor, side: int) -> Image.Image:
    """(3, H, W) in [-1, 1] -> an image of `side` pixels."""
    values = ((picture.clamp(-1, 1) + 1.0) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(values).resize((side, side), Image.Resampling.LANCZOS)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_sheet(
    path: Path, plain: Tensor, ours: Tensor, trace: Trace, title: str, captions: tuple[str, str]
) -> Path:
    """Write the sheet as PNG. plain and ours: (3, H, W) in [-1, 1]; captions: a line under each picture."""
    side = (WIDTH - 3 * MARGIN) // 2
    shown = [e for e in trace.evaluations if e.convergence is not None]
    picks = [shown[i] for i in sorted({round(i) for i in np.linspace(0, len(shown) - 1, min(8, len(shown)))})]
    tile = (WIDTH - MARGIN * 2 - 10 * (len(picks) - 1)) // max(len(picks), 1)
    bars_top = 70 + side + 52
    maps_top = bars_top + 190
    sheet = Image.new("RGB", (WIDTH, maps_top + 34 + tile + 60), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 22), title, INK, _font(24))
    for column, (picture, caption) in enumerate(zip((plain, ours), captions, strict=True)):
        left = MARGIN + column * (side + MARGIN)
        sheet.paste(to_image(picture, side), (left, 70))
        pen.text((left, 70 + side + 10), caption, INK, _font(17))
    _draw_steps(pen, trace, bars_top)
    pen.text(
        (MARGIN, maps_top),
        "change of the prediction, block by block: bright still moves, dark has settled",
        INK,
        _font(17),
    )
    for index, evaluation in enumerate(picks):
        left = MARGIN + index * (tile + 10)
        values = (heatmap(evaluation, trace, 1)[0] * 255).to(torch.uint8).numpy()
        sheet.paste(
            Image.fromarray(values).resize((tile, tile), Image.Resampling.NEAREST), (left, maps_top + 34)
        )
        pen.text(
            (left, maps_top + 40 + tile),
            f"step {trace.evaluations.index(evaluation) + 1}, sigma {float(evaluation.sigma):.2f}",
            FAINT,
            _font(13),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def _draw_steps(pen: ImageDraw.ImageDraw, trace: Trace, top: int) -> None:
    """Bars of the tokens of every step, coloured by level, passes set apart."""
    count = len(trace.evaluations)
    gap = 24 if trace.evaluations and trace.evaluations[-1].pass_index else 0
    width = (WIDTH - 2 * MARGIN - gap * trace.evaluations[-1].pass_index) / count
    base = top + 140
    pen.text((MARGIN, top), "tokens the model sees, step by step", INK, _font(17))
    for index, e in enumerate(trace.evaluations):
        left = MARGIN + index * width + gap * e.pass_index
        height = 100 * e.tokens / trace.canvas.tokens(0)
        pen.rectangle((left + 2, base - height, left + width - 2, base), LEVEL_COLOURS[LEVELS.index(e.level)])
    for level in sorted({e.level for e in trace.evaluations}):
        left = MARGIN + 120 * sorted({e.level for e in trace.evaluations}).index(level)
        pen.rectangle((left, base + 10, left + 14, base + 24), LEVEL_COLOURS[LEVELS.index(level)])
        pen.text(
            (left + 20, base + 8), f"{level_name(level)}: {trace.canvas.tokens(level)}", FAINT, _font(14)
        )
