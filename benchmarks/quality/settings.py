"""What can be measured: sampler settings, and the suites that answer a question with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

from fresco_core.demo.subjects import GUIDANCE
from fresco_core.detail import DEFAULT_PRIOR
from fresco_core.mixed import DEFAULT_CLOCK, DEFAULT_FRAME
from fresco_core.presets import PRESETS
from fresco_core.promotion import Promotion


@dataclass(frozen=True)
class Setting:
    """One way to sample.

    schedule: as `fresco_core.grammar.parse` reads it. steps: over all passes. prior: detail prior. rewind: a
    name in `benchmarks.quality.rewinds.REWINDS`. order, refine, focus: as for
    `fresco_core.promotion.Promotion`. clock, frame: of mixed looks, of `fresco_core.mixed.CLOCKS` and
    `FRAMES`. guidance: of the prompt; 1 does without.
    """

    schedule: str
    steps: int
    prior: str = DEFAULT_PRIOR
    rewind: str = "shared"
    order: str = Promotion.order
    refine: str | None = None
    focus: str = Promotion.focus
    clock: str = DEFAULT_CLOCK
    frame: str = DEFAULT_FRAME
    guidance: float = GUIDANCE

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
            "guidance": f"guidance {self.guidance:g}",
        }
        return [words[f.name] for f in fields(self) if f.name in words and getattr(self, f.name) != f.default]

    @property
    def name(self) -> str:
        """In words; what has its default value is left out."""
        return " | ".join([f"{self.steps} steps", self.schedule, *self.options])

    @property
    def key(self) -> str:
        """A short name for files, the same for equal settings only; it stays when mixed looks get options."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("order", "refine", "focus", "clock", "frame"):
            if own[name] == getattr(Setting, name):
                del own[name]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def plain(self) -> bool:
        """Whether this is the model's own sampler: one pass of full steps, guided as usual."""
        return self.schedule == "full" and self.guidance == GUIDANCE


REFERENCE = Setting("full", 50)
"""What the other pictures are compared with, seed by seed."""

TOTALS = (8, 12, 20, 30, 50)


def baselines() -> list[Setting]:
    """The plain sampler at falling cost."""
    return [REFERENCE, *(Setting("full", steps) for steps in (30, 20, 18, 9, 4))]


def between() -> list[Setting]:
    """The plain sampler at more costs, so that others can be compared with it at theirs."""
    return [Setting("full", steps) for steps in (12, 6, 3, 2)]


def presets() -> list[Setting]:
    """Every preset that is not `off`, where the plain sampler still has errors to compare with."""
    return [Setting(line, n) for line in PRESETS.values() if line != "full" for n in (4, 6, 8, 12, 20)]


def half_drafts() -> list[Setting]:
    """The presets where what a model is trained for keeps their drafts at half resolution, at the paper's
    evaluations for FLUX.1."""
    names = [(name, n) for name in ("quality", "balanced", "fast", "turbo") for n in (9, 18, 30)]
    return [Setting(PRESETS[name].replace("~1/4", "1/2"), n) for name, n in [("distilled", 4), *names]]


def starts() -> list[Setting]:
    """Where to refine from, for 2, 3, 6, 10 and 15 full steps."""
    cases: dict[tuple[str, int], tuple[float, ...]] = {
        ("draft 1/2 50%; refine {} 50% min x2", 4): (0.8, 0.85, 0.9),
        ("draft ~1/4 60%; refine {} 40% min x3", 8): (0.857, 0.9, 0.93, 0.95, 0.97),
        ("draft ~1/4 50%; refine {} 50% min x3", 12): (0.923, 0.95, 0.96),
        ("draft ~1/4 50%; refine {} 50% min x3", 20): (0.95, 0.96),
        ("draft ~1/4 25%; refine {} 75% min x3", 20): (0.95, 0.96, 0.97),
    }
    lines = ((line.format(sigma), n) for (line, n), some in cases.items() for sigma in (*some, ""))
    return [Setting(line.replace("  ", " "), n) for line, n in lines]


def passes() -> list[Setting]:
    """One pass, a draft that ends where the refine pass begins, a draft that is rewound, and three passes."""
    one = [Setting(f"1/2 until {s}, full", 12) for s in (0.9, 0.8, 0.6)]
    two = [
        Setting(f"draft 1/2 50%{end}; refine {s} 50%", 12)
        for s in (0.9, 0.75, 0.6)
        for end in (f" to {s}", "")
    ]
    three = [
        Setting(f"draft 1/4 25%{ends[0]}; refine 0.95 1/2 25%{ends[1]}; refine 0.9 50%", 12)
        for ends in ((" to 0.95", " to 0.9"), ("", ""))
    ]
    return one + two + three


def divisions() -> list[Setting]:
    """Where to refine from, and how many of the steps to spend on the draft, which ends there."""
    return [
        Setting(f"draft 1/2 {draft}% to {sigma}; refine {sigma} {100 - draft}%", n)
        for n in TOTALS
        for draft in (25, 50)
        for sigma in (0.8, 0.9, 0.95)
    ]


def guidance() -> list[Setting]:
    """How strongly the prompt guides the trained model."""
    return [Setting("full", 12, guidance=g) for g in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)]


def priors() -> list[Setting]:
    """Detail priors, in one pass and in two."""
    lines = ("1/2 until 0.8, full", *(f"draft 1/2 50%; refine {sigma} 50%" for sigma in (0.75, 0.9)))
    return [
        Setting(line, 12, prior) for line in lines for prior in ("zero", "smooth", "wiener", "smooth_wiener")
    ]


def tolerances() -> list[Setting]:
    """When `auto` becomes finer."""
    return [Setting(f"auto {t} 80%, full 20%", n) for t in (0.003, 0.01, 0.03, 0.1, 0.3) for n in (12, 20)]


def rewinds() -> list[Setting]:
    """The run's own noise, fresh noise, or the draft's own path at the rewind."""
    return [
        Setting(f"draft 1/2 50%; refine {sigma} 50%", 12, rewind=rewind)
        for sigma in (0.6, 0.75, 0.9)
        for rewind in ("shared", "fresh", "path")
    ]


SUITES = {
    f.__name__: f
    for f in (
        baselines,
        presets,
        half_drafts,
        starts,
        passes,
        divisions,
        priors,
        tolerances,
        rewinds,
        guidance,
    )
}
