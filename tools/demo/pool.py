"""Latents that are drawn anew while the transformer trains on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .latents import (
    SHARD_SALT,
    encode_scenes,
    encoder,
    load_shard,
    shard_indices,
    shard_name,
    whole_shard,
)
from .work import Workplace, draw_ids, save

SLICE = 32
"""Scenes drawn in one go."""


class Pool:
    """The newest `capacity` shards of latents, in memory and in the run's folder; `grow` draws the next one,
    a slice at a time, and then drops the oldest.

    An unfinished shard is begun again after an interruption.
    """

    def __init__(self, work: Workplace, capacity: int):
        if capacity < 1:
            raise ValueError(f"A pool of {capacity} shards holds nothing; give 1 or more.")
        self.work, self.capacity = work, capacity
        self._indices = shard_indices(work)
        if not self._indices:
            raise FileNotFoundError(f"No latents in {work.folder}: run the stage 'latents' first.")
        self._drop()
        self._shards = [load_shard(work, index) for index in self._indices]
        self._renderer, self._encoder = work.renderer(), encoder(work)
        self._begin()

    def __len__(self) -> int:
        return sum(len(shard["ids"]) for shard in self._shards)

    @property
    def newest(self) -> int:
        """Index of the shard drawn last."""
        return self._indices[-1]

    def batch(self, level: int, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Random latents (count, 16, H, W) float32 of a picture size, their ids (count, columns), and which
        object is where (count, NAMED_SIDE, NAMED_SIDE)."""
        shard = torch.randint(len(self._shards), (count,), generator=random).tolist()
        row = torch.randint(self.work.budget.shard, (count,), generator=random).tolist()
        latents = [self._shards[s]["levels"][level][r] for s, r in zip(shard, row, strict=True)]
        ids = [self._shards[s]["ids"][r] for s, r in zip(shard, row, strict=True)]
        names = [self._shards[s]["names"][r] for s, r in zip(shard, row, strict=True)]
        return torch.stack(latents).float(), torch.stack(ids), torch.stack(names)

    def grow(self) -> None:
        """Draw a slice of the next shard; keep the shard when it is whole."""
        first = len(self._parts) * SLICE
        ids = self._ids[first : first + SLICE]
        self._parts.append(encode_scenes(self.work, self._renderer, self._encoder, ids, self._random))
        if first + SLICE < len(self._ids):
            return
        self._indices.append(self.newest + 1)
        self._shards.append(whole_shard(self._parts))
        save(self.work.file(shard_name(self.newest)), self._shards[-1])
        self._drop()
        self._shards = self._shards[-self.capacity :]
        self._begin()

    def _begin(self) -> None:
        salt = SHARD_SALT + self.newest + 1
        self._ids = draw_ids(self.work.budget, self.work.budget.shard, salt)
        self._random = self.work.generator(salt)
        self._parts: list[dict[str, Any]] = []

    def _drop(self) -> None:
        """Delete the files of the oldest shards, as many as are too many."""
        for index in self._indices[: -self.capacity]:
            self.work.file(shard_name(index)).unlink(missing_ok=True)
        self._indices = self._indices[-self.capacity :]
