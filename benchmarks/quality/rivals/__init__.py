"""Other ways to spend fewer FLOPs, each as its paper describes it: plain functions on the demo model, for
comparison only.

A line such as "speed 0.05" names one, with its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from .dvg import dvg
from .easycache import easycache
from .painter import Painter
from .selflift import selflift
from .speed import speed
from .two_sizes import hires_fix, two_stage

Rival = Callable[[Painter, Sequence[float]], Tensor]
"""rival(painter, sigmas of the run) -> clean latents (B, C, H, W)."""

RIVALS: dict[str, Callable[..., Tensor]] = {
    "two-stage": two_stage,
    "hires-fix": hires_fix,
    "speed": speed,
    "selflift": selflift,
    "dvg": dvg,
    "easycache": easycache,
}

WORDS = {
    "two-stage": "two stages, fresh noise",
    "hires-fix": "hires fix",
    "speed": "SPEED",
    "selflift": "SelfLift",
    "dvg": "DVG's shifts",
    "easycache": "EasyCache",
}


def rival_of(line: str) -> Rival | None:
    """The rival that a line names; None where it names none. Raises ValueError for numbers that are none."""
    name, *numbers = line.split() or [""]
    if name not in RIVALS:
        return None
    return partial(_drawn, RIVALS[name], tuple(float(number) for number in numbers))


def _drawn(
    method: Callable[..., Tensor], numbers: tuple[float, ...], painter: Painter, sigmas: Sequence[float]
) -> Tensor:
    return method(painter, sigmas, *numbers)
