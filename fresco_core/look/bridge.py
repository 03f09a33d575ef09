"""The bridge: a clean draft crosses to a finer level in pixels.

Autoencoders are not scale-equivariant: the latent of a half-size picture is not the block means of the latent
of the whole one. A draft that is copied over its blocks has the wrong detail in every band that its level
hides; one that is decoded at its own size, enlarged as a picture and encoded again has most of it. The noise
stays on the canvas: the run goes on from the bridged picture and its own noise field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas.frames import frames_at, merge_frames
from ..canvas.haar import expand, extend, merge, pack_channels, padded_size, unpack_channels
from ..canvas.levels import side_at
from ..canvas.size import Canvas

Enlarge = Callable[[Tensor, tuple[int, int]], Tensor]
"""enlarge(pixels (N, C, H, W), size (H', W')) -> pixels (N, C, H', W')."""


class Autoencoder(Protocol):
    """Between clean latents of a run, (B, C, [T,] h, w), and pictures, (B, 3, [F,] H, W) in [0, 1].

    scale: pixels of a picture per latent pixel; F frames are what the autoencoder makes of T latent ones.
    """

    scale: int

    def decode(self, latent: Tensor) -> Tensor:
        """The picture of a latent of any size."""

    def encode(self, pixels: Tensor) -> Tensor:
        """The latent of a picture whose sides are whole multiples of `scale`."""


def bicubic(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """An Enlarge: bicubic, by Keys' kernel, which keeps slopes (1981)."""
    return F.interpolate(pixels, size, mode="bicubic", align_corners=False, antialias=True)


def slowed(pixels: Tensor, halvings: int, latent: Tensor) -> Tensor:
    """A clip (B, 3, F', H, W), decoded at 2^-halvings of its frame rate, with as many frames as belong to the
    whole latent (B, C, T, h, w); those between two are their means, weighted by time."""
    if halvings == 0:
        return pixels
    fewer, frames = pixels.shape[2] - 1, latent.shape[2]
    a_latent_frame = fewer // (frames_at(frames, halvings) - 1)
    size = ((fewer << halvings) + 1, *pixels.shape[-2:])
    between = F.interpolate(pixels, size, mode="trilinear", align_corners=True)
    return between[:, :, : 1 + a_latent_frame * (frames - 1)]


def bridged(
    latent: Tensor, level: float, to_level: float, autoencoder: Autoencoder, canvas: Canvas,
    enlarge: Enlarge = bicubic, at_once: int | None = None, halvings: int = 0,
) -> Tensor:
    """The clean canvas (B, C, ..., H, W) of a draft that was drawn at `level`, brought over pixels to
    `to_level`, which is finer; constant over the blocks of that. halvings: of the draft's frames, which are
    all there again behind it.

    at_once: how many samples are decoded together, where memory is short. Raises ValueError for an
    autoencoder whose results have another shape than the run's.
    """
    if at_once is not None:
        parts = latent.split(at_once)
        how = autoencoder, canvas, enlarge, None, halvings
        return torch.cat([bridged(part, level, to_level, *how) for part in parts])
    packing = canvas.packing
    whole = unpack_channels(latent, packing)
    size = (whole.shape[-2], whole.shape[-1])
    padded = padded_size(padded_size(size, level, packing), to_level, packing)
    height, width = (side_at(side, to_level) for side in padded)
    low = pack_channels(merge(extend(merge_frames(whole, halvings), padded), level), packing)
    pixels = slowed(autoencoder.decode(low), halvings, latent)
    pictures = pixels.movedim(2, 1).flatten(0, 1) if pixels.ndim == 5 else pixels
    scale = autoencoder.scale
    large = enlarge(pictures, (height // packing * scale, width // packing * scale))
    if pixels.ndim == 5:
        large = large.unflatten(0, (pixels.shape[0], pixels.shape[2])).movedim(1, 2)
    fine = unpack_channels(autoencoder.encode(large), packing)
    if fine.shape != (*whole.shape[:-2], height, width):
        raise ValueError(
            f"the autoencoder made a latent of {tuple(fine.shape)} of a picture of {tuple(large.shape)}; "
            f"expected {(*whole.shape[:-2], height, width)}: use the one that belongs to the model"
        )
    return pack_channels(expand(fine.to(latent), to_level)[..., : size[0], : size[1]], packing)
