"""Learned embeddings of the scene grammar: ids to context tokens and a pooled vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .parsing import parse
from .scene import scene_ids, slots_of
from .vocabulary import Vocabulary


class PromptEncoder(nn.Module):
    """One token per object phrase (name, place and size added up), one for the ground's kind, one for its
    colour, and in an open vocabulary one for how many objects there are.

    Index 0 of every table is learned too and stands for an absent word; a row of zeros is the empty prompt,
    as for classifier-free guidance.
    """

    def __init__(self, vocabulary: Vocabulary, context_size: int = 128, pooled_size: int = 128):
        super().__init__()
        self.vocabulary = vocabulary
        words = (
            vocabulary.names,
            vocabulary.places,
            vocabulary.sizes,
            vocabulary.kinds,
            vocabulary.colours,
        )
        sizes = [len(known) for known in words] + [vocabulary.slots] * vocabulary.open
        self.tables = nn.ModuleList(nn.Embedding(size + 1, context_size) for size in sizes)
        self.pool = nn.Sequential(
            nn.Linear(context_size, pooled_size), nn.SiLU(), nn.Linear(pooled_size, pooled_size)
        )

    @property
    def tokens(self) -> int:
        """Context tokens of every prompt, whatever it says."""
        return self.vocabulary.tokens

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids (B, columns) to context (B, tokens, context_size) and pooled (B, pooled_size)."""
        if ids.ndim != 2 or ids.shape[1] != self.vocabulary.columns:
            raise ValueError(f"Ids of shape {tuple(ids.shape)}; expected (B, {self.vocabulary.columns}).")
        names, places, sizes, kinds, colours, *counts = self.tables
        objects = slots_of(ids)
        phrases = names(objects[..., 0]) + places(objects[..., 1]) + sizes(objects[..., 2])
        ground = [kinds(ids[:, -2]), colours(ids[:, -1]), *(table(ids[:, -3]) for table in counts)]
        context = torch.cat((torch.stack(ground, dim=1), phrases), dim=1)
        return context, self.pool(context.mean(dim=1))

    def encode(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Context and pooled vector of prompts; an empty string is the empty prompt.

        Raises:
            SceneError: a prompt that the grammar cannot read.
        """
        rows = torch.zeros(len(prompts), self.vocabulary.columns, dtype=torch.int64)
        for row, prompt in zip(rows, prompts, strict=True):
            if prompt.strip():
                row.copy_(scene_ids([parse(prompt, self.vocabulary)], self.vocabulary)[0])
        return self(rows.to(next(self.parameters()).device))
