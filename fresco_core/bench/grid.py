"""The pictures of a bench: a row for each way of running, a column for each seed. Needs Pillow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from .figures import Bench, Trial
from .table import decibels, figures_of
from .verdict import Recommendation

GROUND, TEXT, FAINT, CHOSEN = (24, 24, 24), (235, 235, 235), (170, 170, 170), (240, 176, 104)
GAP, MARGIN = 8, 14
LABELS = 250  # pixels of the column of words
WIDEST = 2400  # of the whole
SMALLEST, LARGEST = 160, 384  # the longer side of a picture
Fonts = Callable[[int], ImageFont.FreeTypeFont | ImageFont.ImageFont]
"""By their size in pixels; with the letters of all that is drawn."""


def grid(
    bench: Bench, found: Recommendation, pictures: Mapping[str, Sequence[Image.Image]],
    fonts: Fonts = ImageFont.load_default,
) -> Image.Image:
    """Pictures by the labels of their settings, one a seed, with seconds, gain and distance beside each row
    and the distance below each picture. Settings without pictures are left out."""
    trials = [t for t in worth_seeing(bench, found) if pictures.get(t.setting.label)]
    first = pictures[bench.reference.setting.label][0]
    side = min(LARGEST, max(SMALLEST, (WIDEST - LABELS) // len(bench.seeds) - GAP))
    times = min(side / max(first.size), 2.0)
    width, height = (max(round(n * times), 1) for n in first.size)
    font, small, bold = (fonts(n) for n in (18, 15, 22))
    line = 26
    row = max(height + line, MARGIN * 2 + 5 * line) + GAP
    total = (LABELS + (width + GAP) * len(bench.seeds), line + 2 * MARGIN + row * len(trials))
    image = Image.new("RGB", total, GROUND)
    draw = ImageDraw.Draw(image)
    for column, seed in enumerate(bench.seeds):
        draw.text((LABELS + column * (width + GAP), MARGIN), f"seed {seed}", FAINT, small)
    for index, trial in enumerate(trials):
        top = line + 2 * MARGIN + index * row
        _words(draw, top, bench, trial, trial is found.chosen, (bold, font, small))
        for column, picture in enumerate(pictures[trial.setting.label]):
            left = LABELS + column * (width + GAP)
            image.paste(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), (left, top))
            if trial is not bench.reference and column < len(trial.psnr):
                words = f"{decibels(trial.psnr[column])}  SSIM {trial.ssim[column]:.3f}"
                draw.text((left, top + height + 4), words, FAINT, small)
    return image


def worth_seeing(bench: Bench, found: Recommendation) -> list[Trial]:
    """The reference, the presets, and plain with as many steps as take the seconds of what is recommended, or
    of the fastest preset."""
    done = [t for t in bench.presets if t.complete]
    fewer = sorted((t for t in bench.fewer if t.complete), key=lambda t: t.setting.steps)
    if found.chosen in fewer:
        return [bench.reference, *done, found.chosen]
    against = found.chosen if found.chosen in done else min(done, key=lambda t: t.mean_seconds, default=None)
    if against is None:
        return [bench.reference, *fewer]
    as_long = [t for t in fewer if bench.plain_seconds(t.setting.steps) <= against.mean_seconds * (1 + 1e-9)]
    return [bench.reference, *done, *(as_long[-1:] or fewer[:1])]


def _words(
    draw: ImageDraw.ImageDraw, top: int, bench: Bench, trial: Trial, chosen: bool, fonts: tuple
) -> None:
    """Name, seconds, gain and mean distances of a row."""
    bold, font, small = fonts
    time, gain, psnr, ssim, lpips = figures_of(bench, trial)
    draw.text((MARGIN, top), _fitted(trial.setting.label, bold), CHOSEN if chosen else TEXT, bold)
    lines = [time] if trial is bench.reference else [f"{time}   {gain}"]
    if trial is not bench.reference:
        lines += [f"PSNR {psnr}", f"SSIM {ssim}"] + ([f"LPIPS {lpips}"] if lpips else [])
    for number, words in enumerate(lines, 1):
        draw.text((MARGIN, top + 4 + 26 * number), words, TEXT, font)
    if chosen:
        draw.text((MARGIN, top + 4 + 26 * (len(lines) + 1)), "recommended", CHOSEN, small)
    elif trial.note:
        draw.text((MARGIN, top + 4 + 26 * (len(lines) + 1)), _fitted(trial.note, small), FAINT, small)


def _fitted(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The beginning of words that the column has room for."""
    if font.getlength(words) <= LABELS - 2 * MARGIN:
        return words
    while words and font.getlength(words + "...") > LABELS - 2 * MARGIN:
        words = words[:-1]
    return words + "..."
