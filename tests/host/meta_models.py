"""The host's model classes at their published sizes on the meta device, and the FLOPs that a call has.

Nothing is allocated, so that the largest models are built and counted in seconds.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import comfy.ops
import torch
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "num_heads": 24,
    "axes_dim": [16, 56, 56],
    "mlp_ratio": 4.0,
    "depth": 19,
    "depth_single_blocks": 38,
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
FLUX2 = FLUX | {
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "context_in_dim": 15360,
    "hidden_size": 6144,
    "num_heads": 48,
    "axes_dim": [32, 32, 32, 32],
    "mlp_ratio": 3.0,
    "depth": 8,
    "depth_single_blocks": 48,
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "txt_ids_dims": [3],
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
}
KLEIN_9B = FLUX2 | {
    "context_in_dim": 12288,
    "hidden_size": 4096,
    "num_heads": 32,
    "depth_single_blocks": 24,
    "guidance_embed": False,
}
KLEIN_4B = KLEIN_9B | {
    "context_in_dim": 7680,
    "hidden_size": 3072,
    "num_heads": 24,
    "depth": 5,
    "depth_single_blocks": 20,
}
CHROMA = {key: value for key, value in FLUX.items() if key not in ("guidance_embed",)} | {
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 3072,
    "hidden_dim": 5120,
    "n_layers": 5,
    "vec_in_dim": None,
}
HUNYUAN = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "mlp_ratio": 4.0,
    "num_heads": 24,
    "depth": 20,
    "depth_single_blocks": 40,
    "axes_dim": [16, 56, 56],
    "theta": 256,
    "patch_size": [1, 2, 2],
    "qkv_bias": True,
    "guidance_embed": True,
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
HUNYUAN_15 = HUNYUAN | {
    "in_channels": 65,
    "out_channels": 32,
    "vec_in_dim": None,
    "context_in_dim": 3584,
    "hidden_size": 2048,
    "num_heads": 16,
    "depth": 54,
    "depth_single_blocks": 0,
    "patch_size": [1, 1, 1],
    "guidance_embed": False,
    "byt5": True,
    "use_cond_type_embedding": True,
    "vision_in_dim": 1152,
    "meanflow_sum": True,
}
WAN_14B = {
    "model_type": "t2v",
    "in_dim": 16,
    "dim": 5120,
    "ffn_dim": 13824,
    "num_heads": 40,
    "num_layers": 40,
}
WAN_1B = WAN_14B | {"dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30}
LUMINA2 = {
    "in_channels": 16,
    "dim": 2304,
    "cap_feat_dim": 2304,
    "n_layers": 26,
    "qk_norm": True,
    "n_heads": 24,
    "n_kv_heads": 8,
    "axes_dims": [32, 32, 32],
    "axes_lens": [300, 512, 512],
    "ffn_dim_multiplier": 4.0,
}
Z_IMAGE = LUMINA2 | {
    "dim": 3840,
    "cap_feat_dim": 2560,
    "n_layers": 30,
    "n_heads": 30,
    "n_kv_heads": 30,
    "axes_dims": [32, 48, 48],
    "axes_lens": [1536, 512, 512],
    "rope_theta": 256.0,
    "ffn_dim_multiplier": 8.0 / 3.0,
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
SD35_LARGE = {
    "in_channels": 16,
    "out_channels": 16,
    "depth": 38,
    "input_size": None,
    "adm_in_channels": 2048,
    "num_patches": 192**2,
    "pos_embed_max_size": 192,
    "qk_norm": "rms",
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": 4096, "out_features": 2432},
    },
}
SD35_MEDIUM = SD35_LARGE | {
    "depth": 24,
    "x_block_self_attn_layers": list(range(13)),
    "num_patches": 384**2,
    "pos_embed_max_size": 384,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": 4096, "out_features": 1536},
    },
}


@dataclass(frozen=True)
class MetaModel:
    """A published model in the host's classes.

    channels: of the latent; context: channels of the text; inputs: further arguments of a call, by batch and
    text length; frames: whether its latents have a dimension of frames; sound: shape of the latent of sound
    that goes with the video; most: samples that it takes in one call; needs: options that old
    hosts lack; time: a timestep, where the network reads its value.
    """

    module: str
    class_name: str
    config: dict[str, Any]
    context: int
    channels: int = 16
    inputs: Callable[[int, int], dict[str, Any]] = lambda batch, text: {}
    frames: bool = False
    sound: tuple[int, ...] = ()
    most: int = 2
    needs: tuple[str, ...] = ()
    time: Callable[[int], torch.Tensor] = lambda batch: _empty(batch)

    def build(self) -> torch.nn.Module | None:
        """The model on the meta device; None where this host has no such class or option."""
        try:
            module = importlib.import_module(f"comfy.ldm.{self.module}")
        except ModuleNotFoundError:
            return None
        settings = {"device": "meta", "dtype": torch.bfloat16, "operations": comfy.ops.disable_weight_init}
        kind = getattr(module, self.class_name)
        if not set(self.needs) <= set(inspect.signature(kind).parameters):
            return None
        return kind(**self.config, **settings)


def _pooled(batch: int, text: int) -> dict[str, Any]:
    return {"y": _empty(batch, 768), "guidance": _empty(batch)}


def _text_mask(batch: int, text: int) -> dict[str, Any]:
    return {"attention_mask": None}


LTX_13B = {"cross_attention_dim": 4096, "attention_head_dim": 128, "num_layers": 48}
LTX_23 = {
    "cross_attention_adaln": True,
    "apply_gated_attention": True,
    "caption_proj_before_connector": True,
    "caption_projection_first_linear": False,
}


def _guidance(batch: int, text: int) -> dict[str, Any]:
    return {"guidance": _empty(batch)}


META_MODELS = {
    "flux.1-dev": MetaModel("flux.model", "Flux", FLUX, 4096, inputs=_pooled),
    "flux.1-schnell": MetaModel("flux.model", "Flux", FLUX | {"guidance_embed": False}, 4096, inputs=_pooled),
    "flux.1-lite": MetaModel("flux.model", "Flux", FLUX | {"depth": 8}, 4096, inputs=_pooled),
    "flux.2-dev": MetaModel("flux.model", "Flux", FLUX2, 15360, 128, _guidance),
    "flux.2-klein-9b": MetaModel("flux.model", "Flux", KLEIN_9B, 12288, 128),
    "flux.2-klein-4b": MetaModel("flux.model", "Flux", KLEIN_4B, 7680, 128),
    "chroma": MetaModel("chroma.model", "Chroma", CHROMA, 4096, inputs=_guidance),
    "hunyuan-video": MetaModel(
        "hunyuan_video.model", "HunyuanVideo", HUNYUAN, 4096, inputs=_pooled, frames=True
    ),
    "hunyuan-video-1.5": MetaModel("hunyuan_video.model", "HunyuanVideo", HUNYUAN_15, 3584, 65, frames=True),
    "qwen-image": MetaModel("qwen_image.model", "QwenImageTransformer2DModel", {}, 3584, frames=True),
    "wan-14b": MetaModel("wan.model", "WanModel", WAN_14B, 4096, frames=True),
    "wan-i2v-14b": MetaModel(
        "wan.model",
        "WanModel",
        WAN_14B | {"model_type": "i2v", "in_dim": 36},
        4096,
        36,
        lambda batch, text: {"clip_fea": _empty(batch, 257, 1280)},
        frames=True,
    ),
    "wan-1.3b": MetaModel("wan.model", "WanModel", WAN_1B, 4096, frames=True),
    "lumina-2": MetaModel(
        "lumina.model", "NextDiT", LUMINA2, 2304, inputs=lambda batch, text: {"num_tokens": text}
    ),
    "z-image": MetaModel(
        "lumina.model", "NextDiT", Z_IMAGE, 2560, inputs=lambda batch, text: {"num_tokens": text}
    ),
    "krea-2": MetaModel("krea2.model", "SingleStreamDiT", {}, 12 * 2560),
    "sd3.5-large": MetaModel(
        "modules.diffusionmodules.mmdit",
        "OpenAISignatureMMDITWrapper",
        SD35_LARGE,
        4096,
        inputs=lambda batch, text: {"y": _empty(batch, 2048)},
    ),
    "sd3.5-medium": MetaModel(
        "modules.diffusionmodules.mmdit",
        "OpenAISignatureMMDITWrapper",
        SD35_MEDIUM,
        4096,
        inputs=lambda batch, text: {"y": _empty(batch, 2048)},
    ),
    "ltx-video-2b": MetaModel(
        "lightricks.model", "LTXVModel", {}, 4096, 128, _text_mask, frames=True
    ),
    "ltx-video-13b": MetaModel(
        "lightricks.model", "LTXVModel", LTX_13B, 4096, 128, _text_mask, frames=True
    ),
    "ltx-2": MetaModel(
        "lightricks.av_model", "LTXAVModel", {}, 2 * 3840, 128, _text_mask, frames=True, sound=(8, 126, 16)
    ),
    "ltx-2.3": MetaModel(
        "lightricks.av_model",
        "LTXAVModel",
        LTX_23,
        4096 + 2048,
        128,
        _text_mask,
        frames=True,
        sound=(8, 126, 16),
        needs=("cross_attention_adaln", "apply_gated_attention"),
    ),
    "minimax-h3": MetaModel(
        "minimax.model",
        "MiniMaxH3Model",
        {},
        5376,
        24,
        frames=True,
        sound=(32, 2, 207),
        most=1,
        time=lambda batch: torch.full((batch,), 500.0),
    ),
}


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta", dtype=torch.bfloat16)


def _cpu_attention(query: tuple, key: tuple, value: tuple, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


FUSED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _cpu_attention}  # torch leaves it out


def counted_flops(network: torch.nn.Module, *args: Any, **kwargs: Any) -> int:
    """FLOPs of a call of `network`, as torch counts them."""
    with _counter() as counter:
        network(*args, **kwargs)
    return counter.get_total_flops()


@contextmanager
def _counter() -> Iterator[FlopCounterMode]:
    with FlopCounterMode(display=False, custom_mapping=FUSED) as counter, torch.no_grad():
        yield counter


@contextmanager
def like_blocks_once(network: torch.nn.Module, counter: FlopCounterMode) -> Iterator[list[int]]:
    """Within it a block that is like one before it, called with as many values, is not run again. Yields the
    FLOPs of those, as they are left out."""
    known: dict[Any, tuple[Any, int]] = {}
    left_out: list[int] = []

    def standing_in(block: torch.nn.Module) -> Callable:
        forward = block.forward
        weights = tuple((name, tuple(weight.shape)) for name, weight in block.named_parameters())

        def call(*args: Any, **kwargs: Any) -> Any:
            sizes = [tuple(x.shape) for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
            key = type(block), weights, tuple(sizes)
            if key in known:
                left_out.append(known[key][1])
            else:
                before = counter.get_total_flops()
                known[key] = forward(*args, **kwargs), counter.get_total_flops() - before
            return known[key][0]

        return call

    lists = [module for module in network.modules() if isinstance(module, torch.nn.ModuleList)]
    blocks = [block for some in lists if len(some) > 2 for block in some]
    for block in blocks:
        block.forward = standing_in(block)
    try:
        yield left_out
    finally:
        for block in blocks:
            del block.forward


def step_flops(network: torch.nn.Module, spec: MetaModel, canvas: Any, batch: int, text: int) -> int:
    """FLOPs of an evaluation of a meta model on a canvas, `text` tokens of text a sample."""
    frames = (canvas.frames,) if spec.frames else ()
    at_once, times = min(batch, spec.most), batch // min(batch, spec.most)
    latent = _empty(at_once, spec.channels, *frames, canvas.height, canvas.width)
    context = _empty(at_once, text, spec.context)
    seen = [latent, _empty(at_once, *spec.sound)] if spec.sound else latent
    with _counter() as counter, like_blocks_once(network, counter) as left_out:
        network(seen, spec.time(at_once), context, **spec.inputs(at_once, text))
    return times * (counter.get_total_flops() + sum(left_out))
