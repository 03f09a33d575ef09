"""Suites about mixed steps: comparisons of settings at equal token cost.

Counted in coarse steps of 1/2, a full step costs four, a mixed step at 50 % two and a half. `mixed 25%..75%`
costs on average what `mixed 50%` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .orders import ORDERS
from .settings import Setting

Comparison = list[Setting]
"""Settings that cost the same number of tokens."""

ONE_PASS = Setting("1/2 x3, mixed 25%..75% x6, full x3", 12)
ONE_PASS_DENSE = Setting("1/2 x6, full x6", 12)
REFINED = Setting("draft 1/2 x6; refine 0.9 mixed 25%..75% x4, full x6", 16)
REFINED_DENSE = Setting("draft 1/2 x8; refine 0.9 x8", 16)


def orders() -> list[Comparison]:
    """Which blocks to refine first, in one pass and in the refine pass."""
    return [
        [dense, *(replace(mixed, order=order) for order in ORDERS)]
        for dense, mixed in ((ONE_PASS_DENSE, ONE_PASS), (REFINED_DENSE, REFINED))
    ]


def mixed_noise() -> list[Comparison]:
    """The run's own noise or fresh noise at the switch to mixed or full steps, and at a rewind to them."""
    switch = [
        Setting(f"draft 1/2 x3 to 0.75; refine 0.75 {looks}", 12, rewind=rewind)
        for looks in ("mixed 25%..75% x6, full x3", "1/2 x3, full x6")
        for rewind in ("shared", "fresh", "path")
    ]
    rewound = [replace(REFINED, rewind=rewind) for rewind in ("shared", "fresh", "path")]
    return [[ONE_PASS_DENSE, ONE_PASS, *switch], [REFINED_DENSE, *rewound]]


def progressive() -> list[Comparison]:
    """A dense switch against progressive ones: between the looks of one pass; in the draft's late steps, in
    the refine pass, in both; as many refine steps as before or more."""
    one_pass = [
        Setting("1/2 x10, full x10", 20),
        Setting("1/2 x6, mixed 25%..75% x8, full x6", 20),
        Setting("1/2 x6, mixed 25%..75% x8, full x6", 20, order="detail"),
    ]
    two_passes = [
        Setting("draft 1/2 x12; refine 0.9 x8", 20),
        Setting("draft 1/2 x10, mixed 25%..75% x4; refine 0.9 x6", 20),
    ]
    for order in ("high", "detail"):
        for schedule, steps in (
            ("draft 1/2 x10; refine 0.9 mixed 25%..75% x4, full x6", 20),
            ("draft 1/2 x8, mixed 25%..75% x4; refine 0.9 mixed 25%..75% x4, full x4", 20),
            ("draft 1/2 x12; refine 0.9 mixed 25%..75% x8, full x3", 23),
        ):
            two_passes.append(Setting(schedule, steps, order=order))
    return [one_pass, two_passes]


ABLATIONS: dict[str, Callable[[], list[Comparison]]] = {
    f.__name__: f for f in (orders, mixed_noise, progressive)
}
