"""What every training stage shares: folder, clock, schedule of rates, checkpoints."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fresco_core.demo.scenes import draw_scene, scene_ids

from .budgets import LEVEL_DOWNSCALE, Budget, Stage
from .render import Renderer

log = logging.getLogger(__name__)


@dataclass
class Workplace:
    """Where and on what a run works."""

    budget: Budget
    folder: Path
    device: str = "cpu"
    compile: bool = False
    bfloat16: bool = False

    def file(self, name: str) -> Path:
        """A file of this run."""
        return self.folder / name

    def renderer(self) -> Renderer:
        """A renderer on this run's device."""
        return Renderer(self.budget.points(), self.budget.vocabulary(), self.budget.looks, self.device)

    def generator(self, salt: int) -> torch.Generator:
        """A seeded generator on the CPU."""
        return torch.Generator().manual_seed(self.budget.seed * 1000003 + salt)

    def autocast(self) -> torch.autocast:
        """Matrix products in bf16, where this run wants it."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bfloat16)


def draw_ids(budget: Budget, count: int, salt: int) -> Tensor:
    """Ids (count, ID_COLUMNS) of random scenes; the salt decides which."""
    vocabulary, random = budget.vocabulary(), np.random.default_rng((budget.seed, salt))
    return scene_ids([draw_scene(vocabulary, random) for _ in range(count)], vocabulary)


class Course:
    """Step count and clock of one stage, kept over interruptions."""

    def __init__(self, stage: Stage):
        self.stage, self.step, self.seconds = stage, 0, 0.0
        self._since = time.monotonic()

    def state(self) -> dict[str, float]:
        """For the checkpoint."""
        return {"step": self.step, "seconds": self.elapsed()}

    def load(self, state: dict[str, float]) -> None:
        """Go on where `state` was taken."""
        self.step, self.seconds, self._since = int(state["step"]), state["seconds"], time.monotonic()

    def elapsed(self) -> float:
        """Seconds of work so far, all runs together."""
        return self.seconds + time.monotonic() - self._since

    @property
    def progress(self) -> float:
        """Share of the stage that is done, by steps or by time, the larger."""
        return min(1.0, max(self.step / self.stage.steps, self.elapsed() / (60 * self.stage.minutes)))

    def rate_factor(self) -> float:
        """Share of the full learning rate that applies now."""
        rise = min(1.0, (self.step + 1) / self.stage.warmup)
        return rise * min(1.0, (1 - self.progress) / self.stage.decay)

    def level(self, random: torch.Generator) -> int:
        """Draw a picture size: 0 full, 1 half, 2 quarter."""
        mix = min(1.0, 2 * self.progress)
        first, last = torch.tensor(self.stage.levels_first), torch.tensor(self.stage.levels_last)
        return int(torch.multinomial(first * (1 - mix) + last * mix, 1, generator=random))


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)


def downscale(pictures: Tensor, level: int) -> Tensor:
    """Area means over 2^level x 2^level pixels."""
    size = LEVEL_DOWNSCALE[level]
    return torch.nn.functional.avg_pool2d(pictures, size) if size > 1 else pictures
