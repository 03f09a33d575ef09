"""A good place to start the autoencoder's training from: the best linear code of 8 x 8 blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fresco_core.demo.autoencoder import DOWNSCALE, LATENT_CHANNELS, Block, TinyAutoencoder
from fresco_core.demo.weights import load_demo


@torch.no_grad()
def start_at_block_code(model: TinyAutoencoder, pictures: Sequence[Tensor], tilt: float = 0.0) -> None:
    """Set the encoder to the principal components of the pictures' 8 x 8 blocks (the Karhunen-Loeve
    transform), each divided by its deviation to the power of 1 - tilt: whitened at 0.

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

    mean, components = block_code(pictures, tilt)
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


@torch.no_grad()
def start_at_shipped_code(model: TinyAutoencoder, pictures: Sequence[Tensor], tilt: float = 0.0) -> None:
    """Set the autoencoder to the one in the tree, its channels scaled anew: to deviations that go as the
    power `tilt` of how much a channel changes the pictures, with a mean square of 1.

    Raises RuntimeError, from torch, where the shapes differ.
    """
    source = load_demo().autoencoder
    latents = torch.cat([source.encode(batch[:8]).movedim(1, -1).flatten(0, -2) for batch in pictures])
    wanted = _weights_in_picture(source, source.encode(pictures[0][:4])) ** tilt
    wanted = wanted / wanted.square().mean().sqrt()
    gains = wanted / latents.std(0)
    model.load_state_dict(source.state_dict())
    last, first = model.taesd_encoder[-1], model.taesd_decoder[1]
    last.weight.mul_(gains.to(last.weight.device)[:, None, None, None])
    last.bias.copy_((last.bias.cpu() - latents.mean(0)) * gains)
    first.weight.div_(gains.to(first.weight.device)[None, :, None, None])


def _weights_in_picture(model: TinyAutoencoder, latents: Tensor) -> Tensor:
    """How much each channel (16,) changes the pictures, per deviation of its own."""
    drawn, changes = model.decode(latents), []
    for channel in range(LATENT_CHANNELS):
        other = latents.clone()
        other[:, channel] += 0.3 * latents[:, channel].std() * torch.randn_like(latents[:, channel])
        changes.append((model.decode(other) - drawn).square().mean().sqrt())
    return torch.stack(changes)


def _only(conv: nn.Conv2d, channels: int) -> None:
    conv.weight[:channels] = 0


def block_code(pictures: Sequence[Tensor], tilt: float = 0.0) -> tuple[Tensor, Tensor]:
    """Mean block (192,) and components of unit variance on average (16, 2, 2, 2, 2, 12): the block's pixels
    in the order in which the strided convolutions gather them, coarsest position (y, x) first, then the
    middle one, then the finest and colour."""
    each = [_blocks(batch).double() for batch in pictures]
    mean = torch.stack([blocks.mean(0) for blocks in each]).mean(0)
    spread = torch.stack([(blocks - mean).T @ (blocks - mean) / len(blocks) for blocks in each]).mean(0)
    power, basis = torch.linalg.eigh(spread)
    basis, power = basis[:, -LATENT_CHANNELS:].T.flip(0), power[-LATENT_CHANNELS:].flip(0)
    variances = power**tilt / (power**tilt).mean()
    top = basis * (variances / power).sqrt()[:, None]
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
