"""Icon and banner: one scene, coarse on the left and fine on the right."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .scene import coarse_to_fine, scene

ICON = 400  # pixels a side, the most that the registry takes
BANNER = (1680, 720)  # 21 to 9
CORNER = 0.2  # of the icon's side
WORDS = ("Fresco", "Draft small, refine what matters")


def icon() -> Image.Image:
    """A square with round corners."""
    size = 2 * ICON
    picture = coarse_to_fine(scene(size, size, sun=(0.5, 0.4, 0.29)), ((0.5, 80),))
    image = Image.fromarray(picture.round().astype(np.uint8)).convert("RGBA")
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size - 1, size - 1), CORNER * size, fill=255)
    image.putalpha(mask)
    return image.resize((ICON, ICON), Image.Resampling.LANCZOS)


def banner() -> Image.Image:
    """The scene, wide, with the pack's name."""
    width, height = BANNER
    wide = scene(height, width, sun=(1.72, 0.42, 0.26))
    picture = coarse_to_fine(wide, ((0.36, 120), (0.60, 60), (0.72, 30)))
    image = Image.fromarray(picture.round().astype(np.uint8))
    pen = ImageDraw.Draw(image)
    name, line = WORDS
    pen.text((96, 96), name, (252, 246, 236), ImageFont.load_default(168))
    pen.text((106, 300), line, (236, 226, 210), ImageFont.load_default(48))
    return image
