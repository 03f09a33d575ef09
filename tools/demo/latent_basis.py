"""Give the latents of a trained encoder a spectrum that falls, as those of large models' autoencoders do.

Trained for unit variance per channel, the code comes out nearly white: what a block of latents has in common
(colours, outlines) is no stronger than what tells its latents apart. A linear change of basis behind the
encoder makes common components stronger and detail weaker. It loses nothing, and a diffusion model then
settles coarse structure at higher noise than fine structure.
"""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core.demo.autoencoder import TinyAutoencoder

from .work import Workplace, downscale, draw_ids, save

log = logging.getLogger(__name__)

PICTURES = 256
SALT = 7_600_000
STRONG, WEAK = 1.6, 0.3
"""Variance of components that are the same all over a block of 2 x 2 latents, and of detail."""
SMOOTH, DETAILED = 0.1, 0.73
"""Share of detail in a component's variance up to which it is made strong, and from which on weak."""


@torch.no_grad()
def write_encoder(work: Workplace) -> None:
    """Write encoder.pt: the autoencoder with its latents in the new basis. Its decoder undoes the change up
    to the soft limit that it begins with, and is trained on later."""
    if work.file("encoder.pt").exists():
        return
    model = TinyAutoencoder(work.budget.autoencoder_shape).to(work.device)
    model.load_state_dict(torch.load(work.file("autoencoder.pt"), map_location=work.device)["model"])
    ids, random, renderer = draw_ids(work.budget, PICTURES, SALT), work.generator(SALT), work.renderer()
    latents = torch.cat([model.encode(renderer.draw(some, random)) for some in ids.split(32)])
    mean, change = smoothness_basis(latents)
    change_basis(model, mean, change)
    save(work.file("encoder.pt"), {"model": model.state_dict()})
    check = downscale(renderer.draw(ids[:32], random), 0)
    band = [float(power) for power in band_powers(model.encode(check))]
    log.info("basis: power of block means %.2f, of detail %.2f", *band)


def smoothness_basis(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and change of basis (C, C) of latents (B, C, H, W), sides even.

    Components are those of the whitened latents that have the least and most detail (what differs inside
    blocks of 2 x 2). The change is the identity for latents that have already been changed.
    """
    mean = latents.double().mean((0, 2, 3))
    values = latents.double() - mean[:, None, None]
    detail = values - F.interpolate(F.avg_pool2d(values, 2), scale_factor=2, mode="nearest")
    power, axes = torch.linalg.eigh(_covariance(values))
    whiten = axes @ (power.rsqrt()[:, None] * axes.T)
    share, components = torch.linalg.eigh(whiten @ _covariance(detail) @ whiten)
    place = ((share - SMOOTH) / (DETAILED - SMOOTH)).clamp(0, 1)
    deviation = (STRONG * (WEAK / STRONG) ** place).sqrt()
    change = components @ (deviation[:, None] * components.T) @ whiten
    return mean.to(latents), change.to(latents)


def change_basis(model: TinyAutoencoder, mean: Tensor, change: Tensor) -> None:
    """Make the encoder write change @ (z - mean), and the decoder's first convolution read it back."""
    last, first = model.taesd_encoder[-1], model.taesd_decoder[1]
    assert isinstance(last, torch.nn.Conv2d) and isinstance(first, torch.nn.Conv2d)
    last.weight.copy_(torch.einsum("ij,jcyx->icyx", change, last.weight))
    last.bias.copy_(change @ (last.bias - mean))
    first.bias.add_(torch.einsum("ocyx,c->o", first.weight, mean))
    first.weight.copy_(torch.einsum("ocyx,ci->oiyx", first.weight, torch.linalg.inv(change)))


def band_powers(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean power per orthonormal Haar coefficient: of the means of 2 x 2 blocks, of the details."""
    values = latents - latents.mean((0, 2, 3), keepdim=True)
    means = F.avg_pool2d(values, 2)
    detail = values - F.interpolate(means, scale_factor=2, mode="nearest")
    return 4 * means.square().mean(), detail.square().mean() * 4 / 3


def _covariance(values: Tensor) -> Tensor:
    flat = values.transpose(0, 1).flatten(1)
    return flat @ flat.T / flat.shape[1]
