"""The resolution schedule: passes over one canvas, each with the looks that its steps take at the model.

text/grammar.py reads it from one line of text; printing a schedule gives a line that reads back as an equal
one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .contradictions import check
from .looks import Count, Dense, Mixed, Pass, Phase, in_words

FULL_PASS = Pass((Phase(Dense(0)),))


@dataclass(frozen=True)
class Schedule:
    """Passes over one canvas. Raises ScheduleError when they contradict each other or themselves."""

    passes: tuple[Pass, ...] = (FULL_PASS,)

    def __post_init__(self) -> None:
        check(self.passes)

    def __str__(self) -> str:
        return in_words(self.passes)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of all passes."""
        return tuple(phase for p in self.passes for phase in p.phases)

    @property
    def counted(self) -> tuple[Phase, ...]:
        """Of all passes the phases whose amounts divide the run's steps."""
        return tuple(phase for p in self.passes for phase in p.counted)

    @property
    def counts(self) -> bool:
        """Whether any phase has a number of steps of its own: then it is no rule for all runs."""
        return any(isinstance(phase.amount, Count) for phase in self.phases)

    @property
    def via_pixels(self) -> bool:
        """Whether any pass crosses the bridge, for which a run needs an autoencoder."""
        return any(p.via_pixels for p in self.passes)

    @property
    def off(self) -> bool:
        """True where every step is full and there is one pass: the host's own sampling."""
        return self.ends_full and len(self.phases) == 1

    @property
    def ends_full(self) -> bool:
        """Whether the last look sees the whole canvas at full resolution, as a run that ends clean needs."""
        return self.passes[-1].phases[-1].look == Dense(0) and not self.passes[-1].halvings

    @property
    def deepest(self) -> float:
        """The coarsest level used."""
        return max(phase.look.level for phase in self.phases)

    @property
    def halvings(self) -> int:
        """In time, of the draft's frames."""
        return self.passes[0].halvings

    def whole(self) -> Schedule:
        """The same schedule with all frames in every look."""
        return Schedule((replace(self.passes[0], halvings=0), *self.passes[1:]))

    @property
    def least_steps(self) -> int:
        """Steps that a run has at least, or it is plain."""
        return sum(phase.least for phase in self.counted)

    @property
    def order(self) -> str | None:
        """The order of promotion that its mixed looks name; None where none does."""
        return next((p.look.order for p in self.phases if isinstance(p.look, Mixed) and p.look.order), None)
