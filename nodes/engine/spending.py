"""What the calls of the network cost, evaluation by evaluation."""

from __future__ import annotations

import threading
from typing import NamedTuple


class Spent(NamedTuple):
    """flops: at the run's look; full_flops: of the same at full resolution; 0 where the architecture is not
    known. values: of the latents that were looked at, at full size; controlled: those of them that
    ControlNets saw too."""

    flops: int
    full_flops: int
    values: int = 0
    controlled: int = 0

    @property
    def work(self) -> int:
        """What full calls take time for: FLOPs where they are known, else values."""
        return self.full_flops or self.values

    @property
    def share(self) -> float:
        """How much of it ControlNets saw, whose own work is not known."""
        return self.controlled / self.values if self.values else 0.0


class Spending:
    """The sum of the calls of one evaluation; from any thread, as the host calls each of several GPUs from
    one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sum = Spent(0, 0)

    def add(self, *spent: int) -> None:
        """Count a call, by the fields of Spent."""
        call = Spent(*spent)
        with self._lock:
            self._sum = Spent(*(a + b for a, b in zip(self._sum, call)))

    def take(self) -> Spent:
        """The sum, which begins anew."""
        with self._lock:
            spent, self._sum = self._sum, Spent(0, 0)
        return spent
