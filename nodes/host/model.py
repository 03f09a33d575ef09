"""What a host's model is: how it mixes signal and noise, its patch and its latent."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import FLOW, VE, Canvas, Flow, Parameterisation

log = logging.getLogger(__name__)

PATCHES = ("patch_size", "patch_spatial", "patch")  # the last is Krea 2's
WRAPPED_AS = ("model", "_orig_mod", "module")
MOST_WRAPPERS = 4
NOT_SPATIAL = {"ACEAudio"}  # 4-D latents whose last two sides are not a picture's


def derives_from(model: Any, names: Collection[str]) -> bool:
    """Whether a host's model is of one of these classes, or of one derived from it."""
    return any(kind.__name__ in names for kind in type(model).__mro__)


def sampling_of(patcher: Any) -> Any:
    """The model_sampling that a run of this patcher will use: patches by ModelSampling nodes included.

    The host puts them on the model only once a run has begun, and takes them off when another model is
    loaded.
    """
    return patcher.get_model_object("model_sampling")


def parameterisation_of(sampling: Any) -> Parameterisation | None:
    """How a model_sampling's states mix signal and noise, read off its `noise_scaling`; None for anything
    else.

    Probed instead of looked up by class, so that other packs' model_sampling objects are understood too.
    """
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)

    def coefficients(sigma: float) -> tuple[float, float]:
        s = torch.tensor([sigma])
        return (
            float(sampling.noise_scaling(s, zero.clone(), one.clone())),
            float(sampling.noise_scaling(s, one.clone(), zero.clone())),
        )

    try:
        (a, b), (c, d) = coefficients(0.25), coefficients(0.75)
    except Exception as error:  # a sampling object of another pack with another signature
        log.debug("noise_scaling could not be probed: %s", error)
        return None

    def close(x: float, y: float) -> bool:
        return abs(x - y) < 1e-5 * (1.0 + abs(y))

    scale = b / 0.25
    if scale > 0.0 and close(a, 0.75) and close(c, 0.25) and close(d, 0.75 * scale):
        return FLOW if close(scale, 1.0) else Flow(noise_scale=scale)
    return VE if close(a, 1.0) and close(c, 1.0) and close(b, 0.25) and close(d, 0.75) else None


def bare_canvas(model: Any, shape: tuple[int, ...]) -> Canvas:
    """The canvas of a latent of `shape` (B, C, H, W) or (B, C, T, H, W), with its size and patch only."""
    network = model.diffusion_model
    patch = _patch_told(network)
    frames = patch[0] if isinstance(patch, (tuple, list)) and len(patch) == 3 else None
    frame_patch = int(frames or getattr(network, "patch_temporal", 1) or 1)
    video = len(shape) == 5
    return Canvas(
        shape[-2], shape[-1], shape[2] if video else 1, patch_of(network), frame_patch if video else 1
    )


def patch_of(network: Any) -> int:
    """Side of a token of the network in latent pixels; 1 for U-Nets."""
    patch = _patch_told(network)
    return max(int((patch[-1] if isinstance(patch, (tuple, list)) else patch) or 1), 1)


def wrapped_networks(network: Any) -> list[Any]:
    """The network and those that it stands for: nunchaku's wrapper holds its FLUX as `model`, torch.compile's
    module the original as `_orig_mod`."""
    found = [network]
    while len(found) < MOST_WRAPPERS:
        own = getattr(found[-1], "__dict__", {})
        held = {**own, **own.get("_modules", {})}
        inner = (held[name] for name in WRAPPED_AS if isinstance(held.get(name), torch.nn.Module))
        network = next(inner, None)
        if network is None:
            break
        found.append(network)
    return found


def _patch_told(network: Any) -> Any:
    """The patch that a network tells, or the one that it wraps; a wrapper that holds the host's configuration
    as a dict has FLUX's where that says nothing."""
    for candidate in wrapped_networks(network):
        patch = next((getattr(candidate, name) for name in PATCHES if hasattr(candidate, name)), None)
        if patch is not None:
            return patch
        if isinstance(getattr(candidate, "config", None), dict):
            return candidate.config.get("patch_size", 2)
    return 1


def shows_kept_clean(model: Any) -> bool:
    """Whether the model sees the unmasked part of an inpainted latent without noise (image-to-video
    families)."""
    one = torch.ones(1, 1, 1, 1, 1)
    try:
        seen = kept_latent(model, torch.tensor([0.5]), torch.zeros_like(one), one)
    except Exception as error:  # models with more arguments of their own
        log.debug("scale_latent_inpaint could not be probed: %s", error)
        return False
    return not bool(torch.count_nonzero(seen))


def kept_latent(model: Any, sigma: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
    """What the model sees at `sigma` (B,) of the unmasked part of an inpainted latent (B, C, ..., H, W)."""
    return model.scale_latent_inpaint(x=latent, sigma=sigma, noise=noise, latent_image=latent)


def looks_up_sigmas(model: Any) -> bool:
    """Whether the network looks its own sigma up in `sample_sigmas` (mean-flow models of the HunyuanVideo
    class)."""
    return bool(getattr(getattr(model.diffusion_model, "params", None), "meanflow", False))


def latent_in(model: Any, latent: Tensor) -> Tensor:
    """A latent as the host hands it to a sampler: in the model's scale, unless it is empty."""
    return model.process_latent_in(latent) if latent.any() else latent


def one_tensor(samples: Any) -> Tensor:
    """A latent's values as one tensor; those of several streams (audio and video) one after another."""
    if not getattr(samples, "is_nested", False):
        return samples
    return torch.cat([part.flatten() for part in samples.unbind()])


def shapes_of(samples: Any) -> tuple[tuple[int, ...], ...]:
    """Shapes of the streams that a latent holds, the picture's or video's first."""
    parts = samples.unbind() if getattr(samples, "is_nested", False) else [samples]
    return tuple(tuple(part.shape) for part in parts)


def clean_latent(model: Any, samples: Tensor) -> Tensor:
    """A sampler's result as the next sampler node would receive it: out of the model's scale and back,
    rounding included."""
    return model.process_latent_in(model.process_latent_out(samples.to(torch.float32)))


def first_stream(samples: Any) -> Tensor:
    """A latent's values, or of several streams those of the picture or video."""
    return samples.unbind()[0] if getattr(samples, "is_nested", False) else samples
