"""The host's autoencoder as the core's bridge takes it, and what it costs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ...fresco_core import Canvas
from ...fresco_core.canvas.frames import frames_at
from ...fresco_core.canvas.haar import padded_size
from ...fresco_core.canvas.levels import side_at
from ...fresco_core.look.bridge import slowed

log = logging.getLogger(__name__)


class HostAutoencoder:
    """A host's VAE, as bridge.Autoencoder, for clean latents in a model's own scale.

    The host's own calls do the work: placement on the device, tiles where memory is short. Interrupts are
    heeded between them. Noise that a VAE draws for itself (LTX-Video's decodes from some) is that of `seed`.
    """

    def __init__(self, vae: Any, model: Any, scale: int, seed: int = 0):
        self.scale = scale
        self._vae = vae
        self._model = model
        self._seed = seed

    def decode(self, latent: Tensor) -> Tensor:
        """Pictures (B, 3, [F,] H, W) in [0, 1] of a latent (B, C, [T,] h, w). Samples of video go one by one:
        LTX-Video's VAE takes no more at once."""
        _heed_interrupts()
        clean = self._model.process_latent_out(latent.float())
        samples = clean.split(1) if clean.ndim == 5 else (clean,)
        with drawing_from(self._seed):
            pixels = torch.cat([self._vae.decode(sample) for sample in samples])
        return pixels[..., :3].movedim(-1, 1).float()  # hosts may keep pictures in fp16

    def encode(self, pixels: Tensor) -> Tensor:
        """Inverse of `decode`, about. Samples of video, and of what the host takes for one, go one by one."""
        _heed_interrupts()
        images = pixels.clamp(0.0, 1.0).movedim(1, -1)
        if getattr(self._vae, "latent_dim", 2) == 2:
            encoded = self._vae.encode(images)
        else:
            of_frames = [image if image.ndim == 4 else image.unsqueeze(0) for image in images]
            encoded = torch.cat([self._vae.encode(frames) for frames in of_frames])
        if encoded.ndim == 5 and pixels.ndim == 4 and self._model.latent_format.latent_dimensions == 2:
            encoded = encoded.squeeze(2)
        _heed_interrupts()
        return self._model.process_latent_in(encoded)


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """torch's own generators at `seed`, and behind it where they were."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _heed_interrupts() -> None:
    from comfy.model_management import throw_exception_if_processing_interrupted

    throw_exception_if_processing_interrupted()


def unsuited(vae: Any, channels: int, dimensions: int) -> str | None:
    """Why a VAE cannot be that of a model with so many latent channels and dimensions (2 for pictures, 3 for
    video); None where it may, or does not say."""
    asked = (("latent_channels", "channels", channels), ("latent_dim", "dimensions", dimensions))
    for attribute, name, wanted in asked:
        found = getattr(vae, attribute, None)
        if found is not None and found != wanted:
            return f"the VAE has {found} latent {name} and the model {wanted}: connect the model's own VAE"
    return None


def enlarged_by(upscale_model: Any, pixels: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] as the host's upscale node makes them, of whatever factor."""
    from comfy_extras.nodes_upscale_model import ImageUpscaleWithModel

    _heed_interrupts()
    images = pixels.clamp(0.0, 1.0).movedim(1, -1)
    return ImageUpscaleWithModel.execute(upscale_model, images).args[0].movedim(-1, 1).to(pixels)


_COUNTED: WeakKeyDictionary[torch.nn.Module, dict[tuple, int | None]] = WeakKeyDictionary()
"""By a VAE's network and what it carries: counting a video takes seconds."""


def flops(vae: Any, canvas: Canvas, level: float, to_level: float, halvings: int = 0) -> int | None:
    """FLOPs of carrying one picture or video of a canvas over pixels, from so many halvings in time, as torch
    counts the products of the VAE's own layers, a multiply-add as 2; None where those cannot be run without
    values, or are not all where they are called from."""
    network = getattr(vae, "first_stage_model", None)
    if not isinstance(network, torch.nn.Module) or not _in_one_place(network):
        return None
    known = _COUNTED.setdefault(network, {})
    key = (canvas.height, canvas.width, canvas.frames, level, to_level, halvings)
    if key not in known:
        known[key] = _counted(vae, network, canvas, level, to_level, halvings)
    return known[key]


def _in_one_place(network: torch.nn.Module) -> bool:
    """Whether no layer brings its weights from elsewhere, into buffers of the host's, when it is called."""
    weights = list(network.parameters())
    moved = any(getattr(layer, "comfy_cast_weights", False) for layer in network.modules())
    paged = any(hasattr(layer, "_v") for layer in network.modules())
    return bool(weights) and not moved and not paged and len({weight.device for weight in weights}) == 1


def _counted(
    vae: Any, network: Any, canvas: Canvas, level: float, to_level: float, halvings: int
) -> int | None:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    try:
        like = next(network.parameters())
        video = getattr(vae, "latent_dim", 2) == 3
        size = padded_size(padded_size((canvas.height, canvas.width), level), to_level)
        clip = (frames_at(canvas.frames, halvings),) if video else ()
        low = (1, vae.latent_channels, *clip, *(side_at(s, level) for s in size))
        with (
            torch.no_grad(),
            FakeTensorMode(allow_non_fake_inputs=True),
            counter,
            sdpa_kernel(SDPBackend.MATH),
        ):
            pixels = network.decode(torch.empty(low, dtype=like.dtype, device=like.device))
            if halvings:
                pixels = slowed(pixels, halvings, torch.empty(1, 1, canvas.frames, 1, 1))
            large = (*pixels.shape[:-2], *(side_at(s, to_level) * canvas.scale for s in size))
            network.encode(torch.empty(large, dtype=like.dtype, device=like.device))
    except Exception as error:  # a VAE of another pack, or one that looks at its values
        log.debug("the cost of a VAE could not be counted: %s", error)
        return None
    return counter.get_total_flops()
