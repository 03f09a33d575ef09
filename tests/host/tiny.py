"""Tiny diffusion models made of the host's own classes: whole samplers run on a CPU in seconds.

Each family is the host's `supported_models` configuration with a small `unet_config`. A seeded generator
draws every parameter; then the last layer is fitted by least squares to denoise smooth toy pictures, and a
part of it stays random, so that predictions have a sane size and still depend on picture, timestep and text.

Models are built once and lent to every test of a suite: `changed` tells which of them a test has not left as
it found them, and forgets those. A test that changes one builds its own with `fresh`.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from tiny_families import EXTRAS, FAMILIES, POOLED_DIM, POS_TABLE, SPECS, TEXT_DIM, WIDTHS, Family

log = logging.getLogger(__name__)


def boot() -> None:
    """Put the host ($COMFYUI_PATH, default ~/ComfyUI) first on sys.path and set it to the CPU; repeatable."""
    path = os.path.abspath(os.path.expanduser(os.environ.get("COMFYUI_PATH", "~/ComfyUI")))
    if not os.path.isfile(os.path.join(path, "comfy", "sample.py")):
        raise FileNotFoundError(f"no ComfyUI at {path!r}: set COMFYUI_PATH to the folder that holds comfy/")
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)
    if "comfy.model_management" not in sys.modules:
        import comfy.options

        comfy.options.enable_args_parsing(False)  # never read pytest's command line
        from comfy.cli_args import args

        args.cpu = True
        args.use_pytorch_cross_attention = True  # what users run; the CPU default is the split attention
    torch.set_num_threads(1)


boot()

import comfy.model_management  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models  # noqa: E402

Conditioning = list[list[Any]]  # [[tokens (1, L, C), {"pooled_output": (1, P), ...}]], as the host passes it

GAIN = 0.75  # of the random weights: above, the picture is lost in the blocks; far below, text is
RANDOM_SHARE = 0.3  # how much of the last layer stays random beside the fitted part


def available() -> tuple[str, ...]:
    """Names that this host can build."""
    return tuple(name for name in (*FAMILIES, *EXTRAS) if hasattr(comfy.supported_models, SPECS[name].config))


@dataclass
class Tiny:
    """A model with all that a sampler needs; `patch` is the patch's side in latent pixels (U-Nets: 1)."""

    name: str
    patcher: comfy.model_patcher.ModelPatcher
    latent: dict[str, torch.Tensor]
    patch: int
    positive: Conditioning = field(default_factory=list)
    negative: Conditioning = field(default_factory=list)

    @property
    def model(self) -> torch.nn.Module:
        return self.patcher.model


def fill(module: torch.nn.Module, seed: int) -> None:
    """Draw every parameter: weights by fan-in, norms near 1, biases small."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            draw = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                draw *= GAIN / parameter[0].numel() ** 0.5
            elif name in ("weight", "scale"):
                draw = 1.0 + 0.05 * draw
            else:
                draw *= 0.05
            parameter.data.copy_(draw)
    module.requires_grad_(False)


def _make_model(spec: Family, width: str, seed: int) -> torch.nn.Module:
    """The host's BaseModel of this family, float32, on the CPU, filled from `seed`."""
    config = getattr(comfy.supported_models, spec.config)(spec.unet | WIDTHS[width])
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, device=torch.device("cpu"))
    fill(model.diffusion_model, seed)
    table = getattr(model.diffusion_model, "pos_embed", None)
    if table is not None:  # SD3: checkpoints bring this buffer
        from comfy.ldm.modules.diffusionmodules.mmdit import get_2d_sincos_pos_embed

        table.copy_(torch.from_numpy(get_2d_sincos_pos_embed(table.shape[-1], POS_TABLE)).unsqueeze(0))
    return model


def _dress(name: str, patcher: comfy.model_patcher.ModelPatcher, seed: int, shape: tuple[int, ...]) -> Tiny:
    """`patcher` with an empty latent (batch, frames, H, W) and a text pair drawn from `seed`."""
    batch, frames, *size = shape
    spec, form = SPECS[name], patcher.model.latent_format
    depth = [frames if spec.video else 1] if form.latent_dimensions == 3 else []
    empty = torch.zeros((batch, form.latent_channels, *depth, *size))
    tiny = Tiny(name, patcher, {"samples": empty}, spec.patch)
    tiny.positive, tiny.negative = conditioning(tiny, 2 * seed + 1), conditioning(tiny, 2 * seed + 2)
    return tiny


