"""The cost model's architecture of a loaded model, and the sizes that its family is trained for.

The architecture is read from the network's own configuration. Only attributes that hold whatever the weights
are stored as: parameters given at construction, counts of blocks, `in_features` and `out_features` of linear
layers; never the shape of a weight. What a family is trained for goes with its class, and with all that is
derived from it or stands for it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..fresco_core import Canvas
from ..fresco_core.cost import (
    DEMO_PIXELS,
    TRAINED_PIXELS,
    U_NET_PIXELS,
    UNKNOWN_PIXELS,
    Architecture,
    families,
    trained_latents,
)
from ..fresco_core.demo.scenes import PROMPT_TOKENS
from ..fresco_core.demo.transformer import TransformerShape
from . import compat

if TYPE_CHECKING:
    from .run import Run

log = logging.getLogger(__name__)

FAMILIES = {  # classes of networks, of the host and of packs, and of the host's models
    "Flux": "FLUX",
    "Flux2": "FLUX.2",
    "FluxTransformer2DModel": "FLUX",
    "Chroma": "Chroma",
    "HunyuanVideo": "HunyuanVideo",
    "HunyuanImage21": "HunyuanImage",
    "QwenImage": "Qwen-Image",
    "QwenImageTransformer2DModel": "Qwen-Image",
    "WAN21": "Wan",
    "WanModel": "Wan",
    "Lumina2": "Lumina",
    "NextDiT": "Lumina",
    "Krea2": "Krea 2",
    "SingleStreamDiT": "Krea 2",
    "SD3": "SD3",
    "OpenAISignatureMMDITWrapper": "SD3",
    "SDXL": "SDXL",
    "SDXLRefiner": "SDXL",
    "UNetModel": "Stable Diffusion",
}
"""Families whose trained sizes are known, by the class that all of a family derive from."""

U_NETS = ("SDXL", "Stable Diffusion")

TEXTS = ("c_crossattn", "txt_byt5")  # a prompt's tokens, and those of the words that HunyuanVideo 1.5 writes


def architecture_of(model: Any) -> Architecture | None:
    """What a step of a host's model costs; None for networks that the cost model does not describe."""
    network = model.diffusion_model
    read = READERS.get(type(network).__name__)
    if read is None:
        return None
    try:
        return read(network)
    except AttributeError as error:  # a host or pack that builds this class otherwise
        log.debug("the configuration of %s could not be read: %s", type(network).__name__, error)
        return None


def trained_canvas(model: Any, shape: tuple[int, ...]) -> Canvas:
    """The canvas of a latent of `shape`, with the sizes that the model is trained for: its family's, or what
    models of unknown classes are held to."""
    canvas, scale, family = compat.canvas_of(model, shape), compat.pixels_of(model), family_of(model)
    return replace(
        canvas,
        trained=trained_latents(_trained_pixels(model, family), scale),
        scale=scale,
        family=family or type(model.diffusion_model).__name__,
        unknown=family is None,
    )


def family_of(model: Any) -> str | None:
    """The family that a model belongs to, by the classes that it is derived from, its network is, and the one
    that this wraps; None where none of them is known."""
    objects = (model, *compat.wrapped_networks(model.diffusion_model))
    lineages = (type(found).__mro__ for found in objects)
    names = (kind.__name__ for lineage in lineages for kind in lineage)
    return next((FAMILIES[name] for name in names if name in FAMILIES), None)


def _trained_pixels(model: Any, family: str | None) -> tuple[int, int | None]:
    """Fewest and most pixels that a model of this family makes good pictures of."""
    if family is None:
        return UNKNOWN_PIXELS
    if is_demo(model):
        return DEMO_PIXELS
    return U_NET_PIXELS if family in U_NETS else TRAINED_PIXELS


def is_demo(model: Any) -> bool:
    """Whether the network has the whole configuration of the demo model that comes with this pack."""
    params, demo = getattr(model.diffusion_model, "params", None), TransformerShape()
    found = ("hidden_size", "depth", "depth_single_blocks", "context_in_dim", "vec_in_dim")
    sizes = (demo.hidden, demo.double_blocks, demo.single_blocks, demo.context_size, demo.pooled_size)
    return tuple(getattr(params, name, None) for name in found) == sizes


def with_text_of(architecture: Architecture, conds: dict[str, list[dict]]) -> Architecture:
    """The architecture with as many text tokens as a run's first conditioning has, where that is known."""
    for cond in (cond for group in conds.values() for cond in group):
        parts = [cond.get("model_conds", {}).get(name) for name in TEXTS]
        if parts[0] is not None:
            return replace(architecture, text_tokens=sum(p.cond.shape[1] for p in parts if p is not None))
    return architecture


def call_flops(run: Run, images: list[Tensor], text: Tensor | None, conds: dict[str, Any]) -> tuple[int, int]:
    """FLOPs of a call of the run's network, and of the same call at full resolution; 0 where not known.

    `images` are the canvas (or an area or window of it) and pictures of reference, all at full size.
    """
    if run.architecture is None:
        return 0, 0
    canvases = [compat.canvas_of(run.model, tuple(image.shape)) for image in images]
    glyphs, vision = (conds.get(name) for name in ("txt_byt5", "clip_fea"))
    length = sum(part.shape[1] for part in (text, glyphs) if part is not None)
    batch, seen = images[0].shape[0], 0 if vision is None else vision.shape[-2]
    full = sum(c.tokens(0) for c in canvases)
    now, kept = sum(c.tokens(run.level) for c in canvases), 0
    if run.layout is not None:
        now = full - canvases[0].tokens(0) + run.layout.tokens
        kept = 0 if run.level else full - now
    flops = run.architecture.step_flops(now, batch, length, seen, kept)
    return flops, run.architecture.step_flops(full, batch, length, seen)


