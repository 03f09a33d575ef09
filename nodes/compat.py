"""All that depends on the host's version or on the inside of its objects. No other file asks which host it
runs on."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..fresco_core import FLOW, VE, Canvas, Flow, Parameterisation
from .caches import patches_of

if TYPE_CHECKING:
    from comfy_api.latest import io

log = logging.getLogger(__name__)

OLDEST_HOST = (0, 9, 2)
UNTOLD_PIXELS = {
    "Flux2": 16,
    "Wan22": 16,
    "HunyuanVideo15": 16,
    "LTXV": 32,
    "HunyuanImage21": 32,
    "ChromaRadiance": 1,
}
KNOWS_THE_SIZE = {  # samplers whose own work depends on the size of the run
    "ar_video": "draws a video block by block and keeps the network's keys and values of all",
    "lcm_upscale": "enlarges the latent within the run",
}
PATCHES = ("patch_size", "patch_spatial", "patch")  # the last is Krea 2's
WRAPPED_AS = ("model", "_orig_mod", "module")
MOST_WRAPPERS = 4
TEXT_AND_CHANNELS = {"c_crossattn", "crossattn_controlnet", "c_concat"}
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
    from comfy_api.latest import io

    known = {f.name for f in dataclasses.fields(io.Schema)}
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def widget(kind: type, id: str, **options: Any) -> Any:
    """An input of `kind` (io.Int.Input, ...) without the options that this host's does not know."""
    known = inspect.signature(kind.__init__).parameters
    return kind(id, **{name: value for name, value in options.items() if name in known})


def show_text(node: type[io.ComfyNode], text: str) -> None:
    """Write `text` on the node in the browser, as core's Get Image Size does; nothing where there is no
    server."""
    module = sys.modules.get("server")  # the host's own; absent in scripts that borrow its modules
    server = getattr(getattr(module, "PromptServer", None), "instance", None)
    hidden = getattr(node, "hidden", None)
    if server is not None and hidden is not None and hidden.unique_id is not None:
        server.send_progress_text(text, hidden.unique_id)


