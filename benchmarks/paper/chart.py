"""The table as a bar chart. Needs Pillow."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .table import Row

PAPER, INK, FAINT = (250, 248, 244), (40, 38, 36), (205, 199, 190)
EQUAL, TOTAL, THEIRS = (214, 140, 69), (46, 92, 138), (150, 144, 138)
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 1120, 250, 130, 16, 18, 74


def draw_chart(path: Path, rows: list[Row]) -> None:
    """Write the chart as PNG: for every published row the paper's gain and, per preset, ours and its part at
    equal steps."""
    groups = [list(group) for _, group in groupby(rows, key=lambda r: (r.model, r.resolution, r.nfe))]
    height = TOP + sum(BAR * (len(group) + 1) + GAP for group in groups) + 20
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    font, title = ImageFont.load_default(12), ImageFont.load_default(17)
    scale = (WIDTH - LEFT - RIGHT) / max(max(row.gain_total, row.paper_gain) for row in rows)
    draw.text((20, 14), "FLOPs at full resolution and 50 steps, as a multiple of the run's", INK, title)
    x = 20.0
    for colour, words in ((THEIRS, "paper"), (TOTAL, "ours"), (EQUAL, "part of it at equal steps")):
        draw.rectangle((x, 46, x + 10, 56), fill=colour)
        draw.text((x + 16, 44), words, INK, font)
        x += 40 + draw.textlength(words, font)
    y = TOP
    for group in groups:
        first = group[0]
        draw.text((20, y), f"{first.model} {first.resolution}", INK, font)
        draw.text((20, y + BAR), f"{first.nfe} of {first.baseline_nfe}", THEIRS, font)
        bars = [("paper", first.paper_gain, 0.0)]
        bars += [
            (f"{row.preset}{', at the most' * row.bound}", row.gain_total, row.gain_equal_steps)
            for row in group
        ]
        for name, whole, part in bars:
            draw.text((LEFT - 8 - draw.textlength(name, font), y), name, INK, font)
            draw.rectangle((LEFT, y + 2, LEFT + whole * scale, y + BAR - 2), fill=TOTAL if part else THEIRS)
            if part:
                draw.rectangle((LEFT, y + 2, LEFT + part * scale, y + BAR - 2), fill=EQUAL)
            reaches = "  reaches it" if part and whole >= first.paper_gain else ""
            draw.text((LEFT + whole * scale + 6, y), f"{whole:.2f}x{reaches}", INK, font)
            y += BAR
        draw.line((20, y + GAP // 2, WIDTH - 20, y + GAP // 2), fill=FAINT)
        y += GAP
    image.save(path)
