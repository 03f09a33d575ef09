"""What can be measured: sampler settings, and the suites that answer a question with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from fresco_core.schedule import PRESETS

_LATER = ("order", "refine", "focus", "clock", "frame")  # what was measured before them keeps its file's name


@dataclass(frozen=True)
class Setting:
    """One way to sample.

    schedule: as `fresco_core.schedule.parse` reads it. steps: over all passes. prior: detail prior. rewind: a
    name in `benchmarks.quality.rewinds.REWINDS`. order, refine, focus: as for
    `fresco_core.promotion.Promotion`. clock, frame: of mixed looks, see `fresco_core.mixed.CLOCKS` and
    `fresco_core.demo.attention.FRAMES`.
    """

    schedule: str
    steps: int
    prior: str = "smooth"
    rewind: str = "shared"
    order: str = "low"
    refine: str | None = None
    focus: str = "high"
    clock: str = "native"
    frame: str = "aligned"

    @property
    def options(self) -> list[str]:
        """Everything but schedule and steps in words; what has its default value is left out."""
        words = {
            "prior": self.prior,
            "rewind": f"{self.rewind} rewind",
            "order": f"{self.order} first",
            "refine": f"{self.refine} first in later passes",
            "focus": f"focus on {self.focus}",
            "clock": f"{self.clock} clock",
            "frame": f"{self.frame} frame",
        }
        return [words[f.name] for f in fields(self) if f.name in words and getattr(self, f.name) != f.default]

    @property
    def name(self) -> str:
        """In words; what has its default value is left out."""
        return " | ".join([f"{self.steps} steps", self.schedule, *self.options])

    @property
    def key(self) -> str:
        """A short name for files, the same for equal settings only."""
        own = asdict(self)
        for name in _LATER:
            if own[name] == getattr(Setting, name):
                del own[name]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]

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


def rewinds() -> list[Setting]:
    """The run's own noise, fresh noise, or the draft's own path at the rewind."""
    return [
        Setting(f"draft 1/2 60%; refine {sigma} 40%", 12, rewind=rewind)
        for sigma in (0.6, 0.75, 0.9)
        for rewind in ("shared", "fresh", "path")
    ]


SUITES = {f.__name__: f for f in (baselines, presets, passes, divisions, priors, rewinds)}
