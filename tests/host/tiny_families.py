"""The host's model families in miniature: small `unet_config`s as the host's model detection makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

FAMILIES = ("flux", "qwen_image", "wan", "hunyuan_video", "lumina2", "z_image", "sd3", "sdxl")
EXTRAS = (
    "flux_inpaint",
    "flux_kontext",
    "wan_i2v",
    "sd15",
    "flux2",
    "chroma",
    "krea2",
    "qwen_edit",
    "krea2_edit",
    "hunyuan_image",
    "hunyuan_video15",
)
TEXT_DIM, POOLED_DIM = 32, 24
POS_TABLE = 64  # side of SD3's position table, in patches

FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED_DIM,
    "context_in_dim": TEXT_DIM,
    "hidden_size": 64,
    "num_heads": 4,
    "axes_dim": [4, 6, 6],
    "mlp_ratio": 2.0,
    "depth": 2,
    "depth_single_blocks": 2,
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
FLUX2 = FLUX | {
    "image_model": "flux2",
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "hidden_size": 128,
    "axes_dim": [8, 8, 8, 8],
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "txt_ids_dims": [3],
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
}
CHROMA = {
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "vec_in_dim": POOLED_DIM,
    "context_in_dim": TEXT_DIM,
    "hidden_size": 64,
    "num_heads": 4,
    "axes_dim": [4, 6, 6],
    "mlp_ratio": 2.0,
    "depth": 2,
    "depth_single_blocks": 2,
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "txt_ids_dims": [],
    "in_dim": 64,
    "out_dim": 64,
    "hidden_dim": 32,
    "n_layers": 2,
}
KREA2 = {
    "image_model": "krea2",
    "features": 64,
    "channels": 16,
    "patch": 2,
    "layers": 2,
    "heads": 4,
    "kvheads": 2,
    "txtlayers": 2,
    "txtdim": TEXT_DIM // 2,
    "txtheads": 2,
    "txtkvheads": 2,
}
QWEN = {
    "image_model": "qwen_image",
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "joint_attention_dim": TEXT_DIM,
    "axes_dims_rope": (4, 6, 6),
}
WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "patch_size": (1, 2, 2),
    "in_dim": 16,
    "dim": 64,
    "ffn_dim": 128,
    "freq_dim": 64,
    "text_dim": TEXT_DIM,
    "out_dim": 16,
    "num_heads": 4,
    "num_layers": 2,
}
HUNYUAN = {
    "image_model": "hunyuan_video",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED_DIM,
    "context_in_dim": TEXT_DIM,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 4,
    "depth": 2,
    "depth_single_blocks": 2,
    "axes_dim": [4, 6, 6],
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
HUNYUAN_IMAGE = HUNYUAN | {
    "in_channels": 64,
    "out_channels": 64,
    "vec_in_dim": None,
    "axes_dim": [8, 8],
    "patch_size": [1, 1],
    "guidance_embed": False,
}
HUNYUAN15 = HUNYUAN | {
    "in_channels": 65,  # the latent's 32, those of a start image and its mask
    "out_channels": 32,
    "vec_in_dim": None,
    "patch_size": [1, 1, 1],
    "guidance_embed": False,
    "use_cond_type_embedding": True,
}
LUMINA2 = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 64,
    "cap_feat_dim": TEXT_DIM,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "qk_norm": True,
    "n_heads": 4,
    "n_kv_heads": 2,
    "axes_dims": [4, 6, 6],
    "axes_lens": [300, 512, 512],
    "rope_theta": 10000.0,
    "ffn_dim_multiplier": 2.0,
    "multiple_of": 32,
    "time_scale": 100.0,  # the host has 1: too weak a dependence on the timestep without training
}
Z_IMAGE = LUMINA2 | {  # 256 is the least width that Z-Image's modulation takes
    "dim": 256,
    "n_heads": 8,
    "n_kv_heads": 8,
    "axes_dims": [8, 12, 12],
    "axes_lens": [1536, 512, 512],
    "rope_theta": 256.0,
    "ffn_dim_multiplier": 1.0,
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
SD3 = {  # the host makes 64 * depth the hidden size
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "depth": 2,
    "input_size": None,
    "adm_in_channels": POOLED_DIM,
    "num_patches": POS_TABLE**2,
    "pos_embed_max_size": POS_TABLE,
    "pos_embed_scaling_factor": None,
    "qk_norm": "rms",
    "x_block_self_attn_layers": [],
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": TEXT_DIM, "out_features": 128},
    },
}
UNET = {
    "use_checkpoint": False,
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [0, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [0, 0, 1, 1],
    "context_dim": TEXT_DIM,
    "adm_in_channels": None,
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
    "use_linear_in_transformer": False,
}
SDXL = UNET | {
    "num_classes": "sequential",
    "adm_in_channels": POOLED_DIM + 6 * 256,
    "use_linear_in_transformer": True,
}
WIDTHS = {  # FLUX layout only; "100m" has 100 million parameters
    "tiny": {},
    "100m": {
        "hidden_size": 768,
        "num_heads": 12,
        "axes_dim": [8, 28, 28],
        "mlp_ratio": 4.0,
        "depth": 2,
        "depth_single_blocks": 6,
    },
}


@dataclass(frozen=True)
class Family:
    """How one family is built and where its tokens are seen."""

    config: str  # class in comfy.supported_models
    unet: dict[str, Any]
    block: str  # first block that receives image tokens (U-Nets: the first convolution)
    image: str | int  # the block's argument that carries them
    head: str  # last layer
    patch: int = 2
    video: bool = False
    pooled: bool = False
    guidance: float | None = None
    tokens: int = 8  # default length of cond and uncond
    # latent shape -> the images in the conditioning
    references: Callable[[tuple[int, ...], torch.Generator], dict[str, Any]] | None = None


def _fill_images(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    """Image and mask as InpaintModelConditioning sets them: the mask, in pixels, marks the right half."""
    mask = torch.zeros(1, 1, shape[-2] * 8, shape[-1] * 8)
    mask[..., mask.shape[-1] // 2 :] = 1.0
    return {"concat_latent_image": torch.randn((1, *shape[1:]), generator=generator), "concat_mask": mask}


def _start_frame(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    """Start image and mask as WanImageToVideo sets them: the first latent frame is known."""
    mask = torch.ones(1, 1, *shape[2:])
    mask[:, :, :1] = 0.0
    return {"concat_latent_image": torch.randn((1, *shape[1:]), generator=generator), "concat_mask": mask}


def _reference(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    """One reference latent of the canvas's size, as ReferenceLatent sets it."""
    return {"reference_latents": [torch.randn((1, *shape[1:]), generator=generator)]}