def _fit_head(tiny: Tiny, seed: int) -> None:
    """Fit the last layer so that the model denoises smooth pictures, by ridge regression on its own features.

    A sampler function of ours feeds noised pictures through the host's sampling machinery. In one call,
    running numbers replace the layer's outputs, which tells where each of them lands in the prediction.
    """
    model, layer = tiny.model, tiny.model.diffusion_model.get_submodule(SPECS[tiny.name].head)
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(tiny.latent["samples"].shape)
    noise = torch.randn(shape, generator=generator)
    coarse = torch.randn((math.prod(shape[:-2]), 1, 5, 5), generator=generator)
    clean = F.interpolate(coarse, size=shape[-2:], mode="bicubic", align_corners=True).reshape(shape)
    caught: list[torch.Tensor] = []
    features: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []

    def as_rows(value: torch.Tensor) -> torch.Tensor:
        return value.flatten(2).transpose(1, 2).flatten(0, 1) if value.ndim == 4 else value.flatten(0, -2)

    def look(denoise: Callable, x: torch.Tensor, sigmas: torch.Tensor, extra_args: dict, **_: Any):
        def predict(noised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return (noised - denoise(noised, sigma.expand(shape[0]), **extra_args)) / sigma

        def number(_layer: torch.nn.Module, args: tuple, out: torch.Tensor) -> torch.Tensor:
            caught.append(out)
            return torch.arange(1.0, out.numel() + 1).view_as(out)

        handle = layer.register_forward_hook(number)
        place = predict(noise, sigmas[0]).flatten()
        handle.remove()
        where, sign = place.abs().round().long() - 1, place.sign()
        handle = layer.register_forward_hook(lambda _layer, args, out: caught.append(args[0]))
        for sigma in sigmas[:-1]:
            noised = model.model_sampling.noise_scaling(sigma.reshape(1), noise, clean)
            predict(noised, sigma)
            target = torch.full((caught[0].numel(),), float("nan"))
            target[where] = sign * ((noised - clean) / sigma).flatten()
            rows = as_rows(target.view_as(caught[0]))
            seen = caught.pop()
            if seen.ndim == 4:
                seen = F.unfold(seen, layer.kernel_size, padding=layer.padding).transpose(1, 2)
            kept = ~rows[:, 0].isnan()  # text tokens have no place in the prediction
            features.append(seen.flatten(0, -2)[kept].double())
            targets.append(rows[kept].double())
        handle.remove()
        return x

    levels = [model.model_sampling.percent_to_sigma(p) for p in (0.02, 0.2, 0.4, 0.6, 0.8, 0.95)]
    sample(tiny.patcher, tiny, sampler=comfy.samplers.KSAMPLER(look), sigmas=torch.tensor([*levels, 0.0]))
    z, y = torch.cat(features), torch.cat(targets)
    z = torch.cat([z, torch.ones(len(z), 1)], 1)
    gram = z.T @ z
    fitted = torch.linalg.solve(gram + 1e-3 * gram.diagonal().mean() * torch.eye(len(gram)), z.T @ y)
    left = float((z @ fitted - y).var() / y.var())
    log.debug("%s: the fitted head leaves %.2f of the target's power", tiny.name, left)
    layer.weight.data.mul_(RANDOM_SHARE).add_(fitted[:-1].T.reshape(layer.weight.shape))
    if layer.bias is not None:
        layer.bias.data.copy_(fitted[-1])


def build(
    name: str,
    seed: int = 0,
    size: tuple[int, int] = (16, 16),
    frames: int = 3,
    batch: int = 1,
    width: str = "tiny",
) -> Tiny:
    """A family's model, which tests leave as they find it, and what to sample it with; equal seeds give equal
    weights at every size.

    size: canvas (H, W) in latent pixels; frames: latent frames, video families only; width: a key of
    `WIDTHS`, the last layer of anything but "tiny" stays random.
    """
    key = name, seed, width
    if key not in _MODELS:
        patcher = fresh(name, seed, width=width).patcher
        _MODELS[key] = patcher, imprint(patcher.model)
    _LENT.add(key)
    return _dress(name, _MODELS[key][0].clone(), seed, (batch, frames, *size))


def fresh(
    name: str,
    seed: int = 0,
    size: tuple[int, int] = (16, 16),
    frames: int = 3,
    batch: int = 1,
    width: str = "tiny",
) -> Tiny:
    """As `build`, with a model of its own."""
    if name not in available():
        raise ValueError(f"{name!r} is not among this host's families {available()}")
    if width != "tiny" and SPECS[name].unet.get("image_model") != "flux":
        raise ValueError(f"width {width!r} is for the FLUX layout, {name!r} has only 'tiny'")
    cpu = torch.device("cpu")
    model = _make_model(SPECS[name], width, seed)
    patcher = comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)
    if width == "tiny":
        _fit_head(_dress(name, patcher, seed, (4, 2, 16, 16)), seed)
    return _dress(name, patcher, seed, (batch, frames, *size))


_MODELS: dict[tuple[str, int, str], tuple[comfy.model_patcher.ModelPatcher, dict[str, Any]]] = {}
_LENT: set[tuple[str, int, str]] = set()


