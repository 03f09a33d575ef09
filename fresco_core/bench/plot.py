"""Seconds against nearness: the line of plain steps, and where presets lie beside it. Needs Pillow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from .figures import Bench, Trial
from .grid import Fonts
from .interval import interval
from .verdict import Recommendation, seconds

Point = tuple[float, float]
PAPER, INK, FAINT = (250, 248, 244), (40, 38, 36), (216, 210, 200)
PLAIN, CHOSEN = (120, 114, 108), (214, 140, 69)
COLOURS = ((46, 92, 138), (128, 82, 148), (58, 128, 96), (170, 68, 68), (90, 90, 160), (130, 120, 40))
SIZE = (1120, 700)
LEFT, RIGHT, TOP, BOTTOM = 84, 44, 88, 70
TITLE = 22
WORDS = 17


@dataclass(frozen=True)
class Scale:
    """Seconds and decibels to places in the picture."""

    low: Point
    high: Point

    def place(self, at: Point) -> Point:
        """The place of (seconds, dB)."""
        x, y = ((v - a) / (b - a) for v, a, b in zip(at, self.low, self.high))
        width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
        return LEFT + x * width, TOP + (1.0 - min(max(y, 0.0), 1.0)) * height


def plot(bench: Bench, found: Recommendation, fonts: Fonts = ImageFont.load_default) -> Image.Image:
    """PSNR over seconds: grey the plain sampler with its numbers of steps and a line by what a step takes on
    the whole, in colour each preset with the 95 % interval of its seeds, ringed what is recommended; dashed
    the seconds of the reference."""
    image = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(image)
    draw.font = fonts(WORDS)
    shown = [t for t in (*bench.fewer, *bench.presets) if t.complete]
    scale = _scale(bench, shown)
    _axes(draw, scale, bench, fonts)
    _reference(draw, scale, bench)
    taken: list[tuple[float, float, float, float]] = []
    line = sorted((t for t in bench.fewer if t.complete), key=lambda t: t.setting.steps)
    fitted = [(bench.plain_seconds(t.setting.steps), _at(t)[1]) for t in line]
    draw.line([scale.place(at) for at in fitted], PLAIN, 3, joint="curve")
    for trial in line:
        x, y = scale.place(_at(trial))
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), PLAIN)
        _label(draw, taken, (x, y), str(trial.setting.steps), PLAIN, above=False)
    for colour, trial in zip(_cycled(len(bench.presets)), bench.presets):
        if trial.complete:
            _preset(draw, scale, trial, colour, taken)
    if found.chosen.complete and found.chosen is not bench.reference:
        x, y = scale.place(_at(found.chosen))
        draw.ellipse((x - 14, y - 14, x + 14, y + 14), outline=CHOSEN, width=4)
    return image


def _preset(
    draw: ImageDraw.ImageDraw, scale: Scale, trial: Trial, colour: tuple[int, int, int], taken: list
) -> None:
    x, y = scale.place(_at(trial))
    spread = interval(trial.psnr)
    if spread.known:
        ends = [scale.place((trial.mean_seconds, v))[1] for v in (spread.low, spread.high)]
        draw.line((x, ends[0], x, ends[1]), colour, 2)
        for end in ends:
            draw.line((x - 6, end, x + 6, end), colour, 2)
    draw.ellipse((x - 7, y - 7, x + 7, y + 7), colour)
    _label(draw, taken, (x, y), trial.setting.name, colour, above=True)


def _at(trial: Trial) -> Point:
    return trial.mean_seconds, sum(trial.psnr) / len(trial.psnr)


def _scale(bench: Bench, shown: list[Trial]) -> Scale:
    times = [t.mean_seconds for t in (*shown, bench.reference) if t.seconds] or [0.0, 1.0]
    near = [v for t in shown for v in (interval(t.psnr).mean, min(t.psnr), max(t.psnr))] or [20.0, 40.0]
    wide = max(max(times) - min(times), 0.05 * max(times), 1e-3)
    tall = max(max(near) - min(near), 4.0)
    return Scale(
        (max(min(times) - 0.12 * wide, 0.0), min(near) - 0.12 * tall),
        (max(times) + 0.08 * wide, max(near) + 0.18 * tall),
    )


def _axes(draw: ImageDraw.ImageDraw, scale: Scale, bench: Bench, fonts: Fonts) -> None:
    steps = bench.reference.setting.steps
    draw.text((LEFT, 18), f"How near to plain with {steps} steps, in how many seconds", INK, fonts(TITLE))
    about = ", ".join(filter(None, (bench.model, bench.size, bench.device)))
    seeds = f"{len(bench.seeds)} seed{'s' * (len(bench.seeds) != 1)}"
    draw.text((LEFT, 50), f"{about}; {seeds}" if about else seeds, PLAIN)
    bottom = SIZE[1] - BOTTOM
    for value in ticks(scale.low[1], scale.high[1]):
        y = scale.place((scale.low[0], value))[1]
        draw.line((LEFT, y, SIZE[0] - RIGHT, y), FAINT)
        draw.text((LEFT - 10, y), f"{value:g}", INK, anchor="rm")
    for value in ticks(scale.low[0], scale.high[0]):
        x = scale.place((value, scale.low[1]))[0]
        draw.line((x, bottom, x, bottom + 6), INK)
        draw.text((x, bottom + 10), f"{value:g}", INK, anchor="ma")
    draw.line((LEFT, bottom, SIZE[0] - RIGHT, bottom), INK)
    draw.text((SIZE[0] - RIGHT, SIZE[1] - 28), "seconds of sampling", INK, anchor="ra")
    draw.text((LEFT, SIZE[1] - 28), "PSNR in dB, higher is nearer; grey: plain with fewer steps", INK)


def _reference(draw: ImageDraw.ImageDraw, scale: Scale, bench: Bench) -> None:
    if not bench.reference.seconds:
        return
    x = scale.place((bench.reference.mean_seconds, scale.low[1]))[0]
    for y in range(TOP, SIZE[1] - BOTTOM, 14):
        draw.line((x, y, x, y + 7), PLAIN, 2)
    words = f"{bench.reference.setting.label}: {seconds(bench.reference.mean_seconds)}"
    draw.text((x - 8, TOP + 4), words, PLAIN, anchor="ra")


def _label(
    draw: ImageDraw.ImageDraw, taken: list[tuple[float, float, float, float]], at: Point, words: str,
    colour: tuple[int, int, int], above: bool,
) -> None:
    """Words beside a point, moved until they cover no others."""
    wide = draw.textlength(words)
    left = at[0] + 17 if at[0] + 17 + wide < SIZE[0] - 8 else at[0] - 17 - wide
    step = -WORDS - 3 if above else WORDS + 3
    y = at[1] - WORDS - 6 if above else at[1] + 4
    while any(left < r and left + wide > a and y < b and y + WORDS > t for a, t, r, b in taken):
        y += step
    taken.append((left, y, left + wide, y + WORDS))
    draw.text((left, y), words, colour)


def _cycled(count: int) -> list[tuple[int, int, int]]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers between two, `most` at the most: multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= raw)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
