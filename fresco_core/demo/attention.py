"""Joint attention with rotary positions, over one grid of tokens or over fine and coarse ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..focus import KeyValues
from ..layout import Layout
from ..mixed import check_frame

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
        first, keys = self.fine_queries, self.coarse_keys
        fine = per_head(rotary(self.fine_ids))
        fine_query = fine[0][:, :, :first], fine[1][:, :, :first]
        near_ids = self.coarse_ids.gather(1, keys.unsqueeze(-1).expand(-1, -1, 3))
        coarse_query, coarse_key = (per_head(rotary(ids)) for ids in (self.coarse_ids[:, first:], near_ids))

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            query, key = _rotate(q[:, :, :first], fine_query), _rotate(k, fine)
            seen = [F.scaled_dot_product_attention(query.to(v.dtype), key.to(v.dtype), v)]
            if first < q.shape[2]:
                index = keys[:, None, :, None].expand(-1, k.shape[1], -1, k.shape[3])
                query, key = _rotate(q[:, :, first:], coarse_query), _rotate(k.gather(2, index), coarse_key)
                near = F.scaled_dot_product_attention(query.to(v.dtype), key.to(v.dtype), v.gather(2, index))
                seen.append(near)
            return torch.cat(seen, dim=2).transpose(1, 2).flatten(2)

        return attend


def attend_mixed(layout: Layout, text: int, frame: str) -> Attend:
    """The attention of a mixed sequence behind `text` text tokens, in one of `mixed.FRAMES`."""
    if check_frame(frame) == "aligned":
        return AlignedAttention.of(layout, text).prepared()
    return partial(attend_dense, table=mixed_table(layout, text))


def mixed_table(layout: Layout, text: int) -> tuple[Tensor, Tensor]:
    """The table of `text` text tokens and a mixed sequence in one frame: the fine one, unless all is
    coarse."""
    at_origin = torch.zeros(len(layout.fine), text, 3, device=layout.fine.device)
    positions = layout.fine_frame() if layout.fine_blocks else layout.coarse_frame()
    return per_head(rotary(torch.cat((at_origin, positions), dim=1)))


def attend_focused(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    table: tuple[Tensor, Tensor],
    text: int,
    layout: Layout,
    memory: KeyValues,
    block: int,
) -> Tensor:
    """Text and the layout's fine tokens attend to text and to all image tokens; those that are not queried
    as `memory` has them of this block of the model. `table` holds the positions of text and of the fine
    tokens."""
    q, k = _rotate(q, table).to(v.dtype), _rotate(k, table).to(v.dtype)
    tokens = layout.mask[0].numel()
    keys, values = memory.update(block, k[:, :, text:], v[:, :, text:], layout.fine, tokens)
    k, v = torch.cat((k[:, :, :text], keys), dim=2), torch.cat((v[:, :, :text], values), dim=2)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def attend_watched(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attend: Attend,
    table: tuple[Tensor, Tensor],
    text: int,
    keep: Callable[[Tensor], None],
) -> Tensor:
    """`attend`, and what the image tokens (B, L) receive of the text tokens' attention, to `keep`."""
    query, key = _rotate(q, table)[:, :, :text], _rotate(k, table)
    weights = (query @ key.transpose(-1, -2) / HEAD_SIZE**0.5).softmax(dim=-1)
    keep(weights[..., text:].mean(dim=(1, 2)))
    return attend(q, k, v)


def per_head(table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A table of positions that differ between samples, (B, L, HEAD_SIZE), for all heads alike."""
    cos, sin = table
    return cos.unsqueeze(1), sin.unsqueeze(1)
