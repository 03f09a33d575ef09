"""What the prompt pays attention to, for the promotion order `attention` (fresco_core/received.py).

Read from the queries and keys of the network's last block, in families whose attention joins the prompt's
tokens with the picture's behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..fresco_core import Canvas, Promotion
from ..fresco_core.layout import Layout

OVERRIDE = "optimized_attention_override"


class Watch:
    """What the picture's tokens receive in one evaluation, over all calls of the network with a positive
    prompt. grid: frames, rows and columns of tokens that a dense evaluation sees, or of the blocks of a mixed
    one."""

    def __init__(self, grid: tuple[int, int, int]):
        self.grid = grid
        self._found: dict[str, list[Tensor]] = {}

    @property
    def shares(self) -> Tensor | None:
        """(B, *grid): the share of the prompt's attention, mean over heads, tokens and calls; None without
        any call."""
        last = list(self._found.values())[
            -1:
        ]  # of the single-stream blocks, which come last, if there are any
        return torch.stack(last[0]).mean(dim=0) if last and last[0] else None

    def over(self, options: dict[str, Any]) -> dict[str, Any]:
        """Transformer options of a dense evaluation that is watched, around another pack's override where
        there is one."""
        other = options.get(OVERRIDE)

        def attend(func: Callable, q: Tensor, k: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            self.read(q, k, kwargs.get("transformer_options") or {})
            return func(q, k, *args, **kwargs) if other is None else other(func, q, k, *args, **kwargs)

        return {**options, OVERRIDE: attend}

    def read(self, q: Tensor, k: Tensor, options: dict[str, Any], layout: Layout | None = None) -> None:
        """Take in one attention of queries and keys (B, heads, L, D), where it is the last block's; of a
        mixed sequence, given its layout, in its fine frame."""
        if options.get("block_index", -2) != options.get("total_blocks", 0) - 1:
            return
        frames, rows, columns = self.grid
        text = q.shape[2] - (frames * rows * columns if layout is None else layout.tokens)
        if text <= 0 or q.shape[2] != k.shape[2]:
            return
        shares = received(q[:, :, :text], k)[:, text:]
        if layout is not None:
            blocks = shares.new_zeros(len(shares), frames * rows * columns)
            shares = blocks.scatter_add(1, layout.blocks(), shares)
        which = options["cond_or_uncond"]
        chunks = shares.unflatten(1, self.grid).chunk(len(which))
        found = self._found.setdefault(options["block_type"], [])
        found += [chunk for chunk, kind in zip(chunks, which) if kind == 0]


def watch_of(promotion: Promotion, canvas: Canvas, level: int) -> Watch | None:
    """Who watches an evaluation at `level`, if the promotion asks for that."""
    if "attention" not in promotion.orders:
        return None
    return Watch((canvas.token_frames, *canvas.blocks(level)))


def received(queries: Tensor, keys: Tensor) -> Tensor:
    """The share (B, L) of the attention of queries (B, heads, M, D) that each key (B, heads or fewer, L, D)
    receives, mean over heads and queries; a head at a time, for little memory."""
    times = queries.shape[1] // keys.shape[1]
    total = queries.new_zeros(len(keys), keys.shape[2], dtype=torch.float32)
    for head in range(queries.shape[1]):
        scores = queries[:, head].float() @ keys[:, head // times].float().mT / queries.shape[-1] ** 0.5
        total += scores.softmax(dim=-1).mean(dim=1)
    return total / queries.shape[1]
