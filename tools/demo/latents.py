"""Latents of rendered scenes at every picture size, written in shards."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fresco_core.demo.autoencoder import TinyAutoencoder

from .open_render import OpenRenderer
from .render import Renderer
from .work import Workplace, downscale, draw_ids, save

log = logging.getLogger(__name__)

SHARD_SALT = 1_000_000
HELD_OUT_SHARD = 9_000


@dataclass(frozen=True)
class Latents:
    """Scenes ready for the transformer's training."""

    ids: Tensor
    """(N, ID_COLUMNS)."""
    levels: tuple[Tensor, ...]
    """Each of the transformer's picture sizes, (N, 16, H, W), float16."""

    def __len__(self) -> int:
        return len(self.ids)


def shard_name(index: int) -> str:
    """File name of a shard."""
    return f"latents-{index:04d}.pt"


def encoder(work: Workplace) -> TinyAutoencoder:
    """The trained autoencoder, for its encoder."""
    model = TinyAutoencoder(work.budget.autoencoder_shape).to(work.device, memory_format=torch.channels_last)
    model.load_state_dict(torch.load(work.file("autoencoder.pt"), map_location=work.device)["model"])
    return model.eval().requires_grad_(False)


@torch.no_grad()
def encode_scenes(
    work: Workplace,
    renderer: Renderer | OpenRenderer,
    model: TinyAutoencoder,
    ids: Tensor,
    random: torch.Generator,
) -> dict[str, Any]:
    """A shard's part: the scenes' `ids`, their latents at each of the transformer's picture sizes as
    `levels`, (B, 16, H, W) float16, and of open budgets `names` as `draw_with_names` has them; on the CPU."""
    part: dict[str, Any] = {"ids": ids}
    if isinstance(renderer, OpenRenderer):
        drawn, part["names"] = renderer.draw_with_names(ids, random)
    else:
        drawn = renderer.draw(ids, random)
    drawn = drawn.to(work.device)
    with work.autocast():
        sizes = range(len(work.budget.sizes))
        part["levels"] = [model.encode(downscale(drawn, level)).half().cpu() for level in sizes]
    return part


def whole_shard(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A shard of its parts, in order."""
    shard = {key: torch.cat([part[key] for part in parts]) for key in parts[0] if key != "levels"}
    levels = zip(*(part["levels"] for part in parts), strict=True)
    return shard | {"levels": [torch.cat(level) for level in levels]}


def write_latents(work: Workplace) -> None:
    """Write the shards that are still missing, the held-out one first."""
    renderer, model = work.renderer(), encoder(work)
    for index in (HELD_OUT_SHARD, *range(-(-work.budget.scenes // work.budget.shard))):
        if work.file(shard_name(index)).exists():
            continue
        ids = draw_ids(work.budget, work.budget.shard, SHARD_SALT + index)
        random = work.generator(SHARD_SALT + index)
        some = ids.split(32 if work.device == "cpu" else 512)
        save(
            work.file(shard_name(index)),
            whole_shard([encode_scenes(work, renderer, model, part, random) for part in some]),
        )
        log.info("latents: shard %d", index)


def load_shard(work: Workplace, index: int) -> dict[str, Any]:
    """A shard's ids and levels. Raises ValueError where an earlier run left other picture sizes."""
    shard: dict[str, Any] = torch.load(work.file(shard_name(index)))
    if len(shard["levels"]) != len(work.budget.sizes):
        raise ValueError(
            f"{work.file(shard_name(index))} has {len(shard['levels'])} picture sizes, expected "
            f"{len(work.budget.sizes)} ({', '.join(work.budget.sizes)}). Delete the run's latents; they are "
            "drawn anew."
        )
    return shard


def shard_indices(work: Workplace) -> list[int]:
    """Of the shards written so far, without the held-out one, in order."""
    kept = sorted(int(file.stem.split("-")[1]) for file in work.folder.glob("latents-*.pt"))
    return [index for index in kept if index != HELD_OUT_SHARD]


def read_latents(work: Workplace, held_out: bool = False) -> Latents:
    """All shards written so far on the run's device, or the held-out one."""
    indices = [HELD_OUT_SHARD] if held_out else shard_indices(work)
    shards = [load_shard(work, index) for index in indices]
    if not shards:
        raise FileNotFoundError(f"No latents in {work.folder}: run the stage 'latents' first.")
    ids = torch.cat([shard["ids"] for shard in shards]).to(work.device)
    levels = zip(*(shard["levels"] for shard in shards), strict=True)
    return Latents(ids, tuple(torch.cat(level).to(work.device) for level in levels))
