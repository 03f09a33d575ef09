"""The figures as a table and as JSON."""

from __future__ import annotations

import math
from typing import Any

from .distance import EQUAL
from .figures import Bench, Trial
from .interval import interval
from .verdict import Recommendation, Verdict, seconds

HEAD = ("", "seconds", "gain", "PSNR", "SSIM", "LPIPS", "against plain at the same seconds")


def _mean(values: tuple[float, ...]) -> float | None:
    return sum(values) / len(values) if values else None


def decibels(value: float) -> str:
    """A PSNR; that of pictures without a difference has no number."""
    return "equal" if value >= EQUAL else f"{value:.1f} dB"


def figures_of(bench: Bench, trial: Trial) -> tuple[str, str, str, str, str]:
    """Seconds, gain, PSNR, SSIM and LPIPS of a trial as a table has them."""
    psnr, ssim, lpips = (_mean(v) for v in (trial.psnr, trial.ssim, trial.lpips))
    return (
        seconds(trial.mean_seconds) if trial.seconds else "",
        f"{interval(bench.gains(trial)).mean:.2f}x" if trial.seconds else "",
        "" if psnr is None else decibels(psnr),
        "" if ssim is None else f"{ssim:.3f}",
        "" if lpips is None else f"{lpips:.4f}",
    )


def rows(bench: Bench, found: Recommendation) -> list[tuple[str, ...]]:
    """One row a trial, in the columns of HEAD."""
    verdicts = {id(v.trial): v for v in found.verdicts}
    made: list[tuple[str, ...]] = []
    for trial in bench.trials:
        verdict = verdicts.get(id(trial))
        words = trial.note if verdict is None else verdict.words
        mark = "> " if trial is found.chosen else "  "
        made.append((mark + trial.setting.label, *figures_of(bench, trial), words))
    return made


def as_text(bench: Bench, found: Recommendation) -> str:
    """The table in columns, without those that nothing is in."""
    table = [HEAD, *rows(bench, found)]
    used = [i for i in range(len(HEAD)) if any(row[i] for row in table[1:])]
    widths = [max(len(row[i]) for row in table) for i in used]
    lines = ["  ".join(row[i].ljust(w) for i, w in zip(used, widths)).rstrip() for row in table]
    about = ", ".join(filter(None, (bench.model, bench.size, bench.device)))
    return "\n".join(filter(None, (about, *lines)))


def as_fields(bench: Bench, found: Recommendation) -> dict[str, Any]:
    """All figures and words, for JSON."""
    verdicts = {id(v.trial): v for v in found.verdicts}
    return {
        "model": bench.model,
        "size": bench.size,
        "device": bench.device,
        "seeds": list(bench.seeds),
        "recommendation": {
            "name": found.chosen.setting.label,
            "steps": found.chosen.setting.steps,
            "schedule": found.schedule,
            "sentence": found.sentence,
            "reason": found.reason,
            "uncertainty": found.uncertainty,
        },
        "trials": [_fields(bench, trial, verdicts.get(id(trial))) for trial in bench.trials],
    }


def _fields(bench: Bench, trial: Trial, verdict: Verdict | None) -> dict[str, Any]:
    setting = trial.setting
    made: dict[str, Any] = {
        "name": setting.label,
        "steps": setting.steps,
        "schedule": setting.schedule,
        "seconds": [round(value, 4) for value in trial.seconds],
        "gain": [round(value, 4) for value in bench.gains(trial)],
        "psnr": [None if value >= EQUAL else round(value, 3) for value in trial.psnr],
        "ssim": [round(value, 5) for value in trial.ssim],
        "lpips": [round(value, 5) for value in trial.lpips],
        "note": trial.note,
        "figures": list(figures_of(bench, trial)),
    }
    if verdict is not None:
        made["verdict"] = verdict.kind
        made["words"] = verdict.words
        made["advantage"] = {
            name: [_finite(value.mean), _finite(value.low), _finite(value.high)]
            for name, value in (verdict.advantage or {}).items()
        }
    return made


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
