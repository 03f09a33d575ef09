"""One progress bar over many runs of the sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.patcher_extension
import comfy.utils

from ..host.executors import bound

KEY = "fresco_bench"


class Progress:
    """Steps done of all, on the node's own bar, and words about the current run.

    The bar heeds interrupts, as the host's own does. There are no previews: they would be in the seconds, and
    the browser would show the last one instead of the plot.
    """

    def __init__(self, total: int, tell: Callable[[str], None]):
        self.total = total
        self._tell = tell
        self._done = 0
        self._bar = comfy.utils.ProgressBar(total)

    def on(self, patcher: Any) -> Any:
        """A clone of a model whose runs move this bar instead of one of their own."""
        patcher = patcher.clone()
        kind = comfy.patcher_extension.WrappersMP.OUTER_SAMPLE
        patcher.remove_wrappers_with_key(kind, KEY)
        patcher.add_wrapper_with_key(kind, KEY, self._outer_sample)
        return patcher

    def begin(self, words: str) -> None:
        """Tell what runs next."""
        self._tell(words)

    def foresee(self, steps: int) -> None:
        """So many steps are still to come."""
        self.total = self._done + steps
        self._bar.update_absolute(self._done, self.total)

    def finish(self, steps: int) -> None:
        """A run of that many steps is over."""
        self._done += steps
        self._bar.update_absolute(min(self._done, self.total), self.total)

    def _outer_sample(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        names = "noise latent_image sampler sigmas denoise_mask callback disable_pbar seed"
        given = bound(names, args, kwargs)

        def callback(step: int, x0: Any, x: Any, total_steps: int) -> None:
            self._bar.update_absolute(min(self._done + step + 1, self.total), self.total)

        given["callback"] = callback
        positional = [given.pop(name) for name in names.split()[: len(args)]]
        return executor(*positional, **given)
