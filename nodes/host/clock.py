"""Moments on a device, marked without waiting for it where it can mark them itself."""

from __future__ import annotations

import time
from typing import Any

import torch


class Clock:
    """Marks the moments at which a device has done all that it was given so far.

    CUDA devices take marks into their own queue, so that nothing waits; of others their queue is waited for,
    which the sampler's own look at its sigma does as well. (XPU's marks tell no time in older torch.)
    """

    def __init__(self, device: torch.device) -> None:
        self._device = torch.device(device)
        self._module: Any = getattr(torch, self._device.type, None)
        self._event = getattr(self._module, "Event", None) if self._device.type == "cuda" else None

    def mark(self) -> Any:
        """This moment, for `seconds`."""
        if self._event is not None:
            event = self._event(enable_timing=True)
            event.record(self._module.current_stream(self._device))
            return event
        synchronize = getattr(self._module, "synchronize", None)
        if synchronize is not None and self._device.type != "cpu":
            synchronize()
        return time.perf_counter()

    def seconds(self, begin: Any, end: Any) -> float:
        """From one mark to a later one; waits for the device where it has not come to the later one yet."""
        if self._event is None:
            return float(end - begin)
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3
