"""SelfLift-zero: a lift that trusts the autoencoder where the two ways to full size disagree most
(Wen et al., arXiv 2609.02036)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .painter import Painter, copied, noised, share_of

LEAST, MOST = 0.5, 1.0
"""Weights of the anchor at the least and the most risky of the corrected places; the paper's."""


def selflift(painter: Painter, sigmas: Sequence[float], rho: float = 0.3, share: float = 0.75) -> Tensor:
    """Euler at half size for a share of the steps (the paper: 3 of 4, 6 of 8), then at full size.

    The last half-size evaluation's clean prediction is lifted, noised afresh at the switch's sigma (Eq. 10)
    and goes on along the same grid, so that no evaluation is added.
    """
    step = share_of(share, len(sigmas) - 1)
    state = painter.euler(painter.fresh_noise(level=1), sigmas[:step])
    clean = painter.clean(state, sigmas[step - 1])
    lifted = lift(copied(clean), painter.over_pixels(clean), rho)
    return painter.euler(noised(lifted, painter.fresh_noise(stream=1), sigmas[step]), sigmas[step:])


def lift(latent: Tensor, anchor: Tensor, rho: float) -> Tensor:
    """The copied latent (B, C, H, W), drawn towards the one that came over pixels in the share `rho` of
    places where they differ most, by the mean over channels: the more, the stronger (Eq. 7 to 9)."""
    difference = anchor - latent
    risk = difference.abs().mean(dim=1, keepdim=True)
    least = torch.quantile(risk.flatten(1), 1.0 - rho, dim=1).reshape(-1, 1, 1, 1)
    chosen = risk >= least
    low = risk.masked_fill(~chosen, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
    high = risk.masked_fill(~chosen, -torch.inf).amax(dim=(1, 2, 3), keepdim=True)
    weight = LEAST + (MOST - LEAST) * (risk - low) / (high - low + 1e-8)
    return latent + torch.where(chosen, weight, 0.0) * difference
