"""A focus evaluation on the host: all tokens in their places, some of them queried.

What a call of the network leaves for the next like it is the keys and values of all its image tokens, and its
prediction. Calls are alike that have the same conditionings, batch and place among their evaluation's; one
that nothing is kept of queries all tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..fresco_core import Canvas, KeyValues
from . import compat
from .mixing import MIXED, MixedCall


@dataclass
class Kept:
    """Keys and values of all image tokens in every block, and the prediction (B, C, ..., H, W) of a call."""

    key_values: KeyValues
    prediction: Tensor | None = None


class FocusMemory:
    """What the calls of the last evaluation have left. Never more than that: where a call is not like any of
    them, what has not been used yet is dropped."""

    def __init__(self) -> None:
        self._last: dict[tuple, Kept] = {}
        self._now: dict[tuple, Kept] = {}
        self._calls: Counter[tuple] = Counter()

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values in use."""
        return sum(kept.key_values.nbytes for kept in (*self._last.values(), *self._now.values()))

    def clear(self) -> None:
        """Forget everything."""
        self._last, self._now = {}, {}
        self._calls.clear()

    def begin(self) -> None:
        """Called before each focus evaluation."""
        self._last, self._now = self._now, {}
        self._calls.clear()

    def take(self, x: Tensor, transformer_options: dict) -> Kept:
        """What is kept for this evaluation's next call on x (B, C, ..., H, W); without prediction if that is
        nothing."""
        names = (tuple(transformer_options.get(name) or ()) for name in ("uuids", "cond_or_uncond"))
        call = (*names, tuple(x.shape), x.device)
        key = (*call, self._calls[call])
        self._calls[call] += 1
        if key not in self._last:
            self._last = {}
        kept = self._now[key] = self._last.pop(key, None) or Kept(KeyValues())
        return kept


def too_much(run: Any, canvas: Canvas, conds: dict[str, list[dict]]) -> str | None:
    """Why the keys and values of a run's conditionings do not fit into the memory that is free; None if they
    do, or if the architecture is not known."""
    if run.architecture is None:
        return None
    samples = run.trace.batch * sum(len(group) for group in conds.values())
    kept = run.architecture.key_value_bytes(
        canvas.tokens(0), samples, compat.working_type(run.model).itemsize
    )
    free = compat.free_bytes(run.model, run.prediction)
    if kept <= free:
        return None
    return f"they would keep {kept / 2**30:.1f} GiB of keys and values, and {free / 2**30:.1f} GiB are free"


def focus_prediction(
    executor: Any,
    run: Any,
    kept: Kept,
    x: Tensor,
    sigma: Tensor,
    conds: dict[str, Any],
    transformer_options: dict,
) -> Tensor:
    """The prediction on the canvas x (B, C, ..., H, W): new where tokens are queried, elsewhere the call's
    last one.

    `executor` is APPLY_MODEL's; `conds` has c_concat, c_crossattn and control besides the network's own.
    """
    layout = run.layout.for_batch(x.shape[0])
    call = MixedCall(run.adapter, layout, x, sigma, False, key_values=kept.key_values)
    concat, crossattn, control = (conds.pop(name, None) for name in ("c_concat", "c_crossattn", "control"))
    options = {**transformer_options, MIXED: call}
    prediction = executor(x, sigma, concat, crossattn, control, options, **conds)
    if kept.prediction is not None and not layout.whole:
        new, last = run.unpacked(prediction), run.unpacked(kept.prediction)
        prediction = run.packed(torch.where(run.fine_pixels(x), new, last))
    kept.prediction = prediction if kept.key_values.nbytes else None  # None: another pack has answered
    return prediction
