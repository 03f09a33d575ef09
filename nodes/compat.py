"""All that depends on the host's version or on the inside of its objects. No other file asks which host it
runs on."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..fresco_core import FLOW, VE, Canvas, Flow, Parameterisation

log = logging.getLogger(__name__)

OLDEST_HOST = (0, 9, 2)
NOT_SPATIAL = {"ACEAudio"}  # 4-D latents whose last two sides are not a picture's


def check_host() -> None:
    """Raise ImportError on hosts older than the oldest supported."""
    try:
        from comfyui_version import __version__ as version
    except ImportError:
        version = "0.0.0 (no comfyui_version module)"
    numbers = tuple(int(n) for n in version.split("-")[0].split(".")[:3] if n.isdigit())
    if numbers < OLDEST_HOST:
        raise ImportError(
            f"Fresco needs ComfyUI {'.'.join(map(str, OLDEST_HOST))} or newer and found {version}: "
            "update ComfyUI, or remove this pack"
        )


def schema(**fields: Any) -> io.Schema:
    """io.Schema without the fields that this host does not know, such as search_aliases before 0.10."""
    known = {f.name for f in dataclasses.fields(io.Schema)}
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def widget(kind: type, id: str, **options: Any) -> Any:
    """An input of `kind` (io.Int.Input, ...) without the options that this host's does not know."""
    known = inspect.signature(kind.__init__).parameters
    return kind(id, **{name: value for name, value in options.items() if name in known})


def show_text(node: type[io.ComfyNode], text: str) -> None:
    """Write `text` on the node in the browser, as core's Get Image Size does; nothing where there is no
    server."""
    from server import PromptServer

    hidden = getattr(node, "hidden", None)
    server = getattr(PromptServer, "instance", None)
    if server is not None and hidden is not None and hidden.unique_id is not None:
        server.send_progress_text(text, hidden.unique_id)


def bound(names: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments of a wrapper by name. `names` lists the positional ones in the host's order; signatures may
    grow."""
    return {**dict(zip(names.split(), args)), **kwargs}


# --- models
# ---------------------------------------------------------------------------------------------------------


def parameterisation_of(model: Any) -> Parameterisation | None:
    """How the model's states mix signal and noise, read off its own `noise_scaling`; None for anything else.

    Probed instead of looked up by class, so that other packs' model_sampling objects are understood too.
    """
    sampling = model.model_sampling
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


def packing_of(model: Any) -> int:
    """Side of the patch of pixels that the host packs into a latent's channels: 2 for FLUX.2, otherwise 1."""
    return 2 if type(model.latent_format).__name__ == "Flux2" else 1


def canvas_of(model: Any, shape: tuple[int, ...]) -> Canvas:
    """The canvas of a latent of `shape` (B, C, H, W) or (B, C, T, H, W) and the model's patch size."""
    patch = getattr(model.diffusion_model, "patch_size", None)
    sides = (
        [patch]
        if isinstance(patch, int)
        else [int(n) for n in patch]
        if isinstance(patch, (tuple, list))
        else [1]
    )
    return Canvas(
        shape[-2],
        shape[-1],
        frames=shape[2] if len(shape) == 5 else 1,
        patch=max(sides[-1], 1),
        frame_patch=sides[0] if len(sides) == 3 and len(shape) == 5 else 1,
    )


def unsupported(model: Any, noise: Tensor, latent_shapes: Any) -> str | None:
    """Why the latent of this run cannot be looked at in coarser levels; None where it can."""
    latent = model.latent_format
    if latent_shapes is not None and len(latent_shapes) > 1:
        return "the model packs several streams into one latent"
    if (
        noise.ndim not in (4, 5)
        or getattr(latent, "latent_dimensions", 2) < 2
        or type(latent).__name__ in NOT_SPATIAL
    ):
        return f"the latent {tuple(noise.shape)} of {type(model).__name__} is neither pictures nor video"
    if parameterisation_of(model) is None:
        return (
            f"{type(model.model_sampling).__mro__[1].__name__} of {type(model).__name__} is neither a "
            f"flow nor an "
            "EPS or v-prediction model"
        )
    return None


def sigma_max_of(model: Any) -> float:
    """The sigma of pure noise."""
    return float(model.model_sampling.sigma_max)


def keeps_latent_clean(model: Any) -> bool:
    """Whether the model sees the unmasked part of an inpainted latent without noise (image-to-video
    families)."""
    one = torch.ones(1, 1, 1, 1, 1)
    try:
        seen = model.scale_latent_inpaint(
            x=one, sigma=torch.tensor([0.5]), noise=one, latent_image=torch.zeros_like(one)
        )
    except Exception as error:  # models with more arguments of their own
        log.debug("scale_latent_inpaint could not be probed: %s", error)
        return False
    return not bool(torch.count_nonzero(seen))


def looks_up_sigmas(model: Any) -> bool:
    """Whether the network looks its own sigma up in `sample_sigmas` (mean-flow models of the HunyuanVideo
    class)."""
    return bool(getattr(getattr(model.diffusion_model, "params", None), "meanflow", False))


# --- samplers and caches
# --------------------------------------------------------------------------------------------


def off_grid(sampler: Any) -> bool:
    """Whether the sampler picks its own sigmas between its grid's first and last positive one."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    return name.removeprefix("sample_").startswith(("dpm_fast", "dpm_adaptive"))


def clean_latent(model: Any, samples: Tensor) -> Tensor:
    """A sampler's result as the next sampler node would receive it: out of the model's scale and back,
    rounding included."""
    return model.process_latent_in(model.process_latent_out(samples.to(torch.float32)))


def with_sampler(executor: Any, sampler: Any) -> Any:
    """The same chain of wrappers around another sampler's `sample`."""
    return type(executor)(sampler.sample, sampler, executor.wrappers, executor.idx)


def restart_step_cache(transformer_options: dict, size_changed: bool) -> None:
    """Bring core's EasyCache or LazyCache back to its first step, its settings and counters kept.

    On a change of size their own reset sets the rate of change to 0, after which every later step is skipped.
    LazyCache looks at the canvas, whose size never changes: it restarts only between passes.
    """
    holder = transformer_options.get("easycache")
    if (
        holder is None
        or not hasattr(holder, "clone")
        or (size_changed and not hasattr(holder, "uuid_cache_diffs"))
    ):
        return
    kept = {"start_t", "end_t", "total_steps_skipped", "output_change_rates", "approx_output_change_rates"}
    for name, value in vars(holder.clone()).items():
        if name not in kept:
            setattr(holder, name, value)
