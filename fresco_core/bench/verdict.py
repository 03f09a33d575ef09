"""What to use: a preset only where it is surely nearer to the plain picture than plain steps of the same
seconds."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Bench, Trial
from .interval import Interval, interval

NEARER, ALIKE, FURTHER = "nearer", "as near", "further"
UNKNOWN, SLOW, IDLE = "not known", "no faster", "not run"
NEAR_ENOUGH = 30.0  # dB
LEAST = 0.5  # dB of mean advantage, below which nobody would see one
FEW = 8  # seeds, below which intervals are called wide


@dataclass(frozen=True)
class Verdict:
    """A preset against plain steps of the same seconds.

    gain: over the reference. advantage: how much nearer in dB than plain at its seconds, by ruler. kind: one
    of NEARER, FURTHER (the interval of every ruler says so, and LEAST), ALIKE (it does not, or it took longer
    than the plain runs with fewer steps), UNKNOWN (one seed, or no plain steps to compare with), SLOW (plain
    with one step less takes no longer), IDLE.
    """

    trial: Trial
    kind: str
    gain: Interval | None = None
    advantage: dict[str, Interval] | None = None

    @property
    def words(self) -> str:
        """How it compares, in a few words."""
        if self.kind == IDLE:
            return self.trial.note or "not run"
        if self.kind == SLOW:
            return "no faster than plain with one step less"
        if not self.advantage:
            return "plain with fewer steps was not run, so that nothing can be said against it"
        found = "; ".join(_told(name, value) for name, value in self.advantage.items())
        words = {
            NEARER: "nearer than plain steps of the same seconds",
            ALIKE: "as near as plain steps of the same seconds, as far as these seeds tell",
            FURTHER: "further than plain steps of the same seconds",
            UNKNOWN: "against plain steps of the same seconds: one seed cannot tell",
        }[self.kind]
        return f"{words} ({found})"


@dataclass(frozen=True)
class Recommendation:
    """What to use: `chosen`, the reference for plain at the user's steps. schedule: to keep, None for plain.

    sentence, reason and uncertainty are for the user.
    """

    chosen: Trial
    sentence: str
    reason: str
    uncertainty: str
    verdicts: tuple[Verdict, ...]

    @property
    def schedule(self) -> str | None:
        """The schedule of what is recommended; None for plain."""
        return self.chosen.setting.schedule

    @property
    def words(self) -> str:
        """All of it, a paragraph each."""
        return "\n".join((self.sentence, self.reason, self.uncertainty))


def judged(bench: Bench, trial: Trial) -> Verdict:
    """One preset against plain steps of its seconds."""
    if not trial.complete:
        return Verdict(trial, IDLE)
    gain = interval(bench.gains(trial))
    steps = bench.reference.setting.steps
    if gain.mean <= steps / max(steps - 1, 1):
        return Verdict(trial, SLOW, gain)
    advantage = {}
    for ruler in bench.rulers:
        plain = bench.plain_nearness(trial.mean_seconds, ruler)
        if plain is not None:
            advantage[ruler] = interval([own - other for own, other in zip(trial.nearness(ruler), plain)])
    found = advantage.values()
    if not found or not all(value.known for value in found):
        return Verdict(trial, UNKNOWN, gain, advantage)
    if all(value.low > 0 and value.mean >= LEAST for value in found) and bench.reaches(trial.mean_seconds):
        return Verdict(trial, NEARER, gain, advantage)
    kind = FURTHER if all(value.high < 0 for value in found) else ALIKE
    return Verdict(trial, kind, gain, advantage)


def recommend(bench: Bench, near_enough: float = NEAR_ENOUGH) -> Recommendation:
    """The fastest of what has `near_enough` dB: presets that are surely nearer than plain at the same
    seconds, and plain with fewer steps, of which one seed says nothing. Where none has, the nearest of such
    presets, and plain where there is none."""
    verdicts = tuple(judged(bench, trial) for trial in bench.presets)
    better = [v for v in verdicts if v.kind == NEARER]
    fit = [v for v in better if _psnr(v.trial) >= near_enough]
    several = len(bench.seeds) > 1
    enough = [t for t in bench.fewer if several and t.complete and _psnr(t) >= near_enough]
    plain = min(enough, key=lambda t: t.mean_seconds, default=bench.reference)
    if plain.mean_seconds >= bench.reference.mean_seconds:
        plain = bench.reference
    preset = min(fit, key=_seconds, default=None)
    reason = _why_plain(verdicts)
    if preset is None and better and not enough:
        preset = max(better, key=lambda v: _psnr(v.trial))
        reason = f"It is {preset.words}."
        reason += f" None of these has the {near_enough:g} dB that count as near enough; it is nearest."
    elif preset is not None and plain is not bench.reference and plain.mean_seconds < _seconds(preset):
        best = f"The best preset by that is {preset.trial.setting.name}: {preset.words}."
        preset, reason = None, f"It is the fastest that is near enough. {best}"
    elif preset is not None:
        reason = f"It is {preset.words}."
    chosen = plain if preset is None else preset.trial
    return Recommendation(chosen, _sentence(bench, chosen), reason, _uncertainty(bench), verdicts)


def _sentence(bench: Bench, chosen: Trial) -> str:
    own = chosen.setting
    name = f"plain with {own.steps} steps" if own.schedule is None else own.name
    found = _seconds_of(chosen) if chosen is bench.reference else _measured(bench, chosen)
    return f"Use {name}: {found}."


def _why_plain(verdicts: tuple[Verdict, ...]) -> str:
    judged_ones = [v for v in verdicts if v.advantage]
    if any(v.kind == UNKNOWN for v in verdicts) and not judged_ones:
        return "Plain with fewer steps was not run, so that no preset can be said to be worth its distance."
    if not judged_ones:
        found = "; ".join(f"{v.trial.setting.name}: {v.words}" for v in verdicts)
        return f"No preset was faster. {found}." if found else "No preset was chosen."
    best = max(judged_ones, key=lambda v: _least_advantage(v))
    return (
        "No preset is surely nearer to the plain picture than plain with fewer steps at the same seconds. "
        f"The best preset by that is {best.trial.setting.name}: {best.words}."
    )


def _uncertainty(bench: Bench) -> str:
    count, runs = len(bench.seeds), len(bench.reference.seconds)
    timed = f"Seconds are of {runs} run{'s' * (runs != 1)} of each, side by side, after one to warm up."
    if count == 1:
        return f"One seed says nothing about how other pictures would differ: run 4 at least. {timed}"
    wide = ", which leaves wide intervals: more seeds narrow them" if count < FEW else ""
    return f"Distances are of {count} seeds and one prompt{wide}. {timed}"


def _told(ruler: str, value: Interval) -> str:
    """An advantage in dB with its interval."""
    name = {"psnr": "PSNR", "lpips": "LPIPS"}[ruler]
    if not value.known:
        return f"{name} {value.mean:+.1f} dB"
    return f"{name} {value.mean:+.1f} dB, 95 % interval {value.low:+.1f} to {value.high:+.1f}"


def _measured(bench: Bench, trial: Trial) -> str:
    gain = interval(bench.gains(trial)).mean
    plain = bench.reference
    return (
        f"{gain:.2f}x faster than plain with {plain.setting.steps} steps ({_seconds_of(trial)} for "
        f"{_seconds_of(plain)}), PSNR {_psnr(trial):.1f} dB to its picture"
    )


def _least_advantage(verdict: Verdict) -> float:
    assert verdict.advantage
    return min(value.mean for value in verdict.advantage.values())


def _psnr(trial: Trial) -> float:
    return sum(trial.psnr) / len(trial.psnr)


def _seconds(verdict: Verdict) -> float:
    return verdict.trial.mean_seconds


def _seconds_of(trial: Trial) -> str:
    return seconds(trial.mean_seconds)


def seconds(value: float) -> str:
    """Seconds to three digits, or to the millisecond: 125 s, 3.14 s, 0.042 s."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} s"
