"""Latents of rendered scenes at every picture size, written in shards."""

from __future__ import annotations

import logging
from dataclasses import dataclass

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
    levels: tuple[Tensor, Tensor, Tensor]
    """Full, half and quarter size, (N, 16, H, W) each, float16."""

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
) -> list[Tensor]:
    """Latents of scenes at full, half and quarter size, (B, 16, H, W) float16 each, on the CPU."""
    drawn = renderer.draw(ids, random).to(work.device)
    with work.autocast():
        return [model.encode(downscale(drawn, level)).half().cpu() for level in range(3)]


def write_latents(work: Workplace) -> None:
    """Write the shards that are still missing, the held-out one first."""
    renderer, model = work.renderer(), encoder(work)
    for index in (HELD_OUT_SHARD, *range(-(-work.budget.scenes // work.budget.shard))):
        if work.file(shard_name(index)).exists():
            continue
        ids = draw_ids(work.budget, work.budget.shard, SHARD_SALT + index)
        random = work.generator(SHARD_SALT + index)
        parts: list[list[Tensor]] = [[], [], []]
        for some in ids.split(32 if work.device == "cpu" else 512):
            for level, part in enumerate(encode_scenes(work, renderer, model, some, random)):
                parts[level].append(part)
        save(work.file(shard_name(index)), {"ids": ids, "levels": [torch.cat(part) for part in parts]})
        log.info("latents: shard %d", index)


def read_latents(work: Workplace, held_out: bool = False) -> Latents:
    """All shards written so far on the run's device, or the held-out one."""
    files = sorted(work.folder.glob("latents-*.pt"))
    held = work.file(shard_name(HELD_OUT_SHARD))
    files = [held] if held_out else [file for file in files if file != held]
    shards = [torch.load(file) for file in files]
    if not shards:
        raise FileNotFoundError(f"No latents in {work.folder}: run the stage 'latents' first.")
    ids = torch.cat([shard["ids"] for shard in shards]).to(work.device)
    full, half, quarter = (
        torch.cat([shard["levels"][level] for shard in shards]).to(work.device) for level in range(3)
    )
    return Latents(ids, (full, half, quarter))
