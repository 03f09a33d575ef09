"""A mixed call of a network: what a family's adapter is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...fresco_core import Layout

MIXED = "fresco_mixed"
Conditions = Mapping[str, list[Any]]
"""Values of the arguments that a run's conditioning gives the network, by their names."""

Evaluate = Callable[[Any, tuple, dict, "MixedCall"], Tensor]
"""evaluate(executor, args, kwargs, call) -> the network's output on the canvas, valid at fine tokens; that of
coarse tokens goes to `call.output`. It stands for the network's own call, as a DIFFUSION_MODEL wrapper."""


@dataclass
class MixedCall:
    """evaluate: the family's. layout: for the call's whole batch. state (B, C, ..., h, w): what coarse tokens
    are read from. timestep (B,): that of coarse tokens, in the network's unit. own_clock: whether it may
    differ from the fine tokens'. output: the network's output at coarse tokens, in state's shape."""

    evaluate: Evaluate
    layout: Layout
    state: Tensor
    timestep: Tensor
    own_clock: bool
    output: Tensor | None = None
