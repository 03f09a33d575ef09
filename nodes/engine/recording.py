"""What a run is measured by, beside what the method's trace knows: the clock, and the sampler's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import Trace
from ..host.clock import Clock
from .signature import made
from .spending import Spent

MOST_RUNS = 8  # of a model that many samplers or queued prompts use


@dataclass
class RunTrace(Trace):
    """A trace with what the clock said.

    seconds: of all sampling, with bridges, without loading the model; 0 before its end. spans: seconds of
    each evaluation. steps: the sampler's own step of each evaluation, from 0 on over all passes; empty where
    it told none. words: the plan as it was told. notes: what the user is told beside it. spent: what
    each evaluation has cost, None for one that a step cache has answered for.
    """

    clock: Clock = field(default_factory=lambda: Clock(torch.device("cpu")))
    seconds: float = 0.0
    spans: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    words: str = ""
    spent: list[Spent | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _marks: list[tuple[Any, Any]] = field(default_factory=list)
    _whole: tuple[Any, Any] | None = None
    _told: dict[int, int] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many evaluations a step cache has answered for."""
        return self.spent.count(None)

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Around all of the run's passes."""
        begin = self.clock.mark()
        yield
        self._whole = begin, self.clock.mark()

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Around an evaluation that is then added."""
        begin = self.clock.mark()
        yield
        self._marks.append((begin, self.clock.mark()))

    def stepping(self, callback: Callable | None) -> Callable:
        """The sampler's step callback, which also tells whose steps the evaluations are.

        Samplers call it behind the first evaluation of a step; what they evaluate then, before the next
        step's first, is of that step too.
        """

        def stepping(step: int, *args: Any, **kwargs: Any) -> Any:
            if self.evaluations:
                self._told[len(self.evaluations) - 1] = step
            return None if callback is None else callback(step, *args, **kwargs)

        return stepping

    def begin_anew(self) -> None:
        """Forget all evaluations, but not the time that they took."""
        for kept in (self.evaluations, self.crossings, self.spent, self._marks, self._told):
            kept.clear()

    def finish(self) -> RunTrace:
        """As the method's, and read the marks."""
        super().finish()
        if self._whole is not None:
            self.seconds = self.clock.seconds(*self._whole)
            self.spans = [self.clock.seconds(*marks) for marks in self._marks]
        step = min(self._told.values(), default=0)
        for index in range(len(self.evaluations) if self._told else 0):
            step = self._told.get(index, step)
            self.steps.append(step)
        self._whole, self._marks = None, []
        return self


class Recordings:
    """The last runs of a model that Fresco Apply has patched, read by nodes behind its sampler."""

    def __init__(self) -> None:
        self._runs: deque[RunTrace] = deque(maxlen=MOST_RUNS)

    def append(self, trace: RunTrace) -> None:
        """Keep a run that has ended."""
        self._runs.append(trace)

    def of(self, samples: Any) -> RunTrace | None:
        """The run that made a latent, the last one that came to its end for None or a latent of no run here;
        None without any."""
        for trace in reversed(self._runs):
            if samples is not None and made(trace, samples):
                return trace
        return next(self._ended(), None)

    def of_picture(self, image: Tensor) -> RunTrace | None:
        """The last run that came to its end of whose latents, decoded, an IMAGE has the size and number; None
        where it is none's."""
        return next((trace for trace in self._ended() if fits(trace, image)), None)

    def _ended(self) -> Iterator[RunTrace]:
        return (trace for trace in reversed(self._runs) if trace.result is not None or not trace.evaluations)


def fits(trace: RunTrace, image: Tensor) -> bool:
    """Whether an IMAGE (B, H, W, C) is as large as what a run has sampled, and as many; of video (B * T, H,
    W, C) with any number of frames each."""
    canvas, count = trace.canvas, len(image)
    size = canvas.height * trace.scale, canvas.width * trace.scale
    whole = count % trace.batch == 0 if canvas.frames > 1 and trace.batch else count == trace.batch
    return tuple(image.shape[1:3]) == size and whole
