"""Which object a token belongs to, asked of an early block while the transformer trains.

A model that must tell what stands where learns to draw it sooner. REPA (arXiv 2410.06940) asks such a block
for the features of a large encoder; of drawn scenes the answer itself is known.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fresco_core.demo.transformer import DemoTransformer


class Recogniser(nn.Module):
    """Reads object names off the tokens that a transformer's first single-stream block gives."""

    def __init__(self, transformer: DemoTransformer, objects: int):
        """`objects` words can be told apart, and the ground."""
        super().__init__()
        hidden = transformer.shape.hidden
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, objects + 1))
        self._seen: list[Tensor] = []
        transformer.single_blocks[0].register_forward_hook(self._note)

    def _note(self, block: nn.Module, given: Any, tokens: Tensor) -> None:
        self._seen[:] = [tokens]

    def loss(self, names: Tensor, side: int, sigma: Tensor) -> Tensor:
        """Cross entropy at the tokens (side x side) of the transformer's last call, less of it the more noise
        there was.

        names: the objects' indices, (B, cells, cells), 0 for the ground; sigma: the noise levels, (B,).
        """
        tokens = self._seen.pop()[:, -side * side :]
        centres = ((torch.arange(side, device=names.device) + 0.5) * names.shape[-1] / side).long()
        wanted = names[:, centres][:, :, centres].flatten(1).long()
        missed = F.cross_entropy(self.head(tokens).transpose(1, 2).float(), wanted, reduction="none")
        return (missed.mean(1) * (1 - sigma)).mean()
