"""What can be measured: sampler settings, and the suites that answer a question with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

from fresco_core.demo.subjects import GUIDANCE, SHIFT
from fresco_core.look.promotion import DEFAULT_ORDER
from fresco_core.text.presets import PRESETS, USUAL

FIRST_SHIFT = 2.0
"""Of all settings that were stored before settings had a shift."""


@dataclass(frozen=True)
class Setting:
    """One way to sample.

    schedule: as `fresco_core.parse` reads it, or a rival and its numbers, as `benchmarks.quality.rivals` has
    them. steps: over all passes. rewind: a name in `benchmarks.quality.rewinds.REWINDS`. order: of mixed
    looks whose schedule names none, a name in `benchmarks.quality.orders.ORDERS`. guidance: of the prompt; 1
    does without. enlarge: of drafts that go via pixels, a name in `benchmarks.quality.enlargements.ENLARGE`.
    size: of the picture, 0 full, 1 half the side. exact: whether all products are in float32, however the
    studio works. shift: of the run's sigmas.
    """

    schedule: str
    steps: int
    rewind: str = "shared"
    order: str = DEFAULT_ORDER
    guidance: float = GUIDANCE
    enlarge: str = "bicubic"
    size: int = 0
    exact: bool = False
    shift: float = SHIFT

    @property
    def options(self) -> list[str]:
        """Everything but schedule and steps in words; what has its default value is left out."""
        words = {
            "rewind": f"{self.rewind} rewind",
            "order": f"{self.order} first",
            "guidance": f"guidance {self.guidance:g}",
            "enlarge": f"{self.enlarge} enlargement",
            "size": f"pictures of 1/{1 << self.size} side",
            "exact": "float32",
            "shift": f"shift {self.shift:g}",
        }
        return [words[f.name] for f in fields(self) if f.name in words and getattr(self, f.name) != f.default]

    @property
    def name(self) -> str:
        """In words; what has its default value is left out."""
        return " | ".join([f"{self.steps} steps", self.schedule, *self.options])

    @property
    def key(self) -> str:
        """A short name for files, the same for equal settings only.

        It stays as settings come and go, so that what is stored is found: what has its default value and
        came later is left out, and `prior`, of which one value is left, is not.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self)} | {"prior": "zero"}
        for name in ("order", "enlarge", "size", "exact"):
            if own[name] == getattr(Setting, name):
                del own[name]
        if self.shift == FIRST_SHIFT:
            del own["shift"]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def plain(self) -> bool:
        """Whether this is the model's own sampler: one pass of full steps, guided as usual, whatever its
        shift."""
        return self.schedule == "full" and self.guidance == GUIDANCE and not self.size and not self.exact


REFERENCE = Setting("full", 50)
"""What the other pictures are compared with, seed by seed."""

TOTALS = (8, 12, 20, 30, 50)


def baselines() -> list[Setting]:
    """The plain sampler at falling cost."""
    return [REFERENCE, *(Setting("full", steps) for steps in (30, 20, 18, 9, 4))]


def beside(shift: float = SHIFT) -> list[Setting]:
    """The plain sampler at the costs of what is compared with it at equal cost and shift, behind the
    reference."""
    own = (Setting("full", steps, shift=shift) for steps in (50, 20, 12, 9, 6, 4, 3, 2, 1))
    return list(dict.fromkeys([REFERENCE, *own]))


def bar() -> list[Setting]:
    """What tells whether the model is a ruler: few plain steps, and half-size pictures."""
    return [*(Setting("full", steps) for steps in (9, 6, 4)), Setting("full", REFERENCE.steps, size=1)]


def precision() -> list[Setting]:
    """What bfloat16 changes: the same steps in float32."""
    return [Setting("full", steps, exact=exact) for steps in (20, 4) for exact in (False, True)]


def rivals() -> list[Setting]:
    """Other methods, each with its paper's numbers and some about them."""
    lines = ("two-stage 0.5 0.9", "two-stage 0.5 0.75", "hires-fix 0.5 0.5", "hires-fix 0.75 0.5")
    lines += ("speed 0.01", "speed 0.05", "speed 0.2", "selflift 0.3 0.75", "selflift 0.4 0.5")
    lines += ("dvg 7", f"dvg {SHIFT:g}", "easycache 0.025", "easycache 0.1", "easycache 0.3")
    return [Setting(line, n) for line in lines for n in (4, 8, 12, 20, 30) if not _too_short(line, n)]


def _too_short(line: str, steps: int) -> bool:
    """Whether a rule has nothing to do: EasyCache begins behind three evaluations."""
    return line.startswith("easycache") and steps < 6


def presets() -> list[Setting]:
    """Every preset that is not `off`, where the plain sampler still has errors to compare with."""
    return [Setting(line, n) for line in PRESETS.values() if line != "full" for n in (4, 6, 8, 12, 20)]


def half_drafts() -> list[Setting]:
    """The presets where what a model is trained for keeps their drafts at half resolution, at the paper's
    evaluations for FLUX.1."""
    names = [(name, n) for name in USUAL for n in (9, 18, 30)]
    return [Setting(PRESETS[name].replace("~1/4", "1/2"), n) for name, n in [("balanced", 4), *names]]


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


def bridge() -> list[Setting]:
    """Drafts that go via pixels: where to start, steps of the draft and behind it, noise, enlargement, drafts
    that stop early, three levels against two; each start beside the copy."""
    line = "draft 1/2 x10; refine {} {}x{}"
    starts = (0.4, 0.5, 0.6, 0.75, 0.85, 0.9, 0.95)
    found = [Setting(line.format(s, via, 2), 12) for s in starts for via in ("via pixels ", "")]
    found += [Setting(line.format(s, "via pixels ", 4), 14) for s in (0.6, 0.75, 0.9)]
    for total in (4, 6, 8, 20, 30):
        found += [
            Setting(f"draft 1/2 x{total - n}; refine {s} via pixels x{n}", total)
            for s, n in ((0.6, 2), (0.75, 3), (0.9, total // 2))
            if n < total
        ]
    best = line.format(0.6, "via pixels ", 2)
    found += [Setting(best, 12, rewind=rewind) for rewind in ("fresh", "uncorrelated")]
    found.append(Setting(best, 12, enlarge="lanczos"))
    found += [Setting(f"draft 1/2 x8 to {end}; refine 0.6 via pixels x3", 11) for end in (0.1, 0.3)]
    found.append(Setting("draft 1/4 x4; refine 0.9 via pixels 1/2 x6; refine 0.6 via pixels x2", 12))
    return found


def guidance() -> list[Setting]:
    """How strongly the prompt guides the trained model."""
    return [Setting("full", 12, guidance=g) for g in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)]


def shifts() -> list[Setting]:
    """How the plain sampler's steps are spread best, few and more of them."""
    return [Setting("full", n, shift=shift) for n in (6, 12, 50) for shift in (1.0, 1.5, 2.0, 3.0, 4.0)]


def tolerances() -> list[Setting]:
    """When `spectral` becomes finer."""
    return [
        Setting(f"spectral {t} 80%, full 20%", n) for t in (0.003, 0.01, 0.03, 0.1, 0.3) for n in (12, 20)
    ]


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
        tolerances,
        rewinds,
        bridge,
        guidance,
        bar,
        precision,
        rivals,
        shifts,
    )
}
