"""The attention that the canvas receives: what the promotion order `attention` needs of a denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from .look import Denoiser


@dataclass
class ReceivedAttention:
    """What the last evaluation of a denoiser paid attention to.

    shares: (B, T, rows, columns) on the grid that the model saw, one grid of blocks in a mixed sequence: the
    share of the prompt tokens' attention in the model's last block that went there, mean over heads and
    tokens. Of one block and few queries only, because no fused kernel gives it. None before the first.
    """

    shares: Tensor | None = None


@runtime_checkable
class AttentiveDenoiser(Protocol):
    """A denoiser that can tell where its attention goes."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `look.Denoiser`."""

    def watched(self, received: ReceivedAttention) -> Denoiser:
        """The same denoiser, whose evaluations also write to `received`."""


def watched(denoise: Denoiser, received: ReceivedAttention) -> Denoiser:
    """`denoise` writing to `received`; ValueError for one that cannot."""
    if not isinstance(denoise, AttentiveDenoiser):
        raise ValueError(
            f"the promotion order 'attention' needs a denoiser that tells where its attention goes, but "
            f"{getattr(denoise, '__name__', type(denoise).__name__)} has no method 'watched'; use another "
            "order, for example 'low'"
        )
    return denoise.watched(received)