def imprint(model: torch.nn.Module) -> dict[str, Any]:
    """What a test must leave of a model as it was: its parts, their values, and what is hooked onto them."""
    network = model.diffusion_model
    found: dict[str, Any] = {name: value.clone() for name, value in network.state_dict().items()}
    for name, part in model.named_modules():
        found[f"part {name}"] = type(part), len(part._forward_hooks) + len(part._forward_pre_hooks)
    owners = {"model": model, "network": network, "class": type(model), "latent_format": model.latent_format}
    for name, owner in owners.items():
        found[name] = sorted({*vars(owner), *getattr(owner, "_modules", ())})
    return found


def changed() -> list[str]:
    """Which of the models lent since the last call were not left as they were found, in words; the next to
    ask for those gets them anew."""
    if any(_differences(key) for key in _LENT):
        comfy.model_management.unload_all_models()  # what a clone has patched, the host takes back then
    found = []
    for key in sorted(_LENT):
        if other := _differences(key):
            del _MODELS[key]
            found.append(f"{key[0]}: {', '.join(other[:5])}")
    _LENT.clear()
    return found


def _differences(key: tuple[str, int, str]) -> list[str]:
    """What is not as it was in a model when it was built."""
    patcher, before = _MODELS[key]
    now = imprint(patcher.model)
    return sorted(name for name in before.keys() | now.keys() if not _same(before.get(name), now.get(name)))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return a == b


def conditioning(tiny: Tiny, seed: int, tokens: int | None = None) -> Conditioning:
    """Random text of `tokens` tokens (default: the family's) with the images that the family takes.

    The images are the same for every seed, as positive and negative share them in a graph.
    """
    spec = SPECS[tiny.name]
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn((1, tokens or spec.tokens, TEXT_DIM), generator=generator)
    pooled = torch.randn((1, POOLED_DIM), generator=generator) if spec.pooled else None
    extra: dict[str, Any] = {"pooled_output": pooled}
    if spec.guidance is not None:
        extra["guidance"] = spec.guidance
    if spec.references is not None:
        extra |= spec.references(tuple(tiny.latent["samples"].shape), torch.Generator().manual_seed(0))
    return [[text, extra]]


@contextmanager
def count_image_tokens(tiny: Tiny) -> Iterator[list[tuple[int, int]]]:
    """Yield a list that gets (image tokens per sample, batch) for every call of the diffusion model.

    Read from the tensor that enters the first block with image tokens. Reference images and the padding of
    the image sequence (Z-Image: to multiples of 32) count too; text never does, as that block gets it apart.
    """
    spec = SPECS[tiny.name]
    seen: list[tuple[int, int]] = []

    def note(_block: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        image = args[spec.image] if isinstance(spec.image, int) else kwargs[spec.image]
        seen.append((image.shape[1] if image.ndim == 3 else math.prod(image.shape[2:]), image.shape[0]))

    block = tiny.model.diffusion_model.get_submodule(spec.block)
    handle = block.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def sample(
    patcher: comfy.model_patcher.ModelPatcher,
    tiny: Tiny,
    *,
    sampler: str | comfy.samplers.Sampler = "euler",
    scheduler: str = "simple",
    steps: int = 4,
    cfg: float = 1.0,
    denoise: float = 1.0,
    seed: int = 7,
    latent: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
    sigmas: torch.Tensor | None = None,
    noise_mask: torch.Tensor | None = None,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    disable_noise: bool = False,
    callback: Callable | None = None,
    positive: Conditioning | None = None,
    negative: Conditioning | None = None,
) -> torch.Tensor:
    """Run the host's own sampling on `patcher` (a clone of `tiny.patcher`, with or without patches).

    With `sigmas` or a Sampler object it is SamplerCustom (no denoise, no steps), else KSampler (Advanced).
    """
    latent = tiny.latent["samples"] if latent is None else latent
    if noise is None:
        noise = torch.zeros_like(latent) if disable_noise else comfy.sample.prepare_noise(latent, seed)
    positive = tiny.positive if positive is None else positive
    negative = tiny.negative if negative is None else negative
    shared = {"noise_mask": noise_mask, "callback": callback, "disable_pbar": True, "seed": seed}
    with torch.inference_mode():
        if sigmas is None and isinstance(sampler, str):
            out = comfy.sample.sample(
                patcher,
                noise,
                steps,
                cfg,
                sampler,
                scheduler,
                positive,
                negative,
                latent,
                denoise=denoise,
                disable_noise=disable_noise,
                start_step=start_step,
                last_step=last_step,
                force_full_denoise=force_full_denoise,
                **shared,
            )
        else:
            if sigmas is None:
                levels = patcher.get_model_object("model_sampling")
                sigmas = comfy.samplers.calculate_sigmas(levels, scheduler, steps)
            sampler = comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
            out = comfy.sample.sample_custom(
                patcher, noise, cfg, sampler, sigmas, positive, negative, latent, **shared
            )
    if getattr(out, "is_nested", False):
        return out
    return out.clone()  # leave inference mode: tests may change it in place
