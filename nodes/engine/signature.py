"""Which latent a trace belongs to."""

from __future__ import annotations

from typing import Any

import torch

from ...fresco_core import Trace
from ..host.model import one_tensor

ROUNDED = 1e-3  # how far, of the magnitudes' sum, the sums of a latent move that was kept in half precision
REORDERED = 1e-9  # the same, with its values added up in another order: a sampler packs streams by sample


def sign(trace: Trace, samples: Any) -> None:
    """Remember in a trace the latent that its run made."""
    trace.result = signature(samples)


def signature(samples: Any) -> tuple[float, float]:
    """Sum and sum of magnitudes of a latent, of all streams in it: tells runs apart, cheap to compare. On the
    CPU, whose order of adding up is one."""
    values = one_tensor(samples).detach().cpu().double()
    return float(values.sum()), float(values.abs().sum())


def made(trace: Trace, samples: Any) -> bool:
    """Whether a trace's run made this latent, as far as its precision can tell."""
    if trace.result is None:
        return False
    found, wanted = signature(samples), trace.result
    whole = one_tensor(samples).dtype in (torch.float32, torch.float64)
    apart = (REORDERED if whole else ROUNDED) * wanted[1]
    return all(abs(a - b) <= apart for a, b in zip(found, wanted))
