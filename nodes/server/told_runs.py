"""What a node says of the runs of one prompt: the model of a Fresco Apply may have several samplers."""

from __future__ import annotations

from collections.abc import Callable

from ...fresco_core import Trace
from ..engine.run import Run
from ..host.metadata import running_prompt

MOST_EARLIER = 4  # results above the words of a run: the first and the last ones


class ToldRuns:
    """Says each run's words below the first lines of the results that came before it in the prompt."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._prompt: str | None = None
        self._earlier: list[str] = []
        self._trace: Trace | None = None  # of a run that has begun

    def begin(self, run: Run) -> None:
        """Take the next words for this run's, until one of them is its result."""
        self._follow_prompt()
        self._trace = run.trace

    def __call__(self, words: str) -> None:
        """Say words of a run that goes on or has ended, or of one that Fresco leaves alone."""
        self._follow_prompt()
        self._show("\n".join([*self._earlier, words]))
        if self._trace is not None and self._trace.result is None:
            return
        self._trace = None
        first, *others = [*self._earlier, words.split("\n")[0]]
        self._earlier = [first, *others[-(MOST_EARLIER - 1) :]]

    def _follow_prompt(self) -> None:
        """Begin anew with a new prompt, and with every run where there is none."""
        prompt = running_prompt()
        if prompt is None or prompt != self._prompt:
            self._prompt, self._earlier, self._trace = prompt, [], None
