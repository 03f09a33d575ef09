"""The transformer's dense attention as it trains fastest on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from fresco_core.demo.attention import HEAD_SIZE


def attend_quick(q: Tensor, k: Tensor, v: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """What `attend_dense` computes, with the weights written out: for a few hundred tokens torch's fused
    attention takes twice as long forwards and backwards, and a rotation of real pairs three times as long as
    one of complex numbers."""
    turns = torch.complex(table[0][..., ::2], table[1][..., ::2])
    q, k = _turned(q, turns).to(v.dtype), _turned(k, turns).to(v.dtype)
    weights = (q @ k.transpose(-1, -2) * HEAD_SIZE**-0.5).softmax(dim=-1).to(v.dtype)
    return (weights @ v).transpose(1, 2).flatten(2)


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2)
