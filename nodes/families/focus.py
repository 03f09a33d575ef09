"""The attention of a focus step, around the host's own: queried tokens see all image tokens.

Those that are not queried are seen as the keys and values of their last evaluation, rotated as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..mixing import MixedCall
from .alignment import Alignment, Grid


def attention_of(call: MixedCall, references: Sequence[Grid] = (), shared: int = 1) -> Alignment:
    """The attention of one call of a network: of its focus step, or else of its mixed one. shared: how many
    heads share keys and values."""
    if call.key_values is None:
        return Alignment(call.layout, references, call.watch, call.frame)
    return Focus(call, references, shared)


class Focus(Alignment):
    """The attention of one call of a network whose sequence is text, queried and reference tokens.

    Attention over sequences of any other length is left alone. index (B, K): where the first K image tokens
    of the sequence belong among `tokens` kept ones. image: image tokens of the sequence; those beyond the
    first K are seen by none. shared: how many heads in a row share keys and values, which are kept once.
    """

    def __init__(self, call: MixedCall, references: Sequence[Grid] = (), shared: int = 1):
        super().__init__(call.layout, references)
        assert call.key_values is not None
        self.key_values = call.key_values
        self.index = call.layout.fine
        self.tokens = call.layout.mask[0].numel()
        self.image = call.layout.tokens
        self.shared = shared
        self._length = 0
        self._blocks = 0

    def align(self, embed: Callable[[Tensor], Tensor], fine_ids: Tensor, coarse_ids: Tensor) -> None:
        """Tell where the sequence of positions fine_ids (B, L, axes) has its text; both frames are one."""
        self._length = fine_ids.shape[1]
        self.text = self._length - self.image - self.reference_tokens

    def _joins(self, length: int, options: dict[str, Any]) -> bool:
        """Whether attention of `length` queries is that of the sequence to itself, given its transformer
        options."""
        return length == self._length

    def _override(self, other: Callable | None) -> Callable:
        def attend(
            func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
        ) -> Tensor:
            if self._joins(q.shape[-2], kwargs.get("transformer_options") or {}):
                if not self.layout.whole and (args[0] if args else kwargs.get("mask")) is not None:
                    raise ValueError(
                        "an attention mask has come to a focus step, whose keys are other ones than it is "
                        "for; take the schedule's 'focus' out, or the node that sets the mask"
                    )
                k, v = self._joined(k, v)
            if other is None:
                return func(q, k, v, heads, *args, **kwargs)
            return other(func, q, k, v, heads, *args, **kwargs)

        return attend

    def _joined(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the sequence with those of all image tokens in the place of the queried."""
        keys, values = (x[:, :: self.shared] if x.ndim == 4 else x.unsqueeze(1) for x in (k, v))
        begin = self.text
        end, rest = begin + self.index.shape[1], begin + self.image
        queried = keys[:, :, begin:end], values[:, :, begin:end]
        image = self.key_values.update(self._blocks, *queried, self.index, self.tokens)
        self._blocks += 1
        if self.layout.whole:
            return k, v
        both = zip((keys, values), image)
        joined = (torch.cat((x[:, :, :begin], part, x[:, :, rest:]), dim=2) for x, part in both)
        keys, values = (
            x.repeat_interleave(self.shared, dim=1) if k.ndim == 4 else x.squeeze(1) for x in joined
        )
        return keys, values
