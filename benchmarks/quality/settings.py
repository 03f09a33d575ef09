"""What can be measured: sampler settings, and the suites that answer a question with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from fresco_core.presets import PRESETS


@dataclass(frozen=True)
class Setting:
    """One way to sample.

    schedule: as `fresco_core.schedule.parse` reads it. steps: over all passes. prior: detail prior. rewind: a
    name in `benchmarks.quality.rewinds.REWINDS`.
    """

    schedule: str
    steps: int
    prior: str = "smooth"
    rewind: str = "shared"

    @property
    def name(self) -> str:
        """In words; what has its default value is left out."""
        words = [f"{self.steps} steps", self.schedule]
        words += [self.prior] if self.prior != "smooth" else []
        words += [f"{self.rewind} rewind"] if self.rewind != "shared" else []
        return " | ".join(words)

    @property
    def key(self) -> str:
        """A short name for files, the same for equal settings only."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def plain(self) -> bool:
        """Whether every step is full and there is one pass."""
        return self.schedule == "full"


REFERENCE = Setting("full", 50)
"""What the other pictures are compared with, seed by seed."""

TOTALS = (8, 12, 20, 30, 50)


def baselines() -> list[Setting]:
    """The plain sampler at falling cost."""
    return [REFERENCE, *(Setting("full", steps) for steps in (30, 20, 18, 12, 9, 6, 4, 3, 2))]


def presets() -> list[Setting]:
    """Every preset that is not `off`, at every total."""
    return [Setting(line, n) for line in PRESETS.values() if line != "full" for n in TOTALS]


def passes() -> list[Setting]:
    """One pass against draft and rewind against three passes, at two totals."""
    one = [Setting(f"1/2 until {s}, full", n) for s in (0.9, 0.8, 0.6) for n in (12, 20)]
    two = [Setting(f"draft 1/2 60%; refine {s} 40%", n) for s in (0.6, 0.75, 0.9) for n in (12, 20)]
    three = [Setting("draft 1/4 30%; refine 0.9 1/2 30%; refine 0.75 40%", n) for n in (12, 20)]
    return one + two + three


def divisions() -> list[Setting]:
    """Where to rewind to, and how many of the steps to spend on the draft."""
    return [
        Setting(f"draft 1/2 {draft}%; refine {sigma} {100 - draft}%", n)
        for n in TOTALS
        for draft in (50, 65, 80)
        for sigma in (0.8, 0.9, 0.95)
    ]


def priors() -> list[Setting]:
    """Detail priors, in one pass and in two."""
    lines = ("1/2 until 0.8, full", *(f"draft 1/2 60%; refine {sigma} 40%" for sigma in (0.75, 0.9)))
    return [
        Setting(line, 12, prior) for line in lines for prior in ("zero", "smooth", "wiener", "smooth_wiener")
    ]


def tolerances() -> list[Setting]:
    """When `auto` becomes finer."""
    return [Setting(f"auto {t} 80%, full 20%", n) for t in (0.003, 0.01, 0.03, 0.1, 0.3) for n in (12, 20)]


def rewinds() -> list[Setting]:
    """The run's own noise, fresh noise, or the draft's own path at the rewind."""
    return [
        Setting(f"draft 1/2 60%; refine {sigma} 40%", 12, rewind=rewind)
        for sigma in (0.6, 0.75, 0.9)
        for rewind in ("shared", "fresh", "path")
    ]


SUITES = {f.__name__: f for f in (baselines, presets, passes, divisions, priors, tolerances, rewinds)}
