"""A good place to start the autoencoder's training from: the best linear code of 8 x 8 blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fresco_core.demo.autoencoder import DOWNSCALE, LATENT_CHANNELS, Block, TinyAutoencoder


@torch.no_grad()
def start_at_block_code(model: TinyAutoencoder, pictures: Sequence[Tensor]) -> None:
    """Set the encoder to the whitened principal components of the pictures' 8 x 8 blocks (the Karhunen-Loeve
    transform).

    The strided convolutions gather each block's pixels into channels (pixels are not negative, so a ReLU lets
    them through), the last one projects onto plus and minus each component, and the output convolution joins
    the two. All other weights start as He et al. (arXiv 1502.01852) have it, blocks near the identity.

    Args:
        model: at least 16, 32, 64, 64 channels wide.
        pictures: batches (B, 3, H, W) in [0, 1] of any sizes, sides multiples of 8; each batch counts alike.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for half, share in ((model.taesd_encoder, 0.01), (model.taesd_decoder, 0.1)):
        for module in half.modules():
            if isinstance(module, Block):
                module.conv[4].weight.mul_(share)
    model.taesd_decoder[-1].weight.mul_(0.3)
    model.taesd_decoder[-1].bias.fill_(0.5)

    mean, components = block_code(pictures)
    first, *strided, last = (m for m in model.taesd_encoder if isinstance(m, nn.Conv2d))
    _only(first, 3)
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1
    for conv, channels in zip(strided[:2], (3, 12), strict=True):
        _only(conv, 4 * channels)
        for dy in (0, 1):
            for dx in (0, 1):
                for channel in range(channels):
                    conv.weight[(2 * dy + dx) * channels + channel, channel, 1 + dy, 1 + dx] = 1
    project = strided[2]
    _only(project, 2 * LATENT_CHANNELS)
    for dy in (0, 1):
        for dx in (0, 1):
            part = components[:, dy, dx].flatten(1)
            project.weight[:LATENT_CHANNELS, :48, 1 + dy, 1 + dx] = part
            project.weight[LATENT_CHANNELS : 2 * LATENT_CHANNELS, :48, 1 + dy, 1 + dx] = -part
    last.weight.mul_(0.1)
    last.weight[:, : 2 * LATENT_CHANNELS] = 0
    last.weight[:, :LATENT_CHANNELS, 1, 1] = torch.eye(LATENT_CHANNELS)
    last.weight[:, LATENT_CHANNELS : 2 * LATENT_CHANNELS, 1, 1] = -torch.eye(LATENT_CHANNELS)
    last.bias.copy_(-(components.flatten(1) @ mean))


def _only(conv: nn.Conv2d, channels: int) -> None:
    conv.weight[:channels] = 0


def block_code(pictures: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean block (192,) and whitened components (16, 2, 2, 2, 2, 12): the block's pixels in the order in
    which the strided convolutions gather them, coarsest position (y, x) first, then the middle one, then the
    finest and colour."""
    each = [_blocks(batch).double() for batch in pictures]
    mean = torch.stack([blocks.mean(0) for blocks in each]).mean(0)
    spread = torch.stack([(blocks - mean).T @ (blocks - mean) / len(blocks) for blocks in each]).mean(0)
    power, basis = torch.linalg.eigh(spread)
    top = basis[:, -LATENT_CHANNELS:].T.flip(0) / power[-LATENT_CHANNELS:].flip(0).sqrt()[:, None]
    return mean.float(), top.float().reshape(LATENT_CHANNELS, 2, 2, 2, 2, 12)


def _blocks(pictures: Tensor) -> Tensor:
    blocks = (
        pictures.cpu()
        .unfold(2, DOWNSCALE, DOWNSCALE)
        .unfold(3, DOWNSCALE, DOWNSCALE)
        .permute(0, 2, 3, 4, 5, 1)
    )
    blocks = blocks.reshape(-1, 2, 2, 2, 2, 2, 2, 3)  # y: coarse, middle, fine; x: the same; colour
    return blocks.permute(0, 1, 4, 2, 5, 3, 6, 7).flatten(1)
