"""The attention of a mixed sequence, around the host's own, in one frame or phase-aligned in two.

In the frame `fine` it is the host's own. Aligned, fine and text queries attend to everything in the fine
frame, coarse queries to one token of every block in the coarse frame. Queries and keys come rotated to the
fine frame; rotations add up, so that those of the coarse frame are turned on. Where nothing is fine, all
queries are in the coarse frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.layout import Layout
from ...fresco_core.mixed import DEFAULT_FRAME
from ..watching import Watch

Grid = tuple[int, int, int]
"""Frames, rows and columns of tokens."""


class Alignment:
    """The two frames of one call of a network whose sequence is text, fine, coarse and reference tokens."""

    def __init__(
        self,
        layout: Layout,
        references: Sequence[Grid] = (),
        watch: Watch | None = None,
        frame: str = DEFAULT_FRAME,
    ):
        self.layout = layout
        self.watch = watch
        self.frame = frame
        self.references = references
        self.text = 0
        self.coarse_last = False  # behind the references, where a block's coarse tokens must be its last
        self._turn: Tensor | None = None  # of every token, from the fine to the coarse frame
        self._near: Tensor | None = None  # places of what coarse queries see

    @property
    def reference_tokens(self) -> int:
        """Tokens of all references."""
        return sum(frames * rows * columns for frames, rows, columns in self.references)

    def ordered(self, x: Tensor) -> Tensor:
        """x (B, [text,] image and reference tokens, D) as the blocks see it."""
        if not self.coarse_last:
            return x
        head, coarse, references = self._split(x, self.layout.coarse.shape[1], self.reference_tokens)
        return torch.cat((head, references, coarse), dim=1)

    def restored(self, x: Tensor) -> Tensor:
        """Inverse of `ordered`."""
        if not self.coarse_last:
            return x
        head, references, coarse = self._split(x, self.reference_tokens, self.layout.coarse.shape[1])
        return torch.cat((head, coarse, references), dim=1)

    def halved(self, reference_ids: Tensor) -> Tensor:
        """Positions of references (B, R, 3) as they would have them at the layout's level."""
        halved = reference_ids.clone()
        halved[..., 1:3] /= 1 << self.layout.level
        return halved

    def align(self, embed: Callable[[Tensor], Tensor], fine_ids: Tensor, coarse_ids: Tensor) -> None:
        """Set both frames: positions (B, L, axes) of the whole sequence in each, in the layout's order, and
        the host's table of rotations for positions. Nothing to prepare where all see all in the fine one."""
        layout, device = self.layout, fine_ids.device
        self.text = fine_ids.shape[1] - layout.tokens - self.reference_tokens
        if self.frame == "fine" and layout.fine_blocks:
            return
        self._turn = embed(self.ordered(coarse_ids - fine_ids))
        first = self.text + layout.tokens
        parts = [torch.arange(self.text, device=device), *self._reference_corners(first, device)]
        shared = [part.expand(len(layout.fine), -1) for part in parts]
        keys = [shared[0], layout.coarse_keys() + self.text, *shared[1:]]
        places = torch.arange(fine_ids.shape[1], device=device)[None, :, None]
        seen_at = self.ordered(places).flatten().argsort()
        self._near = seen_at[torch.cat(keys, dim=1)][:, None, :, None]

    def around(self, options: dict[str, Any]) -> dict[str, Any]:
        """Transformer options whose attention is aligned, around another pack's override where there is
        one."""
        other = options.get("optimized_attention_override")
        return {**options, "optimized_attention_override": self._override(other)}

    @staticmethod
    def _split(x: Tensor, *last: int) -> tuple[Tensor, ...]:
        return x.split((x.shape[1] - sum(last), *last), dim=1)

    def _reference_corners(self, first: int, device: torch.device) -> list[Tensor]:
        """A reference is seen through the first token of each of its blocks."""
        step, corners = 1 << self.layout.level, []
        for grid in self.references:
            index = torch.arange(grid[0] * grid[1] * grid[2], device=device).reshape(grid)
            corners.append(index[:, ::step, ::step].flatten() + first)
            first += index.numel()
        return corners

    def _override(self, other: Callable | None) -> Callable:
        def plain(func: Callable, *args: Any, **kwargs: Any) -> Tensor:
            return func(*args, **kwargs) if other is None else other(func, *args, **kwargs)

        def attend(
            func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
        ) -> Tensor:
            turn, near, layout = self._turn, self._near, self.layout
            fine, coarse = layout.fine.shape[1], layout.coarse.shape[1]
            if self.watch is not None:
                self.watch.read(q, k, kwargs.get("transformer_options") or {}, layout)
            mask = args[0] if args else kwargs.get("mask")
            if turn is None or near is None or mask is not None or not coarse or q.shape[2] != turn.shape[2]:
                return plain(func, q, k, v, heads, *args, **kwargs)
            begin = self.text + fine + (self.reference_tokens if self.coarse_last else 0)
            end = begin + coarse
            keys, values = (x.gather(2, near.expand(-1, x.shape[1], -1, x.shape[3])) for x in (k, v))
            keys = _turned(keys, turn.gather(2, near[..., None, None].expand(-1, -1, -1, *turn.shape[3:])))
            if not fine:
                return plain(func, _turned(q, turn), keys, values, heads, *args, **kwargs)
            queries = _turned(q[:, :, begin:end], turn[:, :, begin:end])
            low = plain(func, queries, keys, values, heads, *args, **kwargs)
            others = torch.cat((q[:, :, :begin], q[:, :, end:]), dim=2)
            seen = plain(func, others, k, v, heads, *args, **kwargs)
            return torch.cat((seen[:, :begin], low, seen[:, begin:]), dim=1)

        return attend


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    """x (B, heads, L, D) rotated by the host's table (B, 1, L, D / 2, 2, 2)."""
    pairs = x.float().unflatten(-1, (-1, 1, 2))
    return (turn[..., 0] * pairs[..., 0] + turn[..., 1] * pairs[..., 1]).flatten(-2).to(x.dtype)
