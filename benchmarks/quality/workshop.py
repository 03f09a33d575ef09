"""Where settings are measured and made into rows: studio, judge and store under one roof."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fresco_core.schedule.looks import level_name
from fresco_core.schedule.steps import Step

from .candidates import settings_of
from .measure import Judge
from .pictures import Studio, fingerprint, fingerprint_of_real
from .rows import Row, Yardstick, compare, make_row
from .settings import REFERENCE, Setting
from .store import Store, real_key

Shards = list[slice]


@dataclass
class Workshop:
    """folder: where results go. weights: their short name. prompts: a kind of prompts. part: which of how
    many processes this is."""

    folder: Path
    weights: str
    prompts: str
    studio: Studio
    store: Store
    inception: bool = True
    part: tuple[int, int] = (0, 1)
    _rows: dict[tuple[Setting, int, bool], Row] = field(default_factory=dict)
    _yardsticks: dict[tuple[int, int], Yardstick] = field(default_factory=dict)

    @classmethod
    def of(cls, args: argparse.Namespace) -> Workshop:
        """By the command line's words. float32 and bfloat16 have results of their own."""
        weights = fingerprint(args.weights)
        folder = args.out / (weights + ("-exact" if args.exact else "")) / args.prompts
        studio = Studio(args.count, args.weights, args.prompts, fast=not args.exact, compiled=args.compile)
        real = args.out / f"real-{fingerprint_of_real(args.weights)}"
        store = Store(folder, studio, Judge(args.weights), real)
        part, parts = (int(n) for n in args.part.split("/"))
        return cls(folder, weights, args.prompts, studio, store, args.inception, (part, parts))

    @property
    def shared(self) -> bool:
        """Whether other processes measure a part."""
        return self.part[1] > 1

    def of_this_process(self, shards: Shards) -> Shards:
        """Its part of shards."""
        return shards[self.part[0] :: self.part[1]]

    @property
    def shards(self) -> Shards:
        """Those of the prompts that it measures."""
        return self.of_this_process(self.studio.shards)

    def measure(
        self, settings: Sequence[Setting], shards: int | None = None, inception: bool = True
    ) -> None:
        """Measure what is not measured yet, of the first shards or of all of this process; with Inception's
        features if both this call and the workshop want them."""
        wanted = self.inception and inception
        for setting in settings:
            if not self.studio.is_rival(setting):
                self.studio.plan(setting)  # whatever is wrong with one shows before hours of work
        sizes = sorted({setting.size for setting in settings})
        some = self.shards[:shards]
        for size in sizes:
            for shard in self.of_this_process(self.studio.basis_shards):
                self.store.measure_basis(shard, wanted, size)
        with tqdm(total=(len(settings) + 1) * len(some), unit="shard") as progress:
            for shard in some:
                for size in sizes:
                    self.store.measure_real(shard, wanted, size)
                progress.update()
                for setting in settings:
                    progress.set_description(setting.name)
                    self.store.measure(setting, shard, wanted)
                    progress.update()
                self.store.measure_jpeg(shard)

    def settings_of(self, line: str, totals: Sequence[int]) -> list[Setting]:
        """A rule at some numbers of steps, where it does not run plain."""
        return settings_of(line, totals, self.studio.canvas)

    def rows(
        self, settings: Sequence[Setting], shards: int | None = None, inception: bool = True
    ) -> list[Row]:
        """Compared rows of settings, over the first shards or all; without Inception's features if they are
        not wanted, whether they have been measured or not, so that a race comes out the same when it goes
        on."""
        count = len(self.studio.shards) if shards is None else shards
        step, rows = self.studio.flops(REFERENCE) / REFERENCE.steps, []
        for setting in settings:
            measures = self.store.read(setting.key, count)
            if not (self.inception and inception):
                measures.pop("inception", None)
            key = (setting, count, "inception" in measures)
            if key not in self._rows:
                yardstick, tokens = self._yardstick(setting.size, count), self.studio.tokens(setting)
                self._rows[key] = make_row(setting, measures, yardstick, tokens, step)
            rows.append(self._rows[key])
        compare(rows, self.invisible)
        return rows

    def _yardstick(self, size: int, shards: int) -> Yardstick:
        measures = self.store.read(real_key(size), shards)
        known = self._yardsticks.get((size, shards))
        if known is None or known.real.keys() != measures.keys():
            self._yardsticks[size, shards] = Yardstick(measures, self.store.basis(size))
        return self._yardsticks[size, shards]

    @property
    def invisible(self) -> float:
        """The LPIPS that nobody sees, of saving the reference's pictures as JPEG; of the first shard."""
        return float(self.store.read("jpeg", 1)["lpips"].mean())

    def about_real(self) -> str:
        """What rendered scenes themselves score, and what steps cost."""
        real = self.store.read(real_key(0))
        per_level = ", ".join(
            f"{level_name(k)} {self.studio.step_flops(Step(k)) / 1e9:.3f}" for k in range(3)
        )
        bridge = self.studio.bridge_flops(1, 0) / 1e9
        objects = real["found"].sum() / real["asked"].sum()
        return (
            f"Rendered scenes: {objects:.4f} of the objects read, ground's residual "
            f"{np.nanmean(real['ground']):.4f}. GFLOPs of a step: {per_level}; of a bridge from 1/2: "
            f"{bridge:.3f}."
        )
