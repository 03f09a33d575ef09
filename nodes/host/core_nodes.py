"""The host's own nodes that ours stand on."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from torch import Tensor


def _nodes() -> Any:
    return importlib.import_module("nodes")  # the host's, which has the name of this package


def as_sampled(model: Any, latent: dict) -> Tensor:
    """A LATENT's samples as sampler nodes begin with them: an empty one has the model's channels and size."""
    from comfy.sample import fix_empty_latent_channels

    known = inspect.signature(fix_empty_latent_channels).parameters
    told = {name: value for name, value in latent.items() if name in known}
    return fix_empty_latent_channels(model, latent["samples"], **told)


def decoded(vae: Any, latent: dict) -> Tensor:
    """VAE Decode: pictures (B, H, W, C), or (B * T, H, W, C) of video, in [0, 1]."""
    return _nodes().VAEDecode().decode(vae, latent)[0]


def sampled(model: Any, denoise: float, *inputs: Any) -> dict:
    """KSampler: the latent that it makes of seed, steps, cfg, sampler, scheduler, positive, negative and
    latent."""
    return _nodes().common_ksampler(model, *inputs, denoise=denoise)[0]