def bound(names: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments of a wrapper by name. `names` lists the positional ones in the host's order; signatures may
    grow."""
    return {**dict(zip(names.split(), args)), **kwargs}


# models


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


def packing_of(model: Any) -> int:
    """Side of the patch of pixels that the host packs into a latent's channels: 2 for FLUX.2, otherwise 1."""
    return 2 if type(model.latent_format).__name__ == "Flux2" else 1


def canvas_of(model: Any, shape: tuple[int, ...]) -> Canvas:
    """The canvas of a latent of `shape` (B, C, H, W) or (B, C, T, H, W) and the model's patch size."""
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


def whole_tokens(x: Tensor, network: Any) -> Tensor:
    """A network's input (B, C, ..., H, W) continued to whole tokens, as the network itself does it."""
    from comfy.ldm.common_dit import pad_to_patch_size

    patch = patch_of(network)
    return pad_to_patch_size(x, (1,) * (x.ndim - 4) + (patch, patch))


def pixels_of(model: Any) -> int:
    """Pixels of a picture per latent pixel."""
    latent = model.latent_format
    told = getattr(latent, "spacial_downscale_ratio", 8)  # missing on old hosts, and in some formats on all
    return UNTOLD_PIXELS.get(type(latent).__name__, int(told))


def unsupported(
    patcher: Any, shape: tuple[int, ...], latent_shapes: Any = None, sampler: Any = None
) -> str | None:
    """Why latents of `shape` cannot be looked at in coarser levels with this model and sampler; None where
    they can."""
    name = _function_of(sampler)
    if name in KNOWS_THE_SIZE:
        return f"the sampler {name} {KNOWS_THE_SIZE[name]}"
    model, latent = patcher.model, patcher.model.latent_format
    if latent_shapes is not None and len(latent_shapes) > 1:
        return "the model packs several streams into one latent"
    dimensions = getattr(latent, "latent_dimensions", 2)
    if len(shape) not in (4, 5) or dimensions < 2 or type(latent).__name__ in NOT_SPATIAL:
        return f"the latent {tuple(shape)} of {type(model).__name__} is neither pictures nor video"
    sampling = sampling_of(patcher)
    if parameterisation_of(sampling) is None:
        kind = type(sampling).__mro__[1].__name__
        return f"{kind} of {type(model).__name__} is neither a flow nor an EPS or v-prediction model"
    return None


def conditions_of(conds: dict[str, list[dict]]) -> dict[str, list[Any]]:
    """What a run's conditioning gives the network: the values of each argument, by its name."""
    found: dict[str, list[Any]] = {}
    for cond in (cond for group in conds.values() for cond in group):
        for name, value in cond.get("model_conds", {}).items():
            found.setdefault(name, []).append(getattr(value, "cond", None))
    return found


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


def windowed(tensor: Tensor | None, like: Tensor, transformer_options: dict) -> Tensor | None:
    """A tensor of the run's canvas cut to what `like` shows of it; None where that is not known.

    `like` may be the canvas, several of its batches, or the context window that the host says it is.
    """
    if tensor is None:
        return None
    if tensor.shape[2:] != like.shape[2:] or like.shape[0] % tensor.shape[0]:
        window = transformer_options.get("context_window")
        dim, frames = getattr(window, "dim", None), getattr(window, "index_list", None)
        if dim is None or frames is None or tensor.ndim != like.ndim or max(frames) >= tensor.shape[dim]:
            return None
        tensor = tensor.index_select(dim, torch.tensor(frames, device=tensor.device))
    return tensor if tensor.shape[2:] == like.shape[2:] and like.shape[0] % tensor.shape[0] == 0 else None


def evaluated_conds(guider: Any, model_options: dict) -> dict[str, list[dict]]:
    """The conditionings that a guider evaluates: the host leaves the negative ones out at a CFG of 1."""
    from comfy.samplers import CFGGuider

    skips = type(guider).predict_noise is CFGGuider.predict_noise and abs(guider.cfg - 1.0) < 1e-9
    if not skips or model_options.get("disable_cfg1_optimization", False):
        return guider.conds
    return {name: conds for name, conds in guider.conds.items() if name != "negative"}


def working_type(model: Any) -> torch.dtype:
    """What the network computes in."""
    return model.manual_cast_dtype or model.get_dtype()


def free_bytes(model: Any, latent: Tensor) -> int:
    """Memory of the device that `model`, which is loaded, leaves free when it evaluates a latent (B, C, ...,
    H, W); with what the host would free for it, on hosts that move weights while they sample."""
    from comfy.model_management import get_free_memory

    patcher = model.current_patcher
    free = getattr(patcher, "get_free_memory", get_free_memory)(patcher.load_device)
    return int(free - model.memory_required(list(latent.shape)))


def looks_up_sigmas(model: Any) -> bool:
    """Whether the network looks its own sigma up in `sample_sigmas` (mean-flow models of the HunyuanVideo
    class)."""
    return bool(getattr(getattr(model.diffusion_model, "params", None), "meanflow", False))


def unmixable(conds: dict[str, list[dict]], model_options: dict, known: frozenset[str]) -> str | None:
    """What a run has that a mixed sequence cannot take along, if anything; `known` are the network's
    arguments that it can."""
    options = model_options.get("transformer_options", {})
    if model_options.get("context_handler") is not None:
        return "context windows see parts of the canvas"
    if "multigpu_clones" in model_options:
        return "several GPUs share each evaluation"
    if any(keeps_a_map(patch) for patch in patches_of(options)):
        return "a patch of the model keeps a map of the whole grid"
    if hasattr(options.get("easycache"), "uuid_cache_diffs"):
        return "EasyCache answers in the network's place"
    for name, words in (("control", "ControlNets"), ("area", "areas"), ("gligen", "GLIGEN")):
        if any(cond.get(name) is not None for group in conds.values() for cond in group):
            return f"{words} are bound to the whole grid"
    foreign = sorted(conditions_of(conds).keys() - known - TEXT_AND_CHANNELS)
    return f"the conditioning '{foreign[0]}' is bound to the whole grid" if foreign else None


def keeps_a_map(patch: Any) -> bool:
    """Whether a patch of the network's blocks brings a model of its own that looks at a picture of control on
    the canvas's grid (Z-Image's Fun ControlNets, DiffSynth's, Uni3C, LLLite); USO's gives tokens of style."""
    return callable(getattr(patch, "models", None)) and type(patch).__name__ != "UsoStyleProjectorPatch"


@functools.cache
def ranges_keep_their_dimension() -> bool:
    """Whether the host's FLUX blocks index the modulation of a range of tokens keeping its dimension.

    ComfyUI 0.9.2 drops it, which only fits a batch of one unless there is a dimension to spare.
    """
    from comfy.ldm.flux.layers import apply_mod

    try:
        apply_mod(torch.ones(2, 3, 1), torch.ones(2, 1, 1), None, [(0, 3, 0)])
    except RuntimeError:
        return False
    return True


# samplers, previews and caches


def previewer_of(callback: Any) -> Any:
    """The host's previewer behind a sampler node's step callback; None where it sends no previews.

    latent_preview.prepare_callback makes both for each run and keeps the previewer in the callback's closure.
    """
    if not inspect.isfunction(callback):
        return None
    found = inspect.getclosurevars(callback).nonlocals.get("previewer")
    return found if hasattr(found, "decode_latent_to_preview_image") else None


PASS_STEPS = {"unipc": 2, "unipc_bh2": 2, "dpm_fast": 2, "dpm_adaptive": 2}


def least_steps(sampler: Any) -> int:
    """The fewest steps that the sampler makes a whole pass of: with fewer it leaves noise or does nothing."""
    return PASS_STEPS.get(_function_of(sampler), 1)


def off_grid(sampler: Any) -> bool:
    """Whether the sampler picks its own sigmas between its grid's first and last positive one."""
    return _function_of(sampler) in ("dpm_fast", "dpm_adaptive")


def _function_of(sampler: Any) -> str:
    """The name of a sampler's function: sample_euler's and the host's own euler_function's are euler."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    return name.removeprefix("sample_").removesuffix("_function")


def latent_in(model: Any, latent: Tensor) -> Tensor:
    """A latent as the host hands it to a sampler: in the model's scale, unless it is empty."""
    return model.process_latent_in(latent) if latent.any() else latent


def one_tensor(samples: Any) -> Tensor:
    """A latent's values as one tensor; those of several streams (audio and video) one after another."""
    if not getattr(samples, "is_nested", False):
        return samples
    return torch.cat([part.flatten() for part in samples.unbind()])


def clean_latent(model: Any, samples: Tensor) -> Tensor:
    """A sampler's result as the next sampler node would receive it: out of the model's scale and back,
    rounding included."""
    return model.process_latent_in(model.process_latent_out(samples.to(torch.float32)))


def with_sampler(executor: Any, sampler: Any) -> Any:
    """The same chain of wrappers around another sampler's `sample`."""
    return type(executor)(sampler.sample, sampler, executor.wrappers, executor.idx)


def with_forward_of(executor: Any, view: Any) -> Any:
    """The same chain of wrappers around `view`'s forward in place of its network's."""
    return type(executor)(view._forward, executor.class_obj, executor.wrappers, executor.idx)


def restart_step_cache(transformer_options: dict) -> None:
    """Bring core's EasyCache or LazyCache back to its first step, its settings and counters kept.

    On a change of size EasyCache's own reset sets the rate of change to 0, after which every later step is
    skipped; LazyCache looks at the canvas, whose size never changes, and would answer for the finer look with
    what the coarser one has left.
    """
    holder = transformer_options.get("easycache")
    if holder is None or not hasattr(holder, "clone"):
        return
    kept = {"start_t", "end_t", "total_steps_skipped", "output_change_rates", "approx_output_change_rates"}
    for name, value in vars(holder.clone()).items():
        if name not in kept:
            setattr(holder, name, value)


def end_step_cache_at(transformer_options: dict, sigma: float) -> None:
    """Let core's EasyCache or LazyCache answer for no step of this run from `sigma` on.

    Without it they may skip every step of a pass's last look.
    """
    holder = transformer_options.get("easycache")
    if holder is not None and hasattr(holder, "end_t"):
        holder.end_t = max(float(holder.end_t), sigma)


def restart_hooks(guider: Any) -> None:
    """Let conditioning hooks with keyframes (scheduled LoRAs) begin anew; the host only ever moves them
    forward."""
    found = [
        hook
        for group in guider.conds.values()
        for cond in group
        if cond.get("hooks") is not None
        for hook in cond["hooks"].hooks
    ]
    scheduled = [hook for hook in found if not hook.hook_keyframe.is_empty()]
    for hook in scheduled:
        hook.hook_keyframe.reset()
    if scheduled:
        guider.model_patcher.clear_cached_hook_weights()
