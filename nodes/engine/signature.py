"""Which latent a trace belongs to."""

from __future__ import annotations

from typing import Any

import torch

from ...fresco_core import Trace
from ..host.model import one_tensor

ROUNDED = 1e-3  # how far, of the magnitudes' sum, the sums of a latent move that was kept in half precision


def sign(trace: Trace, samples: Any) -> None:
    """Remember in a trace the latent that its run made."""
    trace.result = signature(samples)


def signature(samples: Any) -> tuple[float, float]:
    """Sum and sum of magnitudes of a latent, of all streams in it: tells runs apart, cheap to compare. On the
    CPU, whose order of adding up is one."""
    values = one_tensor(samples).detach().cpu().double()
    return float(values.sum()), float(values.abs().sum())


def made(trace: Trace, samples: Any) -> bool:
    """Whether a trace's run made this latent: exactly, or as far as a latent of half precision can tell."""
    if trace.result is None:
        return False
    found, wanted = signature(samples), trace.result
    if one_tensor(samples).dtype in (torch.float32, torch.float64):
        return found == wanted
    return all(abs(a - b) <= ROUNDED * wanted[1] for a, b in zip(found, wanted))
