"""Runs of the sampler by settings, timed side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from comfy.model_management import get_torch_device

from ...fresco_core import ScheduleError, Trace, parse
from ...fresco_core.bench.figures import Setting, counts
from ..engine.run import Bridge
from ..engine.wrappers import apply_fresco
from ..host.core_nodes import sampled
from .progress import Progress

OFF = "full"


@dataclass(frozen=True)
class Sampling:
    """What is sampled: KSampler's inputs but for seed and steps, and the model's VAE."""

    model: Any
    positive: Any
    negative: Any
    latent: dict
    vae: Any
    cfg: float
    sampler_name: str
    scheduler: str
    denoise: float

    def run(self, setting: Setting, seed: int, progress: Progress, traces: list[Trace] | None) -> dict:
        """The latent that a setting makes of a seed. The model stays as it is. Raises ScheduleError."""
        schedule = parse(setting.schedule or OFF)
        own = apply_fresco(progress.on(self.model), schedule, traces, bridge=Bridge(self.vae))
        inputs = (seed, setting.steps, self.cfg, self.sampler_name, self.scheduler)
        return sampled(own, self.denoise, *inputs, self.positive, self.negative, self.latent)


@dataclass
class Measured:
    """What has been run: latents by setting and seed, seconds of the runs that count, and notes on settings
    that did nothing of their own."""

    latents: dict[Setting, dict[int, dict]] = field(default_factory=dict)
    seconds: dict[Setting, list[float]] = field(default_factory=dict)
    notes: dict[Setting, str] = field(default_factory=dict)


class Runs:
    """Every setting with every seed. The first seed's runs of the reference and of each preset warm up and
    are not timed; where it is the only one it is run once more. Rounds go through the settings in turn, every
    other one backwards, so that a machine that slows down slows all of them."""

    def __init__(
        self,
        sampling: Sampling,
        steps: int,
        presets: Sequence[Setting],
        seeds: Sequence[int],
        progress: Progress,
    ):
        self.reference = Setting("plain", steps)
        self.presets = list(presets)
        self.fewer: list[Setting] = []
        self.seeds = seeds
        self.measured = Measured()
        self._sampling, self._progress = sampling, progress
        self._at = 0

    def warm_up(self, decode: Callable[[dict], None]) -> None:
        """The first runs, which load the model and show which presets do anything here. `decode` is called
        with the reference's latent: before the presets' runs, which bring the model back where a VAE had no
        room beside it, so that no run that counts does."""
        self._run(self.reference, self.seeds[0])
        decode(self.measured.latents[self.reference][self.seeds[0]])
        for setting in self.presets:
            traces: list[Trace] = []
            try:
                self._run(setting, self.seeds[0], traces)
            except ScheduleError as error:
                self.measured.notes[setting] = f"not run: {error}"
                continue
            plan = traces[-1].plan if traces else None
            if plan is None or plan.plain:
                reason = "nothing is coarse" if plan is None or not plan.reason else plan.reason
                self.measured.notes[setting] = f"runs plain: {reason}"

    def all_rounds(self) -> None:
        """The runs that count, and plain ones with as few steps as take the seconds of each preset."""
        again = list(self.seeds[1:]) or list(self.seeds[:1])
        for number, seed in enumerate(again):
            live = [s for s in self.presets if s not in self.measured.notes]
            order = [self.reference, *live, *self.fewer]
            for setting in order if number % 2 == 0 else reversed(order):
                self._timed(setting, seed)
            if number == 0:
                self.fewer = self._equal_seconds(live)
                self._foresee(len(again))
                for setting in self.fewer:
                    self._timed(setting, seed)
        if len(self.seeds) > 1:
            for setting in self.fewer:
                self._run(setting, self.seeds[0])

    def _equal_seconds(self, live: list[Setting]) -> list[Setting]:
        seconds = {s: self.measured.seconds[s][0] for s in (self.reference, *live)}
        shares = [seconds[s] / seconds[self.reference] for s in live]
        return [Setting("plain", n) for n in counts(self.reference.steps, shares)]

    def _foresee(self, rounds: int) -> None:
        """Tell the bar what is still to come, now that it is known."""
        live = [s for s in (self.reference, *self.presets) if s not in self.measured.notes]
        rest = sum(s.steps for s in live) * (rounds - 1)
        once_more = len(self.seeds) > 1
        self._progress.foresee(rest + sum(s.steps for s in self.fewer) * (rounds + once_more))

    def _timed(self, setting: Setting, seed: int) -> None:
        self.measured.seconds.setdefault(setting, []).append(self._run(setting, seed))

    def _run(self, setting: Setting, seed: int, traces: list[Trace] | None = None) -> float:
        """Sample once and keep the latent; the seconds that it took."""
        self._at += 1
        self._progress.begin(f"run {self._at}: {setting.label}, seed {seed}")
        _synchronise()
        start = time.perf_counter()
        latent = self._sampling.run(setting, seed, self._progress, traces)
        _synchronise()
        seconds = time.perf_counter() - start
        kept = {**latent, "samples": latent["samples"].to("cpu")}
        self.measured.latents.setdefault(setting, {})[seed] = kept
        self._progress.finish(setting.steps)
        return seconds


def _synchronise() -> None:
    """Wait until the device has done all that it was given."""
    device = getattr(torch, get_torch_device().type, None)
    wait = getattr(device, "synchronize", None)
    if wait is not None:
        wait()
