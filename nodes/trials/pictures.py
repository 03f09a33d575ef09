"""From latents to distances: what is decoded, compared, and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...fresco_core.bench import LEAST_SIDE, Bench, Setting, Trial, peak_ratio, perceptual, similarity
from ..host.core_nodes import decoded
from ..host.model import first_stream
from .runs import Runs


@dataclass
class Album:
    """Distances of each setting's pictures to the reference's, and a picture of each seed to show."""

    psnr: dict[Setting, list[float]] = field(default_factory=dict)
    ssim: dict[Setting, list[float]] = field(default_factory=dict)
    lpips: dict[Setting, list[float]] = field(default_factory=dict)
    shown: dict[str, list[Image.Image]] = field(default_factory=dict)


def pictures_of(vae: Any, latent: dict) -> Tensor:
    """Pictures or frames (N, H, W, 3) in [0, 1] of a latent. Raises ValueError for what is no pictures."""
    found = decoded(vae, {**latent, "samples": first_stream(latent["samples"])})
    if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[-1] < 3:
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(
            f"Fresco Bench compares pictures and videos, and this VAE makes {shape} of the latent; expected "
            "pictures (N, height, width, 3): connect the model's own VAE"
        )
    if min(found.shape[1:3]) < LEAST_SIDE:
        raise ValueError(
            f"Fresco Bench compares pictures of {LEAST_SIDE} pixels a side at least, and these are "
            f"{found.shape[2]}x{found.shape[1]}: make the latent larger"
        )
    return found[..., :3].detach().float().nan_to_num(0.0).clamp(0.0, 1.0).cpu()  # lost numbers are black


def compared(runs: Runs, vae: Any) -> Album:
    """Decode seed by seed and hold each setting's pictures against the reference's of that seed."""
    album, network = Album(), perceptual.lpips()
    settings = [runs.reference, *(s for s in runs.presets if s not in runs.measured.notes), *runs.fewer]
    for seed in runs.seeds:
        plain = pictures_of(vae, runs.measured.latents[runs.reference][seed])
        for setting in settings:
            own = plain
            if setting != runs.reference:
                own = pictures_of(vae, runs.measured.latents[setting][seed])
            album.psnr.setdefault(setting, []).append(peak_ratio(plain, own))
            album.ssim.setdefault(setting, []).append(similarity(plain, own))
            if network is not None and min(plain.shape[1:3]) >= perceptual.LEAST_SIDE:
                album.lpips.setdefault(setting, []).append(network(plain, own))
            album.shown.setdefault(setting.label, []).append(as_image(own, runs))
    return album


def as_image(pictures: Tensor, runs: Runs) -> Image.Image:
    """The first picture of a batch, the middle frame of a video."""
    samples = first_stream(next(iter(runs.measured.latents[runs.reference].values()))["samples"])
    frames = len(pictures) // samples.shape[0]
    return Image.fromarray((pictures[frames // 2] * 255.0).round().to(torch.uint8).numpy())


def bench_of(runs: Runs, album: Album, model: str, size: str, device: str) -> Bench:
    """All of it as figures."""
    measured = runs.measured

    def trial(setting: Setting) -> Trial:
        return Trial(
            setting,
            tuple(measured.seconds.get(setting, ())),
            tuple(album.psnr.get(setting, ())),
            tuple(album.ssim.get(setting, ())),
            tuple(album.lpips.get(setting, ())),
            measured.notes.get(setting, ""),
        )

    fewer, presets = (tuple(map(trial, settings)) for settings in (runs.fewer, runs.presets))
    return Bench(trial(runs.reference), fewer, presets, tuple(runs.seeds), model, size, device)
