"""The runs of a graph: plain, by each preset, and plain with as few steps as take the same seconds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image

from fresco_core.bench import Bench, Setting, Trial
from fresco_core.bench.distance import EQUAL
from fresco_core.bench.figures import counts

from . import CannotRun
from .graph import Graph
from .pictures import Found, distances, downloaded
from .server import Job, Server


@dataclass
class Figures:
    """What the runs of a setting gave: seconds of those that count, and distances and a picture by seed."""

    seconds: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    psnr: dict[int, float] = field(default_factory=dict)
    ssim: dict[int, float] = field(default_factory=dict)
    lpips: dict[int, float] = field(default_factory=dict)
    shown: dict[int, Image.Image] = field(default_factory=dict)
    note: str = ""


class Measurement:
    """A graph's runs on a server. `tell` is told each before it begins.

    The first seed's runs of plain and of each preset warm up: their pictures count, their seconds do not. One
    seed is run twice.
    """

    def __init__(
        self,
        server: Server,
        graph: Graph,
        presets: Sequence[Setting],
        seeds: int,
        tell: Callable[[str], None],
    ):
        self.server, self.graph, self.seeds, self._tell = server, graph, seeds, tell
        self.reference = Setting("plain", graph.steps)
        self.presets = list(presets)
        self.fewer: list[Setting] = []
        self.figures: dict[Setting, Figures] = {}
        self.notes: list[str] = list(graph.notes)
        self.size = ""
        self._plain: dict[int, Found] = {}
        self._mark = uuid.uuid4().hex
        self._runs = 0

    def run(self) -> None:
        """All runs. Raises CannotRun where plain fails; a preset that fails is told of in its row."""
        self._pictured(self.reference, 0, count=False)
        for setting in self.presets:
            try:
                self._pictured(setting, 0, count=False)
            except CannotRun as error:
                self._of(setting).note = f"not run: {error}"
        again = range(1, self.seeds) if self.seeds > 1 else range(1)
        for number, seed in enumerate(again):
            live = [s for s in self.presets if not self._of(s).note]
            order = [self.reference, *live, *self.fewer]
            for setting in order if number % 2 == 0 else reversed(order):
                self._pictured(setting, seed)
            if number == 0:
                self.fewer = self._equal_seconds(live)
                for setting in self.fewer:
                    self._pictured(setting, seed)
        if self.seeds > 1:
            for setting in self.fewer:
                self._pictured(setting, 0, count=False)
        for setting in self.presets:
            own = self._of(setting)
            if not own.note and min(own.psnr.values()) >= EQUAL:
                own.note = "runs plain: its pictures are plain's; the server's log says why"

    def bench(self, model: str, device: str) -> Bench:
        """The figures, without pictures."""
        fewer, presets = (tuple(map(self._trial, settings)) for settings in (self.fewer, self.presets))
        return Bench(
            self._trial(self.reference),
            fewer,
            presets,
            tuple(range(1, self._distinct + 1)),
            model,
            self.size,
            device,
        )

    @property
    def _distinct(self) -> int:
        """How many seeds the distances are of: one where the graph has none, whatever is run again."""
        return self.seeds if self.graph.seeds else 1

    def _of(self, setting: Setting) -> Figures:
        return self.figures.setdefault(setting, Figures())

    def _trial(self, setting: Setting) -> Trial:
        own = self._of(setting)
        found = (own.psnr, own.ssim, own.lpips)
        values = (tuple(v[seed] for seed in sorted(v)[: self._distinct]) for v in found)
        return Trial(setting, tuple(own.seconds), *values, own.note)

    def _equal_seconds(self, live: list[Setting]) -> list[Setting]:
        if not self.graph.stepped:
            self.notes.append(
                "No number of steps was found in the graph, so plain could not be run with fewer: whether a "
                "preset is worth its distance cannot be told."
            )
            return []
        plain = self._of(self.reference).seconds[0]
        return [
            Setting("plain", n)
            for n in counts(self.graph.steps, [self._of(s).seconds[0] / plain for s in live])
        ]

    def _pictured(self, setting: Setting, seed: int, count: bool = True) -> None:
        """Run a setting with a seed; seconds count or not, pictures are compared once for each seed."""
        job = self._job(setting, seed)
        found, own = downloaded(self.server, job), self._of(setting)
        if count:
            own.seconds.append(self._sampling_seconds(job))
            own.whole.append(job.whole)
        if setting == self.reference:
            self._plain.setdefault(seed, found)
            self.size = self.size or found.size
            self.notes += [note for note in found.notes if note not in self.notes][: 8 - len(self.notes)]
        psnr, ssim, lpips = distances(self._plain[seed], found)
        own.psnr[seed], own.ssim[seed], own.shown[seed] = psnr, ssim, found.shown
        if lpips is not None:
            own.lpips[seed] = lpips

    def _job(self, setting: Setting, seed: int) -> Job:
        self._runs += 1
        self._tell(f"run {self._runs}: {setting.label}, seed {seed + 1} of {self.seeds}")
        steps = None if setting.steps == self.graph.steps else setting.steps
        return self.server.run(
            self.graph.variant(setting.schedule, seed, steps, f"{self._mark}-{self._runs}")
        )

    def _sampling_seconds(self, job: Job) -> float:
        """Seconds of the nodes that sample. Raises CannotRun where the host took one from its cache."""
        faked = [node for node in self.graph.sampling if node in job.cached or node not in job.seconds]
        if faked:
            raise CannotRun(
                f"the server did not sample node {', '.join(faked)} anew, so its seconds say nothing: start "
                "it without a cache for outputs of earlier jobs"
            )
        return sum(job.seconds[node] for node in self.graph.sampling)
