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

from ..canvas.haar import expand, extend, merge, pack_channels, padded_size, unpack_channels
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


def bridged(
    latent: Tensor,
    level: int,
    to_level: int,
    autoencoder: Autoencoder,
    canvas: Canvas,
    enlarge: Enlarge = bicubic,
    at_once: int | None = None,
) -> Tensor:
    """The clean canvas (B, C, ..., H, W) of a draft that was drawn at `level`, brought over pixels to
    `to_level`, which is finer; constant over the blocks of that.

    at_once: how many samples are decoded together, where memory is short. Raises ValueError for an
    autoencoder whose results have another shape than the run's.
    """
    if at_once is not None:
        parts = latent.split(at_once)
        return torch.cat([bridged(p, level, to_level, autoencoder, canvas, enlarge) for p in parts])
    packing = canvas.packing
    whole = unpack_channels(latent, packing)
    size = (whole.shape[-2], whole.shape[-1])
    padded = padded_size(size, level, packing)
    height, width = (side >> to_level for side in padded)
    low = pack_channels(merge(extend(whole, padded), level), packing)
    pixels = autoencoder.decode(low)
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
