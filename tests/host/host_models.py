"""Every picture and video class of the host in miniature: what it is built of, and what it is sampled with.

A row tells the class in comfy.supported_models, a small `unet_config`, the latent's shape, the text, and the
conditioning as nodes set it. Maps of the canvas come from `Fields`: they are drawn at full size, and their
block means taken at half, so that a run at half size has what a coarse look should be given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# tiny boots the host, so it comes before comfy
import tiny  # noqa: F401
import torch
from einops import rearrange, reduce
from tiny_families import (
    CHROMA,
    FLUX,
    FLUX2,
    HUNYUAN,
    HUNYUAN15,
    HUNYUAN_IMAGE,
    KREA2,
    LUMINA2,
    POOLED_DIM,
    QWEN,
    SD3,
    SDXL,
    TEXT_DIM,
    UNET,
    WAN,
    Z_IMAGE,
)

# isort: split
from comfy.ldm.chroma_radiance.model import ChromaRadianceParams


class Fields:
    """Conditioning for a latent of `shape`, at full size or, of the same pictures, at half (`level` 1) or
    three quarters."""

    def __init__(self, shape: tuple[int, ...], level: float):
        self.shape, self.level, self.count = shape, level, 0
        self.packed = shape[1] == 128 and len(shape) == 4  # FLUX.2's latent: 2x2 pixels in its channels

    def map(self, *lead: int, times: float = 1) -> torch.Tensor:
        """A map (*lead, H, W) of the canvas, `times` as fine as it."""
        self.count += 1
        height, width = (int(side * times) for side in self.shape[-2:])
        full = torch.randn(*lead, height, width, generator=torch.Generator().manual_seed(self.count))
        return self._at_level(full)

    def mask(self, *lead: int, times: int = 1) -> torch.Tensor:
        """1, and 0 in the first frame (or the left half of a picture); `times` as fine as the canvas."""
        full = torch.ones(*lead, *(side * times for side in self.shape[-2:]))
        if len(lead) == 3:
            full[:, :, :1] = 0.0
        else:
            full[..., : full.shape[-1] // 2] = 0.0
        return self._at_level(full)

    def sequence(self, *shape: int) -> torch.Tensor:
        """What has nothing to do with the canvas."""
        self.count += 1
        return torch.randn(*shape, generator=torch.Generator().manual_seed(self.count))

    def first_frame(self) -> dict[str, Any]:
        """A start image as WanImageToVideo sets it."""
        return {
            "concat_latent_image": self.map(1, *self.shape[1:-2]),
            "concat_mask": self.mask(1, 1, self.frames),
        }

    @property
    def frames(self) -> int:
        """Latent frames."""
        return self.shape[2]

    def _at_level(self, full: torch.Tensor) -> torch.Tensor:
        if not self.level:
            return full
        if self.level != 1:
            return self._at_three_quarters(full)
        if self.packed and full.shape[1] == self.shape[1]:
            pixels = rearrange(full, "b (c i j) h w -> b c (h i) (w j)", i=2, j=2)
            pixels = reduce(pixels, "b c (h i) (w j) -> b c h w", "mean", i=2, j=2)
            return rearrange(pixels, "b c (h i) (w j) -> b (c i j) h w", i=2, j=2)
        rows, columns = full.shape[-2] // 2, full.shape[-1] // 2
        return full.unflatten(-2, (rows, 2)).unflatten(-1, (columns, 2)).mean((-3, -1))

    def _at_three_quarters(self, full: torch.Tensor) -> torch.Tensor:
        from fresco_pack.fresco_core import merge
        from fresco_pack.fresco_core.canvas.haar import pack_channels, unpack_channels

        packing = 2 if self.packed and full.shape[1] == self.shape[1] else 1
        low = merge(unpack_channels(full, packing), self.level)
        mask = full.amin() >= 0.0 and full.amax() <= 1.0
        return pack_channels(low.clamp(0.0, 1.0) if mask else low, packing)


Extra = Callable[[Fields], dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """How one class is built and sampled.

    differs: why a coarse look is not the native run at half size, though it must run; plain: words of the
    reason why the run is plain. fix: what checkpoints bring besides weights.
    """

    config: str
    unet: dict[str, Any]
    shape: tuple[int, ...] = (1, 16, 16, 16)
    text: tuple[int, int] = (8, TEXT_DIM)
    pooled: int | None = None
    extra: Extra = lambda fields: {}
    differs: str | None = None
    plain: str | None = None
    fix: Callable[[torch.nn.Module], None] | None = None
    get: dict[str, Any] | None = None  # the state dict that get_model reads


VIDEO = (1, 16, 3, 16, 16)
PIXELS = (1, 3, 128, 128)
CAPTIONS = (8, 32)


def wan(config: str, shape: tuple[int, ...] = VIDEO, extra: Extra = lambda f: {}, **unet: Any) -> Row:
    """A class derived from Wan."""
    return Row(config, WAN | unet, shape, extra=extra)


def _position_table(model: torch.nn.Module) -> None:
    from comfy.ldm.modules.diffusionmodules.mmdit import get_2d_sincos_pos_embed

    table = model.diffusion_model.pos_embed
    values = get_2d_sincos_pos_embed(table.shape[-1], int(table.shape[1] ** 0.5))
    table.copy_(torch.from_numpy(values).unsqueeze(0))


LTX = {
    "image_model": "ltxv",
    "cross_attention_dim": 64,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "caption_channels": 32,
    "num_layers": 2,
}
COSMOS2 = {
    "image_model": "cosmos_predict2",
    "in_channels": 16,
    "out_channels": 16,
    "max_img_h": 240,
    "max_img_w": 240,
    "max_frames": 128,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "num_blocks": 2,
    "num_heads": 4,
    "crossattn_emb_channels": TEXT_DIM,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
    "rope_h_extrapolation_ratio": 4.0,
    "rope_w_extrapolation_ratio": 4.0,
    "rope_t_extrapolation_ratio": 1.0,
    "extra_per_block_abs_pos_emb": False,
    "concat_padding_mask": True,
}
COSMOS1 = COSMOS2 | {
    "image_model": "cosmos",
    "block_config": "FA-CA-MLP",
    "block_x_format": "THWBD",
    "affline_emb_norm": True,
    "extra_per_block_abs_pos_emb": True,
    "extra_per_block_abs_pos_emb_type": "learnable",
    "extra_h_extrapolation_ratio": 1.0,
    "extra_w_extrapolation_ratio": 1.0,
    "extra_t_extrapolation_ratio": 1.0,
    "rope_h_extrapolation_ratio": 1.0,
    "rope_w_extrapolation_ratio": 1.0,
    "rope_t_extrapolation_ratio": 2.0,
}
OMNIGEN = {
    "image_model": "omnigen2",
    "patch_size": 2,
    "in_channels": 16,
    "hidden_size": 96,
    "num_layers": 2,
    "num_refiner_layers": 1,
    "num_attention_heads": 4,
    "num_kv_heads": 2,
    "multiple_of": 32,
    "axes_dim_rope": (8, 8, 8),
    "axes_lens": (300, 512, 512),
    "text_feat_dim": 32,
}
BOOGU = {name: value for name, value in OMNIGEN.items() if name != "text_feat_dim"} | {
    "image_model": "boogu",
    "num_double_stream_layers": 1,
    "instruction_feat_dim": 32,
}
HIDREAM = {
    "image_model": "hidream",
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 32,
    "num_attention_heads": 4,
    "caption_channels": [32, 32],
    "text_emb_dim": POOLED_DIM,
    "num_routed_experts": 4,
    "num_activated_experts": 2,
    "axes_dims_rope": (16, 8, 8),
    "max_resolution": (64, 64),
    "llama_layers": [0, 1],
}
HIDREAM_O1 = {
    "image_model": "hidream_o1",
    "text_config_overrides": {
        "vocab_size": 152000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rope_dims": [4, 2, 2],
    },
    "vision_config_overrides": {
        "hidden_size": 32,
        "num_heads": 2,
        "intermediate_size": 64,
        "depth": 1,
        "deepstack_visual_indexes": [],
    },
}
KANDINSKY = {
    "image_model": "kandinsky5",
    "in_text_dim": 32,
    "in_text_dim2": POOLED_DIM,
    "time_dim": 32,
    "model_dim": 64,
    "ff_dim": 128,
    "visual_embed_dim": 64,
    "num_text_blocks": 1,
    "num_visual_blocks": 2,
    "axes_dims": (4, 6, 6),
}
PIXELDIT = {
    "image_model": "pixeldit_t2i",
    "num_groups": 4,
    "hidden_size": 64,
    "pixel_hidden_size": 8,
    "pixel_attn_hidden_size": 32,
    "pixel_num_groups": 4,
    "patch_depth": 2,
    "pixel_depth": 1,
    "patch_size": 16,
    "txt_embed_dim": 32,
    "txt_max_length": 16,
}
PID = PIXELDIT | {
    "image_model": "pid",
    "lq_hidden_dim": 32,
    "lq_num_res_blocks": 1,
    "lq_interval": 1,
}
RADIANCE = CHROMA | {
    "image_model": "chroma_radiance",
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": 16,
    "nerf_hidden_size": 16,
    "nerf_mlp_ratio": 2,
    "nerf_depth": 1,
    "nerf_max_freqs": 4,
    "nerf_tile_size": 16,
    "nerf_final_head_type": "conv",
    "nerf_embedder_dtype": torch.float32,
    "use_x0": True,
    "use_sequential_txt_ids": False,
}
if "use_sequential_txt_ids" not in ChromaRadianceParams.__dataclass_fields__:  # of older hosts
    del RADIANCE["use_sequential_txt_ids"]
AURA = {
    "cond_seq_dim": 32,
    "dim": 64,
    "n_layers": 2,
    "n_double_layers": 1,
    "n_heads": 4,
    "global_conddim": 64,
    "max_seq": 1024,
}
PIXART = {
    "hidden_size": 64,
    "depth": 2,
    "num_heads": 4,
    "caption_channels": 32,
    "input_size": 64,
    "pe_interpolation": 1,
    "model_max_length": 8,
    "micro_condition": False,
}
HYDIT = {
    "hidden_size": 64,
    "depth": 4,
    "num_heads": 4,
    "text_states_dim": 32,
    "text_states_dim_t5": 24,
    "text_len": 8,
    "text_len_t5": 6,
}
COGVIDEO = {
    "image_model": "cogvideox",
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "in_channels": 16,
    "out_channels": 16,
    "text_embed_dim": 32,
    "num_layers": 2,
    "time_embed_dim": 32,
    "use_rotary_positional_embeddings": True,
    "max_text_seq_length": 8,
}
SVD = UNET | {
    "in_channels": 8,
    "use_temporal_attention": True,
    "use_temporal_resblock": True,
    "num_classes": "sequential",
    "adm_in_channels": 768,
    "extra_ff_mix_layer": True,
    "use_spatial_context": True,
    "merge_strategy": "learned_with_images",
    "merge_factor": 0.0,
    "video_kernel_size": [3, 1, 1],
}
UPSCALER = UNET | {
    "in_channels": 7,
    "num_classes": 1000,
    "num_res_blocks": [1] * 4,
    "channel_mult": [1, 2, 2, 2],
    "transformer_depth": [0, 1, 1, 0],
    "transformer_depth_output": [0, 0, 1, 1, 1, 1, 0, 0],
}
CASCADE_C = {
    "stable_cascade_stage": "c",
    "c_cond": 64,
    "c_hidden": [64, 64],
    "nhead": [4, 4],
    "blocks": [[1, 1], [1, 1]],
    "c_clip_text": TEXT_DIM,
    "c_clip_text_pooled": POOLED_DIM,
    "c_clip_img": 768,
}
CASCADE_B = {
    "stable_cascade_stage": "b",
    "c_cond": 64,
    "c_hidden": [32, 32, 64, 64],
    "nhead": [-1, -1, 4, 4],
    "blocks": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "block_repeat": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "c_clip": POOLED_DIM,
}
ERNIE = {
    "image_model": "ernie",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_layers": 2,
    "ffn_hidden_size": 128,
    "in_channels": 128,
    "out_channels": 128,
    "patch_size": 1,
    "text_in_dim": 32,
    "rope_axes_dim": (4, 6, 6),
}
LENS = {
    "image_model": "lens",
    "patch_size": 2,
    "in_channels": 128,
    "out_channels": 32,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "enc_hidden_dim": 32,
    "axes_dims_rope": (4, 6, 6),
}
MAGE = {
    "image_model": "mage_flow",
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "joint_attention_dim": 32,
    "axes_dims_rope": (4, 6, 6),
}
IDEOGRAM = {
    "image_model": "ideogram4",
    "in_channels": 128,
    "num_layers": 2,
    "num_attention_heads": 4,
    "attention_head_dim": 32,
    "intermediate_size": 64,
    "adaln_dim": 32,
    "llm_features_dim": TEXT_DIM,
    "mrope_section": (6, 5, 5),
}
JOY = {
    "image_model": "joyimage",
    "hidden_size": 256,
    "num_attention_heads": 2,
    "text_dim": 32,
    "num_layers": 2,
}
SEEDVR = {
    "image_model": "seedvr2",
    "norm_eps": 1e-5,
    "num_layers": 2,
    "mlp_type": "normal",
    "vid_dim": 128,
    "heads": 1,
    "head_dim": 128,
    "mm_layers": 2,
    "rope_type": "rope3d",
    "rope_dim": 64,
    "txt_in_dim": 32,
    "vid_out_norm": None,
}
LARGE = (1, 4, 128, 128)  # PixArt rounds the middle of its sides to 64 latent pixels
SD_IMAGE, SDXL_IMAGE, FLUX2_IMAGE = (1, 4, 16, 16), (1, 4, 16, 16), (1, 128, 16, 16)
SIZES = {"width": 128, "height": 128}  # told to SDXL and its kin: those of the picture, whatever the look
VACE = {"model_type": "vace", "vace_layers": 1, "vace_in_dim": 96}
ANIMATE = {"model_type": "animate", "in_dim": 36, "motion_encoder_dim": 32, "num_layers": 5}
DANCER = {
    "model_type": "wandancer",
    "in_dim": 36,
    "audio_inject_layers": [0],
    "music_dim": 16,
    "music_heads": 2,
    "music_latent_dim": 16,
}
O1_TEXT = torch.tensor([[151644, 872, 198, 100, 101, 102, 151645, 198, 151673]])


def _references(f: Fields) -> dict[str, Any]:
    return {"reference_latents": [f.map(1, *f.shape[1:-2])]}


def _masked_text(f: Fields) -> dict[str, Any]:
    return {"attention_mask": torch.ones(1, 8, dtype=torch.int64)}


def _sized(f: Fields) -> dict[str, Any]:
    return dict(SIZES)


def _svd(f: Fields) -> dict[str, Any]:
    settings = {"motion_bucket_id": 127, "fps": 6, "augmentation_level": 0.0}
    return {"concat_latent_image": f.map(1, 4), **settings}


def _concat(channels: int) -> Extra:
    return lambda f: {"concat_latent_image": f.map(1, channels, *f.shape[2:-2])}


def _vace(f: Fields) -> dict[str, Any]:
    return {
        "vace_frames": [f.map(1, 32, f.frames)],
        "vace_mask": [f.map(1, 64, f.frames)],
        "vace_strength": [1.0],
    }


def _camera(f: Fields) -> dict[str, Any]:
    return f.first_frame() | {"camera_conditions": f.map(1, 24, f.frames, times=8)}


def _animate(f: Fields) -> dict[str, Any]:
    """Without a face, whose encoder has the size of the full model: test_conditions.py has one."""
    return f.first_frame() | {"pose_video_latent": f.map(1, 16, f.frames - 1)}


def _scail(f: Fields) -> dict[str, Any]:
    return {"reference_latents": [f.map(1, 16, 1)], "pose_video_latent": f.map(1, 16, f.frames, times=0.5)}


def _scail2(f: Fields) -> dict[str, Any]:
    masks = {
        "driving_mask_28ch": f.map(1, f.frames, 28, times=0.5),
        "ref_mask_28ch": f.map(1, f.frames + 1, 28),
    }
    return _scail(f) | masks | {"ref_mask_flag": False}


def _s2v(f: Fields) -> dict[str, Any]:
    return {
        "reference_latents": [f.map(1, 16, 1)],
        "control_video": f.map(1, 16, f.frames),
        "audio_embed": f.sequence(1, 25, 32, 12),
    }


def _humo(f: Fields) -> dict[str, Any]:
    return {"audio_embed": f.sequence(1, f.frames, 8, 5, 1280), "reference_latents": [f.map(1, 16, 1)]}


def _hydit(f: Fields) -> dict[str, Any]:
    masks = {"attention_mask": torch.ones(1, 8), "attention_mask_mt5xl": torch.ones(1, 6)}
    return masks | {"conditioning_mt5xl": f.sequence(1, 6, 24)} | SIZES


ROWS: dict[str, Row] = {
    "SD15": Row("SD15", UNET, SD_IMAGE),
    "SD20": Row("SD20", UNET, SD_IMAGE),
    "SDXL": Row("SDXL", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=_sized),
    "SSD1B": Row("SSD1B", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=_sized),
    "Segmind_Vega": Row("Segmind_Vega", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=_sized),
    "KOALA_700M": Row("KOALA_700M", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=_sized),
    "KOALA_1B": Row("KOALA_1B", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=_sized),
    "SDXLRefiner": Row(
        "SDXLRefiner",
        SDXL | {"adm_in_channels": POOLED_DIM + 5 * 256},
        SDXL_IMAGE,
        pooled=POOLED_DIM,
        extra=_sized,
    ),
    "SVD_img2vid": Row("SVD_img2vid", SVD, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=_svd),
    "SV3D_u": Row("SV3D_u", SVD | {"adm_in_channels": 256}, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=_svd),
    "SV3D_p": Row("SV3D_p", SVD | {"adm_in_channels": 1280}, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=_svd),
    "Stable_Zero123": Row(
        "Stable_Zero123",
        UNET | {"in_channels": 8, "context_dim": 768},
        SD_IMAGE,
        text=(1, 768),
        extra=_concat(4),
        get={"cc_projection.weight": torch.eye(768, 772), "cc_projection.bias": torch.zeros(768)},
    ),
    "SD_X4Upscaler": Row(
        "SD_X4Upscaler",
        UPSCALER,
        (1, 4, 32, 32),
        extra=lambda f: {"concat_image": f.map(1, 3)},
    ),
    "SD15_instructpix2pix": Row(
        "SD15_instructpix2pix", UNET | {"in_channels": 8}, SD_IMAGE, extra=_concat(4)
    ),
    "SDXL_instructpix2pix": Row(
        "SDXL_instructpix2pix",
        SDXL | {"in_channels": 8},
        SDXL_IMAGE,
        pooled=POOLED_DIM,
        extra=lambda f: _sized(f) | _concat(4)(f),
    ),
    "LotusD": Row(
        "LotusD",
        UNET
        | {
            "adm_in_channels": 4,
            "num_classes": "sequential",
            "use_linear_in_transformer": True,
            "num_head_channels": 32,
        },
        SD_IMAGE,
    ),
    "Stable_Cascade_C": Row("Stable_Cascade_C", CASCADE_C, pooled=POOLED_DIM),
    "Stable_Cascade_B": Row("Stable_Cascade_B", CASCADE_B, (1, 4, 64, 64), pooled=POOLED_DIM),
    "SD3": Row("SD3", SD3, pooled=POOLED_DIM, fix=_position_table),
    "AuraFlow": Row("AuraFlow", AURA, SDXL_IMAGE),
    "PixArtAlpha": Row("PixArtAlpha", PIXART | {"image_model": "pixart_alpha"}, LARGE),
    "PixArtSigma": Row("PixArtSigma", PIXART | {"image_model": "pixart_sigma"}, LARGE),
    "HunyuanDiT": Row("HunyuanDiT", HYDIT | {"image_model": "hydit"}, SD_IMAGE, extra=_hydit),
    "HunyuanDiT1": Row(
        "HunyuanDiT1",
        HYDIT | {"image_model": "hydit1", "size_cond": True, "use_style_cond": True},
        SD_IMAGE,
        extra=_hydit,
    ),
    "Flux": Row("Flux", FLUX, pooled=POOLED_DIM, extra=_references),
    "FluxInpaint": Row(
        "FluxInpaint",
        FLUX | {"in_channels": 96},
        pooled=POOLED_DIM,
        extra=lambda f: _concat(16)(f) | {"concat_mask": f.mask(1, 1, times=8)},
    ),
    "FluxSchnell": Row("FluxSchnell", FLUX | {"guidance_embed": False}, pooled=POOLED_DIM),
    "LongCatImage": Row(
        "LongCatImage", FLUX | {"guidance_embed": False, "vec_in_dim": None, "txt_ids_dims": [1, 2]}
    ),
    "Flux2": Row("Flux2", FLUX2, FLUX2_IMAGE, extra=_references),
    "Lens": Row("Lens", LENS, FLUX2_IMAGE, text=(8, 4 * 32)),
    "LTXV": Row(
        "LTXV", LTX, (1, 128, 3, 16, 16), text=CAPTIONS, extra=lambda f: {"frame_rate": 25} | _masked_text(f)
    ),
    "HunyuanVideo": Row("HunyuanVideo", HUNYUAN, VIDEO, pooled=POOLED_DIM),
    "HunyuanVideoI2V": Row(
        "HunyuanVideoI2V", HUNYUAN | {"in_channels": 33}, VIDEO, pooled=POOLED_DIM, extra=Fields.first_frame
    ),
    "HunyuanVideoSkyreelsI2V": Row(
        "HunyuanVideoSkyreelsI2V", HUNYUAN | {"in_channels": 32}, VIDEO, pooled=POOLED_DIM, extra=_concat(16)
    ),
    "HunyuanImage21": Row("HunyuanImage21", HUNYUAN_IMAGE, (1, 64, 16, 16)),
    "HunyuanImage21Refiner": Row(
        "HunyuanImage21Refiner",
        HUNYUAN | {"in_channels": 128, "out_channels": 64, "vec_in_dim": None, "patch_size": [1, 1, 1]},
        (1, 64, 1, 16, 16),
        extra=_concat(32),
    ),
    "HunyuanVideo15": Row("HunyuanVideo15", HUNYUAN15, (1, 32, 3, 16, 16), extra=Fields.first_frame),
    "HunyuanVideo15_SR_Distilled": Row(
        "HunyuanVideo15_SR_Distilled", HUNYUAN15 | {"in_channels": 98}, (1, 32, 3, 16, 16), extra=_concat(66)
    ),
    "CosmosT2V": Row("CosmosT2V", COSMOS1, VIDEO),
    "CosmosI2V": Row(
        "CosmosI2V",
        COSMOS1 | {"in_channels": 17},
        VIDEO,
        extra=lambda f: {"concat_mask": f.mask(1, 1, f.frames)},
    ),
    "CosmosT2IPredict2": Row("CosmosT2IPredict2", COSMOS2, (1, 16, 1, 16, 16)),
    "CosmosI2VPredict2": Row(
        "CosmosI2VPredict2",
        COSMOS2 | {"in_channels": 17},
        VIDEO,
        extra=lambda f: {"concat_mask": f.mask(1, 1, f.frames)},
    ),
    "Anima": Row(
        "Anima",
        COSMOS2 | {"image_model": "anima", "crossattn_emb_channels": 1024},
        (1, 16, 1, 16, 16),
        text=(8, 1024),
    ),
    "Lumina2": Row("Lumina2", LUMINA2),
    "ZImage": Row("ZImage", Z_IMAGE),
    "PixelDiTT2I": Row("PixelDiTT2I", PIXELDIT, PIXELS, text=CAPTIONS),
    "PiD": Row(
        "PiD",
        PID,
        PIXELS,
        text=CAPTIONS,
        extra=lambda f: {"lq_latent": f.sequence(1, 16, 4, 4), "degrade_sigma": torch.tensor([0.1])},
    ),
    "WAN21_T2V": wan("WAN21_T2V", extra=lambda f: {"time_dim_concat": f.map(1, 16, 2)}),
    "WAN21_CausalAR_T2V": wan("WAN21_CausalAR_T2V", causal_ar=True),
    "WAN21_I2V": wan("WAN21_I2V", extra=Fields.first_frame, model_type="i2v", in_dim=36),
    "WAN21_FunControl2V": wan(
        "WAN21_FunControl2V",
        extra=lambda f: _concat(32)(f) | {"reference_latents": [f.map(1, 16, 1)]},
        model_type="i2v",
        in_dim=48,
        in_dim_ref_conv=16,
    ),
    "WAN21_Camera": wan("WAN21_Camera", extra=_camera, model_type="camera", in_dim=32),
    "WAN22_Camera": wan("WAN22_Camera", extra=_camera, model_type="camera_2.2", in_dim=36),
    "WAN21_Vace": wan("WAN21_Vace", extra=_vace, **VACE),
    "WAN21_HuMo": wan("WAN21_HuMo", extra=_humo, model_type="humo", in_dim=36, audio_token_num=16),
    "WAN22_S2V": wan(
        "WAN22_S2V",
        extra=_s2v,
        model_type="s2v",
        audio_dim=32,
        num_audio_token=2,
        cond_dim=16,
        audio_inject_layers=[0],
    ),
    "WAN22_Animate": wan("WAN22_Animate", extra=_animate, **ANIMATE),
    "WAN_Animate2": wan(
        "WAN_Animate2",
        extra=lambda f: f.first_frame() | {"pose_video_latent": f.map(1, 16, f.frames - 1)},
        model_type="animate2",
        in_dim=36,
    ),
    "WAN22_T2V": wan("WAN22_T2V", (1, 48, 3, 16, 16), in_dim=48, out_dim=48),
    "WAN21_FlowRVS": Row(
        "WAN21_FlowRVS", WAN | {"model_type": "flow_rvs"}, VIDEO, plain="neither a flow nor"
    ),
    "WAN21_SCAIL": wan("WAN21_SCAIL", extra=_scail, model_type="scail", in_dim=20),
    "WAN21_SCAIL2": wan("WAN21_SCAIL2", extra=_scail2, model_type="scail2", in_dim=20, mask_in_dim=28),
    "WAN22_WanDancer": wan(
        "WAN22_WanDancer",
        extra=lambda f: f.first_frame() | {"audio_embed": f.sequence(1, 9, 35), "fps": 30.0},
        **DANCER,
    ),
    "HiDream": Row(
        "HiDream",
        HIDREAM,
        text=CAPTIONS,
        pooled=POOLED_DIM,
        extra=lambda f: {"conditioning_llama3": f.sequence(1, 2, 8, 32)},
    ),
    "HiDreamO1": Row(
        "HiDreamO1", HIDREAM_O1, PIXELS, text=(9, 64), extra=lambda f: {"text_input_ids": O1_TEXT}
    ),
    "Chroma": Row("Chroma", CHROMA),
    "ChromaRadiance": Row("ChromaRadiance", RADIANCE, PIXELS),
    "SeedVR2": Row(
        "SeedVR2", SEEDVR, VIDEO, text=CAPTIONS, extra=lambda f: {"condition": f.map(1, 17, f.frames)}
    ),
    "Omnigen2": Row("Omnigen2", OMNIGEN, extra=lambda f: _references(f) | _masked_text(f)),
    "Boogu": Row("Boogu", BOOGU, extra=lambda f: _references(f) | _masked_text(f)),
    "Ideogram4": Row("Ideogram4", IDEOGRAM, FLUX2_IMAGE, text=(4, TEXT_DIM)),
    "Krea2": Row("Krea2", KREA2, (1, 16, 1, 16, 16), text=(32, TEXT_DIM), extra=_references),
    "MageFlow": Row("MageFlow", MAGE, FLUX2_IMAGE, text=CAPTIONS),
    "QwenImage": Row("QwenImage", QWEN, (1, 16, 1, 16, 16), text=(32, TEXT_DIM), extra=_references),
    "JoyImage": Row("JoyImage", JOY, (1, 16, 1, 16, 16), text=CAPTIONS, extra=_references),
    "Kandinsky5": Row(
        "Kandinsky5", KANDINSKY | {"visual_embed_dim": 132}, VIDEO, text=CAPTIONS, pooled=POOLED_DIM
    ),
    "Kandinsky5Image": Row("Kandinsky5Image", KANDINSKY, text=CAPTIONS, pooled=POOLED_DIM),
    "ErnieImage": Row("ErnieImage", ERNIE, FLUX2_IMAGE, text=CAPTIONS),
    "CogVideoX_T2V": Row("CogVideoX_T2V", COGVIDEO, VIDEO, text=CAPTIONS),
    "CogVideoX_I2V": Row(
        "CogVideoX_I2V", COGVIDEO | {"in_channels": 32}, VIDEO, text=CAPTIONS, extra=_concat(16)
    ),
    "CogVideoX_Inpaint": Row(
        "CogVideoX_Inpaint", COGVIDEO | {"in_channels": 48}, VIDEO, text=CAPTIONS, extra=_concat(16)
    ),
}
"""By the class in comfy.supported_models."""

NOT_BUILT: dict[str, str] = {
    "SD21UnclipL": "its noise augmentor is made for the full width of its image encoder",
    "SD21UnclipH": "its noise augmentor is made for the full width of its image encoder",
    "LTXAV": "its latent holds picture and sound: test_streams.py has it",
    "GenmoMochi": "its class takes the widths of the full model and no others",
    "MiniMaxH3": "its latent holds picture and sound: test_streams.py has it",
    "ZImagePixelSpace": "its class is NextDiT's with another last layer",
}
"""Picture and video classes that are not built here, and why."""

NO_PICTURES = {
    "StableAudio",
    "StableAudio3",
    "ACEStep",
    "ACEStep15",
    "MiniMaxMusic3",
    "Trellis2",
    "Hunyuan3Dv2",
    "Hunyuan3Dv2_1",
    "Hunyuan3Dv2mini",
    "TripoSplat",
    "RT_DETR_v4",
    "DepthAnything3",
    "SAM3",
    "SAM31",
}
"""Classes of sounds, solids and of what is seen in a picture."""
