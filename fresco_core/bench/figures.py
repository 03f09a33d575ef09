"""What was measured: ways of running a model, their seconds, and how near their pictures are to plain's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .distance import EQUAL


@dataclass(frozen=True)
class Setting:
    """A way to run the sampler: how many steps, and by which schedule, None for the plain sampler.

    name: of the preset, or the schedule itself.
    """

    name: str
    steps: int
    schedule: str | None = None

    @property
    def label(self) -> str:
        """As tables and pictures call it."""
        return f"plain, {self.steps} steps" if self.schedule is None else self.name


@dataclass(frozen=True)
class Trial:
    """The runs of one setting.

    seconds: of the runs that count. psnr, ssim, lpips: of each seed's pictures to the plain run's of that
    seed; empty without any. note: why it ran plain, or not at all.
    """

    setting: Setting
    seconds: tuple[float, ...] = ()
    psnr: tuple[float, ...] = ()
    ssim: tuple[float, ...] = ()
    lpips: tuple[float, ...] = ()
    note: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has run, and done something of its own."""
        return bool(self.seconds and self.psnr) and not self.note

    @property
    def mean_seconds(self) -> float:
        """Mean of the runs that count."""
        return sum(self.seconds) / len(self.seconds)

    def nearness(self, ruler: str) -> tuple[float, ...]:
        """How near each seed's pictures are in dB, more is nearer: PSNR, or LPIPS as -20 log10."""
        if ruler == "psnr":
            return self.psnr
        return tuple(min(-20.0 * math.log10(max(value, 1e-12)), EQUAL) for value in self.lpips)


@dataclass(frozen=True)
class Bench:
    """All trials of a model.

    reference: plain at the user's steps. fewer: plain at fewer steps. presets: everything else. model, size,
    device: what was measured, in words.
    """

    reference: Trial
    fewer: tuple[Trial, ...]
    presets: tuple[Trial, ...]
    seeds: tuple[int, ...]
    model: str = ""
    size: str = ""
    device: str = ""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The reference, then presets, then plain at fewer steps, most first."""
        return (self.reference, *self.presets, *sorted(self.fewer, key=lambda t: -t.setting.steps))

    @property
    def rulers(self) -> tuple[str, ...]:
        """What nearness is judged by."""
        lpips = all(len(t.lpips) == len(t.psnr) for t in (*self.fewer, *self.presets) if t.complete)
        return ("psnr", "lpips") if lpips and self.reference.lpips else ("psnr",)

    def gains(self, trial: Trial) -> list[float]:
        """How many times faster than the reference, round by round."""
        return [plain / own for plain, own in zip(self.reference.seconds, trial.seconds)]

    def plain_seconds(self, steps: int) -> float:
        """Seconds of that many plain steps, by the straight line through all plain runs: single ones are at
        the mercy of what else the machine did."""
        found = [(t.setting.steps, t.mean_seconds) for t in (self.reference, *self.fewer) if t.seconds]
        count = len(found)
        mean_steps, mean_seconds = (sum(values) / count for values in zip(*found))
        spread = sum((n - mean_steps) ** 2 for n, _ in found)
        slope = sum((n - mean_steps) * (s - mean_seconds) for n, s in found) / spread if spread else 0.0
        line = mean_seconds + slope * (steps - mean_steps)
        return line if slope > 0.0 and line > 0.0 else mean_seconds * steps / mean_steps

    def reaches(self, seconds: float) -> bool:
        """Whether a plain run with fewer steps was measured that took so long, or half a step less."""
        most = max((t.setting.steps for t in self.fewer if t.complete), default=0)
        return self.plain_seconds(most) + 0.5 * self.plain_seconds(1) >= seconds

    def plain_nearness(self, seconds: float, ruler: str) -> tuple[float, ...] | None:
        """How near plain at fewer steps comes in `seconds`, seed by seed: between its two measured neighbours
        in proportion to the logarithm of the seconds, as errors fall by a power of the steps; beyond the ends
        as near as the last. None where no plain run with fewer steps was measured."""
        line = sorted(
            (self.plain_seconds(t.setting.steps), t.nearness(ruler)) for t in self.fewer if t.complete
        )
        if not line:
            return None
        above = next((i for i, (t, _) in enumerate(line) if t >= seconds), len(line))
        if above == 0 or above == len(line):
            return line[min(above, len(line) - 1)][1]
        (t0, near), (t1, nearer) = line[above - 1], line[above]
        part = math.log(seconds / t0) / math.log(t1 / t0)
        return tuple(a + part * (b - a) for a, b in zip(near, nearer))


def equal_steps(steps: int, share: float) -> tuple[int, ...]:
    """Numbers of plain steps, fewer than `steps`, that take about `share` of their seconds: one that takes at
    most as long and the next."""
    low = max(math.floor(steps * share + 1e-9), 1)
    return tuple(n for n in (low, low + 1) if n < steps)


def counts(steps: int, shares: Sequence[float]) -> tuple[int, ...]:
    """`equal_steps` of several shares of the seconds, most first; of those that are no faster, none."""
    found = {n for share in shares if share < 1.0 for n in equal_steps(steps, share)}
    return tuple(sorted(found, reverse=True))
