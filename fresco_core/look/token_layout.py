"""The tokens of a mixed sequence: fine ones from the canvas, coarse ones from a level of it.

A block is what one coarse token covers: 2^k x 2^k fine tokens of one frame. Every sample of a batch has the
same number of fine blocks, so the sequence is rectangular; which blocks they are may differ. The sequence
holds the fine tokens in raster order, then the coarse ones in raster order. The host knows all counts, so
that nothing here synchronises with the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas.haar import expand, repeated


@dataclass(frozen=True)
class Layout:
    """Which tokens a mixed sequence holds. Made by `mixed_layout`.

    mask (B, T, rows, columns): True where the block is fine, `fine_blocks` times per sample. fine (B, F):
    raster indices on the grid of fine tokens. coarse (B, N - fine_blocks): raster indices on the grid of the
    N blocks.
    """

    mask: Tensor
    fine_blocks: int
    level: int
    fine: Tensor
    coarse: Tensor

    @property
    def tokens(self) -> int:
        """Image tokens per sample that the model evaluates, L."""
        return self.fine.shape[1] + self.coarse.shape[1]

    def for_batch(self, batch: int) -> Layout:
        """The layout of a batch that holds this one's several times, as cond and uncond together do."""
        mask, fine, coarse = (repeated(x, batch) for x in (self.mask, self.fine, self.coarse))
        return Layout(mask, self.fine_blocks, self.level, fine, coarse)

    def gather(self, fine_tokens: Tensor, coarse_tokens: Tensor) -> Tensor:
        """The sequence (B, L, D) of all fine tokens (B, T * R * C, D) and all coarse ones (B, N, D)."""
        return torch.cat((pick(fine_tokens, self.fine), pick(coarse_tokens, self.coarse)), dim=1)

    def scatter(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Inverse of `gather`: both whole grids, zero where the sequence has no token."""
        blocks = self.mask[0].numel()
        fine, coarse = sequence.split((self.fine.shape[1], self.coarse.shape[1]), dim=1)
        return place(fine, self.fine, blocks * 4**self.level), place(coarse, self.coarse, blocks)

    def positions(self) -> Tensor:
        """(frame, row, column) of each token of the sequence, (B, L, 3), in units of fine tokens, coarse ones
        at the centres of their blocks; where nothing is fine, on the grid of blocks."""
        side, (rows, columns) = 1 << self.level, self.mask.shape[2:]
        fine = _coordinates(self.fine, rows * side, columns * side)
        coarse = _coordinates(self.coarse, rows, columns)
        if self.fine_blocks:
            coarse[..., 1:] = coarse[..., 1:] * side + (side - 1) / 2
        return torch.cat((fine, coarse), dim=1)

    def fine_pixels(self, patch: int, frame_patch: int, like: Tensor) -> Tensor:
        """True where a latent pixel of the canvas `like` (B, C, [T,] H, W) belongs to a fine block; shaped to
        mask it."""
        pixels = expand(self.mask, self.level)
        for dim, times in ((1, frame_patch), (2, patch), (3, patch)):
            pixels = pixels.repeat_interleave(times, dim=dim)
        if like.ndim == 5:
            return pixels.unsqueeze(1)[:, :, : like.shape[2], : like.shape[-2], : like.shape[-1]]
        return pixels[..., : like.shape[-2], : like.shape[-1]]


def mixed_layout(mask: Tensor, fine_blocks: int, level: int = 1) -> Layout:
    """The layout of a promotion mask (B, T, rows, columns), bool, with exactly `fine_blocks` True per sample.

    The count is taken on trust: checking it would synchronise with the device. Raises ValueError for masks
    and counts that cannot be.
    """
    if mask.ndim != 4 or mask.dtype != torch.bool:
        raise ValueError(f"a {mask.dtype} mask of {tuple(mask.shape)}; expected bool (B, T, rows, columns)")
    blocks = mask[0].numel()
    if not 0 <= fine_blocks <= blocks:
        raise ValueError(f"{fine_blocks} fine blocks of {blocks}; expected 0 to {blocks}")
    fine = _chosen(expand(mask, level).flatten(1), fine_blocks << (2 * level))
    coarse = _chosen(~mask.flatten(1), blocks - fine_blocks)
    return Layout(mask, fine_blocks, level, fine, coarse)


def pick(tokens: Tensor, index: Tensor) -> Tensor:
    """tokens (B, L, D) at index (B, K): (B, K, D)."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def place(tokens: Tensor, index: Tensor, length: int) -> Tensor:
    """Tokens (B, K, D) put at index (B, K) of zeros (B, length, D)."""
    out = tokens.new_zeros(tokens.shape[0], length, tokens.shape[-1])
    return out.scatter(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]), tokens)


def _chosen(mask: Tensor, count: int) -> Tensor:
    """Indices (B, count) of the True values of mask (B, L), in order."""
    return mask.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :count]


def _coordinates(index: Tensor, rows: int, columns: int) -> Tensor:
    """Raster indices (B, K) as float (frame, row, column), (B, K, 3)."""
    area = rows * columns
    row = torch.div(index % area, columns, rounding_mode="floor")
    frame = torch.div(index, area, rounding_mode="floor")
    return torch.stack((frame, row, index % columns), dim=-1).float()