def _flux(network: Any) -> Architecture:
    params = network.params
    return families.flux(
        "flux.2" if getattr(params, "global_modulation", False) else "flux.1",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        gated=getattr(params, "mlp_silu_act", False) or getattr(params, "yak_mlp", False),
        patch_inputs=network.in_channels,
        patch_outputs=network.out_channels,
        context=params.context_in_dim,
        pooled=params.vec_in_dim,
        guidance=params.guidance_embed,
        global_modulation=getattr(params, "global_modulation", False),
        # the demo model's prompts are short, T5's are not
        **({"text_tokens": PROMPT_TOKENS} if params.context_in_dim == TransformerShape.context_size else {}),
    )


def _chroma(network: Any) -> Architecture:
    params = network.params
    return families.chroma(
        "chroma",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        patch_inputs=network.in_channels,
        patch_outputs=network.out_channels,
        context=params.context_in_dim,
        approximator=(params.in_dim, params.hidden_dim, params.out_dim, params.n_layers),
    )


def _hunyuan_video(network: Any) -> Architecture:
    params, patch = network.params, math.prod(network.patch_size)
    return families.hunyuan_video(
        "hunyuan-video",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        patch_inputs=patch * params.in_channels,
        patch_outputs=patch * params.out_channels,
        context=params.context_in_dim,
        pooled=params.vec_in_dim,
        guidance=params.guidance_embed,
        mean_flow=params.meanflow,
        vision=params.vision_in_dim,
    )


def _qwen_image(network: Any) -> Architecture:
    return families.qwen_image(
        "qwen-image",
        width=network.inner_dim,
        layers=len(network.transformer_blocks),
        patch_inputs=network.in_channels,
        patch_outputs=network.patch_size**2 * network.out_channels,
        context=network.txt_in.in_features,
    )


def _wan(network: Any) -> Architecture:
    patch = math.prod(network.patch_size)
    return families.wan(
        "wan",
        width=network.dim,
        mlp=network.ffn_dim,
        layers=network.num_layers,
        patch_inputs=patch * network.in_dim,
        patch_outputs=patch * network.out_dim,
        context=network.text_dim,
        time_features=network.freq_dim,
        vision=None if network.img_emb is None else network.img_emb.proj[1].in_features,
    )


def _lumina(network: Any) -> Architecture:
    block = network.layers[0]
    heads = block.attention
    return families.lumina(
        "lumina",
        width=network.dim,
        mlp=block.feed_forward.w1.out_features,
        layers=len(network.layers),
        refiners=len(network.noise_refiner),
        key_width=heads.n_kv_heads * heads.head_dim,
        context=network.cap_embedder[1].in_features,
        conditioning=block.adaLN_modulation[-1].in_features,
        time_hidden=network.t_embedder.mlp[0].out_features,
        patch_inputs=network.patch_size**2 * network.in_channels,
        patch_outputs=network.patch_size**2 * network.out_channels,
        multiple=getattr(network, "pad_tokens_multiple", None) or 1,
    )


def _krea2(network: Any) -> Architecture:
    block, fusion = network.blocks[0], network.txtfusion.layerwise_blocks[0]
    patch = network.patch**2 * network.channels
    return families.krea2(
        "krea-2",
        width=block.mlp.gate.in_features,
        mlp=block.mlp.gate.out_features,
        layers=len(network.blocks),
        key_width=block.attn.kvheads * block.attn.headdim,
        text_width=network.txtdim,
        text_key_width=fusion.attn.kvheads * fusion.attn.headdim,
        text_mlp=fusion.mlp.gate.out_features,
        text_layers=network.txtlayers,
        time_features=network.tdim,
        patch_inputs=patch,
        patch_outputs=patch,
    )


def _sd3(network: Any) -> Architecture:
    patch, blocks = network.patch_size**2, network.joint_blocks
    width = network.hidden_size
    return families.sd3(
        "sd3",
        width=width,
        layers=len(blocks),
        dual_layers=sum(bool(block.x_block.x_block_self_attn) for block in blocks),
        mlp_ratio=blocks[0].x_block.mlp.fc1.out_features / width,
        patch_inputs=patch * network.in_channels,
        patch_outputs=patch * network.out_channels,
        context=getattr(network.context_embedder, "in_features", width),
        pooled=None if network.y_embedder is None else network.y_embedder.mlp[0].in_features,
    )


READERS: dict[str, Callable[[Any], Architecture]] = {
    "Flux": _flux,
    "Chroma": _chroma,
    "HunyuanVideo": _hunyuan_video,
    "QwenImageTransformer2DModel": _qwen_image,
    "WanModel": _wan,
    "NextDiT": _lumina,
    "SingleStreamDiT": _krea2,
    "OpenAISignatureMMDITWrapper": _sd3,
}
