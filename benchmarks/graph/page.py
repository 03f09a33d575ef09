"""The report: one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from fresco_core.bench import Bench, Recommendation
from fresco_core.bench.grid import worth_seeing
from fresco_core.bench.plot import plot
from fresco_core.bench.table import HEAD, decibels, rows

from .measure import Measurement

LARGEST = 640  # pixels a side of a picture on the page
STYLE = """
:root { color-scheme: light dark; --ink: #28262a; --paper: #faf8f4; --line: #d8d2c8; --mark: #b8651a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e4de; --paper: #1b1a1c; --line: #3c3a3e; --mark: #f0b068; } }
body { margin: 0 auto; max-width: 1180px; padding: 28px 20px 60px; font: 16px/1.5 system-ui, sans-serif;
  background: var(--paper); color: var(--ink); }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 34px 0 8px; }
.about, figcaption, .small { opacity: .75; font-size: 14px; }
.use { border-left: 5px solid var(--mark); padding: 4px 16px; margin: 18px 0; }
.use p { margin: 6px 0; } .use p:first-child { font-size: 20px; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); }
td { vertical-align: top; } .figures td:not(:nth-last-child(2)) { white-space: nowrap; }
tr.chosen td:first-child { color: var(--mark); font-weight: 700; }
img.plot { width: 100%; max-width: 1120px; border-radius: 6px; }
.row { display: flex; gap: 12px; overflow-x: auto; padding-bottom: 6px; }
figure { margin: 0; flex: 0 0 auto; }
figure img { display: block; width: min(320px, 80vw); border-radius: 4px; } code { font-size: 14px; }
"""


def page(
    measurement: Measurement, bench: Bench, found: Recommendation, about: Sequence[tuple[str, str]]
) -> str:
    """The report. about: what was run, {name: words}."""
    parts = [
        f"<h1>{escape(bench.model)}: plain and Fresco</h1>",
        f'<p class="about">{escape(", ".join(filter(None, (bench.size, bench.device))))}; '
        f"{len(bench.seeds)} seeds; seconds of sampling alone, the warm-up not counted</p>",
        '<div class="use">' + "".join(f"<p>{escape(p)}</p>" for p in found.words.splitlines()) + "</div>",
        f'<img class="plot" alt="Nearness over seconds" src="{embedded(plot(bench, found), "PNG")}">',
        "<h2>Figures</h2>",
        _table(measurement, bench, found),
        "<h2>Pictures</h2>",
        *_pictures(measurement, bench, found),
        "<h2>What was run</h2>",
        _about(measurement, about),
        _left_out(measurement),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    title = f"<title>Fresco on {escape(bench.model)}</title>"
    head += f"{title}<style>{STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def embedded(image: Image.Image, kind: str = "JPEG") -> str:
    """A picture as a data address."""
    image = image.convert("RGB")
    if kind == "JPEG":
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, kind, quality=90)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _table(measurement: Measurement, bench: Bench, found: Recommendation) -> str:
    found_rows = rows(bench, found)
    used = [i for i in range(len(HEAD)) if i == 0 or any(row[i] for row in found_rows)]
    whole = "whole job"
    lines = ["".join(f"<th>{escape(HEAD[i])}</th>" for i in used) + f"<th>{whole}</th>"]
    marks = [""]
    for trial, row in zip(bench.trials, found_rows):
        times = measurement.figures[trial.setting].whole
        cells = [row[i].removeprefix("> ").strip() for i in used]
        cells.append(f"{sum(times) / len(times):.2f} s" if times else "")
        lines.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
        marks.append(' class="chosen"' if trial is found.chosen else "")
    body = "".join(f"<tr{mark}>{line}</tr>" for mark, line in zip(marks, lines))
    return f'<div class="wide"><table class="figures">{body}</table></div>'


def _pictures(measurement: Measurement, bench: Bench, found: Recommendation) -> list[str]:
    made = []
    for trial in worth_seeing(bench, found):
        own = measurement.figures[trial.setting]
        captions = [
            f"seed {n + 1}" + ("" if trial is bench.reference else f": {decibels(p)}, SSIM {own.ssim[n]:.3f}")
            for n, p in sorted(own.psnr.items())
        ]
        figures = "".join(
            f'<figure><img alt="{escape(trial.setting.label)}, {escape(words)}" src="{embedded(picture)}">'
            f"<figcaption>{escape(words)}</figcaption></figure>"
            for picture, words in zip((own.shown[n] for n in sorted(own.shown)), captions)
        )
        made.append(f'<h3>{escape(trial.setting.label)}</h3><div class="row">{figures}</div>')
    return made


def _about(measurement: Measurement, about: Sequence[tuple[str, str]]) -> str:
    lines = [(s.name, s.schedule or "") for s in measurement.presets]
    told = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(words)}</td></tr>" for name, words in about if words
    )
    schedules = "".join(f"<tr><td>{escape(n)}</td><td><code>{escape(s)}</code></td></tr>" for n, s in lines)
    return f'<div class="wide"><table>{told}{schedules}</table></div>'


def _left_out(measurement: Measurement) -> str:
    own = [f"{s.label}: {f.note}" for s, f in measurement.figures.items() if f.note]
    notes = [*measurement.notes, *own]
    if not notes:
        return '<h2>What it could not do</h2><p class="small">Nothing was left out.</p>'
    return "<h2>What it could not do</h2><ul>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"
