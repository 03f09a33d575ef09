"""Joint attention with rotary positions, over one grid of tokens or over fine and coarse ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..look.token_layout import Layout

AXES = (16, 56, 56)
HEAD_SIZE = sum(AXES)
THETA = 10000.0

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values (B, heads, L, HEAD_SIZE), not yet rotated, to what is seen (B, L, hidden)."""


def rotary(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every pair of channels.

    Args:
        ids: (..., L, 3) positions on the axes.

    Returns:
        Two tensors (..., L, HEAD_SIZE), each value twice in a row.
    """
    angles = []
    for axis, size in enumerate(AXES):
        omega = 1.0 / THETA ** (torch.arange(0, size, 2, dtype=torch.float64, device=ids.device) / size)
        angles.append(ids[..., axis, None].double() * omega)
    angle = torch.cat(angles, dim=-1).repeat_interleave(2, dim=-1)
    return angle.cos().float(), angle.sin().float()


def _rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = table
    x1, x2 = x.unflatten(-1, (-1, 2)).unbind(-1)
    return (x * cos + torch.stack((-x2, x1), dim=-1).flatten(-2) * sin).to(x.dtype)


def attend_dense(q: Tensor, k: Tensor, v: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Every query attends to every key, all at the positions of one table from `rotary`."""
    q, k = _rotate(q, table).to(v.dtype), _rotate(k, table).to(v.dtype)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def mixed_table(layout: Layout, text: int) -> tuple[Tensor, Tensor]:
    """The table of `text` text tokens and a mixed sequence in one frame: the fine one, unless all is
    coarse."""
    at_origin = torch.zeros(len(layout.fine), text, 3, device=layout.fine.device)
    positions = layout.positions()
    return per_head(rotary(torch.cat((at_origin, positions), dim=1)))


def per_head(table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A table of positions that differ between samples, (B, L, HEAD_SIZE), for all heads alike."""
    cos, sin = table
    return cos.unsqueeze(1), sin.unsqueeze(1)
