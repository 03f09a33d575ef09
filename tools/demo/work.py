"""What every training stage shares: folder, clock, schedule of rates, checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import scene_ids

from .budgets import SIZES, Budget, Stage
from .open_render import OpenRenderer
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
    export: Path | None = None
    """Where the safetensors go; None: `weights` in the folder."""

    def file(self, name: str) -> Path:
        """A file of this run."""
        return self.folder / name

    def renderer(self) -> Renderer | OpenRenderer:
        """A renderer on this run's device; for an open vocabulary on the CPU."""
        if self.budget.open:
            return OpenRenderer(self.budget.points(), self.budget.vocabulary(), self.budget.looks)
        return Renderer(self.budget.points(), self.budget.vocabulary(), self.budget.looks, self.device)

    def course(self, stage: Stage) -> Course:
        """A stage's course. On a CPU its clock counts what this process worked, so that a busy machine does
        not shorten the training."""
        return Course(stage, time.monotonic if self.device != "cpu" else _worked)

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


def _worked() -> float:
    """Seconds that this process has worked on all its threads."""
    return time.process_time() / torch.get_num_threads()


class Course:
    """Step count and clock of one stage, kept over interruptions."""

    def __init__(self, stage: Stage, clock: Callable[[], float] = time.monotonic):
        self.stage, self.step, self.seconds, self._clock = stage, 0, 0.0, clock
        self._since = clock()

    def state(self) -> dict[str, float]:
        """For the checkpoint."""
        return {"step": self.step, "seconds": self.elapsed()}

    def load(self, state: dict[str, float]) -> None:
        """Go on where `state` was taken."""
        self.step, self.seconds, self._since = int(state["step"]), state["seconds"], self._clock()

    def elapsed(self) -> float:
        """Seconds of work so far, all runs together."""
        return self.seconds + self._clock() - self._since

    @property
    def progress(self) -> float:
        """Share of the stage that is done, by steps or by time, the larger."""
        return min(1.0, max(self.step / self.stage.steps, self.elapsed() / (60 * self.stage.minutes)))

    def rate_factor(self) -> float:
        """Share of the full learning rate that applies now."""
        rise = min(1.0, (self.step + 1) / self.stage.warmup)
        return rise * min(1.0, (1 - self.progress) / self.stage.decay)

    def level(self, random: torch.Generator) -> int:
        """Draw a picture size, as an index of SIZES."""
        mix = min(1.0, 2 * self.progress)
        first, last = torch.tensor(self.stage.levels_first), torch.tensor(self.stage.levels_last)
        return int(torch.multinomial(first * (1 - mix) + last * mix, 1, generator=random))


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    scratch = path.with_suffix(".tmp")
    torch.save(state, scratch)
    scratch.replace(path)


def downscale(pictures: Tensor, level: int) -> Tensor:
    """Pictures (B, C, H, W) at a picture size, given as an index of SIZES: area means of their pixels."""
    more, less = list(SIZES.values())[level]
    if more > 1:
        pictures = pictures.repeat_interleave(more, -1).repeat_interleave(more, -2)
    return torch.nn.functional.avg_pool2d(pictures, less) if less > 1 else pictures
