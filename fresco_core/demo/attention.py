"""Joint attention with rotary positions, over one grid of tokens or over fine and coarse ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layout import Layout

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


@dataclass(frozen=True)
class AlignedAttention:
    """Phase-aligned attention over text, fine and coarse tokens.

    The first `fine_queries` queries, text and fine tokens, attend to all keys in the fine frame. The others,
    the coarse tokens, attend in the coarse frame to text, to one token of each fine block and to each other:
    `coarse_keys` (B, K) indexes them.
    """

    fine_ids: Tensor
    coarse_ids: Tensor
    fine_queries: int
    coarse_keys: Tensor

    @classmethod
    def of(cls, layout: Layout, text: int) -> AlignedAttention:
        """For `text` text tokens, at the origin of both frames, followed by a layout's sequence. Where
        nothing is fine, text attends in the coarse frame too."""
        batch, device = len(layout.fine), layout.fine.device
        at_origin = torch.zeros(batch, text, 3, device=device)
        keys = torch.cat(
            (torch.arange(text, device=device).expand(batch, -1), layout.coarse_keys() + text), dim=1
        )
        return cls(
            torch.cat((at_origin, layout.fine_frame()), dim=1),
            torch.cat((at_origin, layout.coarse_frame()), dim=1),
            text + layout.fine.shape[1] if layout.fine_blocks else 0,
            keys,
        )

    def prepared(self) -> Attend:
        """The attention with its rotary tables, for all blocks of one evaluation."""
        fine, coarse = _per_head(rotary(self.fine_ids)), _per_head(rotary(self.coarse_ids))
        keys, first = self.coarse_keys[:, None, :, None], self.fine_queries

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            seen = [
                F.scaled_dot_product_attention(
                    _rotate(q, fine)[:, :, :first].to(v.dtype), _rotate(k, fine).to(v.dtype), v
                )
            ]
            if first < q.shape[2]:
                index = keys.expand(-1, k.shape[1], -1, k.shape[3])
                near = _rotate(k, coarse).gather(2, index).to(v.dtype)
                query = _rotate(q, coarse)[:, :, first:].to(v.dtype)
                seen.append(F.scaled_dot_product_attention(query, near, v.gather(2, index)))
            return torch.cat(seen, dim=2).transpose(1, 2).flatten(2)

        return attend


def _per_head(table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    cos, sin = table
    return cos.unsqueeze(1), sin.unsqueeze(1)