def _edited(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    """A reference latent and the method that makes it more tokens."""
    return _reference(shape, generator) | {"reference_latents_method": "index"}


_FLUX = Family("Flux", FLUX, "double_blocks.0", "img", "final_layer.linear", pooled=True, guidance=3.5)
_QWEN = Family("QwenImage", QWEN, "transformer_blocks.0", "hidden_states", "proj_out", tokens=32)
_KREA2 = Family("Krea2", KREA2, "first", 0, "last.linear", tokens=32)
_WAN = Family("WAN21_T2V", WAN, "blocks.0", 0, "head.head", video=True)
_HUNYUAN = Family(
    "HunyuanVideo",
    HUNYUAN,
    "double_blocks.0",
    "img",
    "final_layer.linear",
    video=True,
    pooled=True,
    guidance=6.0,
)
SPECS: dict[str, Family] = {
    "flux": _FLUX,
    "flux_kontext": replace(_FLUX, references=_reference),
    "flux_inpaint": replace(
        _FLUX, config="FluxInpaint", unet=FLUX | {"in_channels": 96}, references=_fill_images
    ),
    "flux2": Family(
        "Flux2",
        FLUX2,
        "double_blocks.0",
        "img",
        "final_layer.linear",
        patch=1,
        guidance=3.5,
        tokens=256,  # the host pads the text to 512: fewer would be drowned
    ),
    "chroma": Family("Chroma", CHROMA, "double_blocks.0", "img", "final_layer.linear"),
    "krea2": _KREA2,
    "krea2_edit": replace(_KREA2, references=_edited),
    "qwen_image": _QWEN,
    "qwen_edit": replace(_QWEN, references=_edited),
    "wan": _WAN,
    "wan_i2v": replace(
        _WAN, config="WAN21_I2V", unet=WAN | {"model_type": "i2v", "in_dim": 36}, references=_start_frame
    ),
    "hunyuan_video": _HUNYUAN,
    "hunyuan_image": replace(
        _HUNYUAN,
        config="HunyuanImage21",
        unet=HUNYUAN_IMAGE,
        patch=1,
        video=False,
        pooled=False,
        guidance=None,
    ),
    "hunyuan_video15": replace(
        _HUNYUAN, config="HunyuanVideo15", unet=HUNYUAN15, patch=1, pooled=False, guidance=None
    ),
    "lumina2": Family("Lumina2", LUMINA2, "noise_refiner.0", 0, "final_layer.linear"),
    "z_image": Family("ZImage", Z_IMAGE, "noise_refiner.0", 0, "final_layer.linear"),
    "sd3": Family("SD3", SD3, "joint_blocks.0", 1, "final_layer.linear", pooled=True),
    "sdxl": Family("SDXL", SDXL, "input_blocks.0.0", 0, "out.2", patch=1, pooled=True),
    "sd15": Family("SD15", UNET, "input_blocks.0.0", 0, "out.2", patch=1, pooled=True),
}
