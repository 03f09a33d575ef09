"""Every picture and video class of the host in miniature: what it is built of, and what it is sampled with.

A row tells the class in comfy.supported_models, a small `unet_config`, the latent's shape, the text, and the
conditioning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# tiny boots the host, so it comes before what imports it
import tiny  # noqa: F401
import torch
from host_conditioning import (
    Extra,
    Fields,
    animate,
    camera,
    concat,
    humo,
    hydit,
    masked_text,
    references,
    s2v,
    scail,
    scail2,
    sized,
    svd,
    unclip,
    vace,
)
from host_configs import (
    ANIMATE,
    AURA,
    BOOGU,
    CASCADE_B,
    CASCADE_C,
    COGVIDEO,
    COSMOS1,
    COSMOS2,
    DANCER,
    ERNIE,
    HIDREAM,
    HIDREAM_O1,
    HYDIT,
    IDEOGRAM,
    JOY,
    KANDINSKY,
    LENS,
    LTX,
    MAGE,
    MOCHI,
    OMNIGEN,
    PID,
    PIXART,
    PIXELDIT,
    RADIANCE,
    SEEDVR,
    SVD,
    UNCLIP,
    UPSCALER,
    VACE,
    Z_IMAGE_PIXELS,
)
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


LARGE = (1, 4, 128, 128)  # PixArt rounds the middle of its sides to 64 latent pixels
SD_IMAGE, SDXL_IMAGE, FLUX2_IMAGE = (1, 4, 16, 16), (1, 4, 16, 16), (1, 128, 16, 16)
O1_TEXT = torch.tensor([[151644, 872, 198, 100, 101, 102, 151645, 198, 151673]])


ROWS: dict[str, Row] = {
    "SD15": Row("SD15", UNET, SD_IMAGE),
    "SD20": Row("SD20", UNET, SD_IMAGE),
    "SD21UnclipL": Row("SD21UnclipL", UNCLIP | {"adm_in_channels": 1536}, SD_IMAGE, extra=unclip(768)),
    "SD21UnclipH": Row("SD21UnclipH", UNCLIP | {"adm_in_channels": 2048}, SD_IMAGE, extra=unclip(1024)),
    "SDXL": Row("SDXL", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=sized),
    "SSD1B": Row("SSD1B", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=sized),
    "Segmind_Vega": Row("Segmind_Vega", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=sized),
    "KOALA_700M": Row("KOALA_700M", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=sized),
    "KOALA_1B": Row("KOALA_1B", SDXL, SDXL_IMAGE, pooled=POOLED_DIM, extra=sized),
    "SDXLRefiner": Row(
        "SDXLRefiner",
        SDXL | {"adm_in_channels": POOLED_DIM + 5 * 256},
        SDXL_IMAGE,
        pooled=POOLED_DIM,
        extra=sized,
    ),
    "SVD_img2vid": Row("SVD_img2vid", SVD, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=svd),
    "SV3D_u": Row("SV3D_u", SVD | {"adm_in_channels": 256}, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=svd),
    "SV3D_p": Row("SV3D_p", SVD | {"adm_in_channels": 1280}, (3, 4, 16, 16), text=(1, TEXT_DIM), extra=svd),
    "Stable_Zero123": Row(
        "Stable_Zero123",
        UNET | {"in_channels": 8, "context_dim": 768},
        SD_IMAGE,
        text=(1, 768),
        extra=concat(4),
        get={"cc_projection.weight": torch.eye(768, 772), "cc_projection.bias": torch.zeros(768)},
    ),
    "SD_X4Upscaler": Row(
        "SD_X4Upscaler",
        UPSCALER,
        (1, 4, 32, 32),
        extra=lambda f: {"concat_image": f.map(1, 3)},
    ),
    "SD15_instructpix2pix": Row("SD15_instructpix2pix", UNET | {"in_channels": 8}, SD_IMAGE, extra=concat(4)),
    "SDXL_instructpix2pix": Row(
        "SDXL_instructpix2pix",
        SDXL | {"in_channels": 8},
        SDXL_IMAGE,
        pooled=POOLED_DIM,
        extra=lambda f: sized(f) | concat(4)(f),
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
    "HunyuanDiT": Row("HunyuanDiT", HYDIT | {"image_model": "hydit"}, SD_IMAGE, extra=hydit),
    "HunyuanDiT1": Row(
        "HunyuanDiT1",
        HYDIT | {"image_model": "hydit1", "size_cond": True, "use_style_cond": True},
        SD_IMAGE,
        extra=hydit,
    ),
    "Flux": Row("Flux", FLUX, pooled=POOLED_DIM, extra=references),
    "FluxInpaint": Row(
        "FluxInpaint",
        FLUX | {"in_channels": 96},
        pooled=POOLED_DIM,
        extra=lambda f: concat(16)(f) | {"concat_mask": f.painted(1, 1)},
    ),
    "FluxSchnell": Row("FluxSchnell", FLUX | {"guidance_embed": False}, pooled=POOLED_DIM),
    "LongCatImage": Row(
        "LongCatImage", FLUX | {"guidance_embed": False, "vec_in_dim": None, "txt_ids_dims": [1, 2]}
    ),
    "Flux2": Row("Flux2", FLUX2, FLUX2_IMAGE, extra=references),
    "Lens": Row("Lens", LENS, FLUX2_IMAGE, text=(8, 4 * 32)),
    "LTXV": Row(
        "LTXV", LTX, (1, 128, 3, 16, 16), text=CAPTIONS, extra=lambda f: {"frame_rate": 25} | masked_text(f)
    ),
    "HunyuanVideo": Row("HunyuanVideo", HUNYUAN, VIDEO, pooled=POOLED_DIM),
    "HunyuanVideoI2V": Row(
        "HunyuanVideoI2V", HUNYUAN | {"in_channels": 33}, VIDEO, pooled=POOLED_DIM, extra=Fields.first_frame
    ),
    "HunyuanVideoSkyreelsI2V": Row(
        "HunyuanVideoSkyreelsI2V", HUNYUAN | {"in_channels": 32}, VIDEO, pooled=POOLED_DIM, extra=concat(16)
    ),
    "HunyuanImage21": Row("HunyuanImage21", HUNYUAN_IMAGE, (1, 64, 16, 16)),
    "HunyuanImage21Refiner": Row(
        "HunyuanImage21Refiner",
        HUNYUAN | {"in_channels": 128, "out_channels": 64, "vec_in_dim": None, "patch_size": [1, 1, 1]},
        (1, 64, 1, 16, 16),
        extra=concat(32),
    ),
    "HunyuanVideo15": Row("HunyuanVideo15", HUNYUAN15, (1, 32, 3, 16, 16), extra=Fields.first_frame),
    "HunyuanVideo15_SR_Distilled": Row(
        "HunyuanVideo15_SR_Distilled", HUNYUAN15 | {"in_channels": 98}, (1, 32, 3, 16, 16), extra=concat(66)
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
    "ZImagePixelSpace": Row("ZImagePixelSpace", Z_IMAGE_PIXELS, PIXELS),
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
        extra=lambda f: concat(32)(f) | {"reference_latents": [f.map(1, 16, 1)]},
        model_type="i2v",
        in_dim=48,
        in_dim_ref_conv=16,
    ),
    "WAN21_Camera": wan("WAN21_Camera", extra=camera, model_type="camera", in_dim=32),
    "WAN22_Camera": wan("WAN22_Camera", extra=camera, model_type="camera_2.2", in_dim=36),
    "WAN21_Vace": wan("WAN21_Vace", extra=vace, **VACE),
    "WAN21_HuMo": wan("WAN21_HuMo", extra=humo, model_type="humo", in_dim=36, audio_token_num=16),
    "WAN22_S2V": wan(
        "WAN22_S2V",
        extra=s2v,
        model_type="s2v",
        audio_dim=32,
        num_audio_token=2,
        cond_dim=16,
        audio_inject_layers=[0],
    ),
    "WAN22_Animate": wan("WAN22_Animate", extra=animate, **ANIMATE),
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
    "WAN21_SCAIL": wan("WAN21_SCAIL", extra=scail, model_type="scail", in_dim=20),
    "WAN21_SCAIL2": wan("WAN21_SCAIL2", extra=scail2, model_type="scail2", in_dim=20, mask_in_dim=28),
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
    "Omnigen2": Row("Omnigen2", OMNIGEN, extra=lambda f: references(f) | masked_text(f)),
    "Boogu": Row("Boogu", BOOGU, extra=lambda f: references(f) | masked_text(f)),
    "Ideogram4": Row("Ideogram4", IDEOGRAM, FLUX2_IMAGE, text=(4, TEXT_DIM)),
    "GenmoMochi": Row("GenmoMochi", MOCHI, (1, 12, 3, 16, 16), text=CAPTIONS, extra=masked_text),
    "Krea2": Row("Krea2", KREA2, (1, 16, 1, 16, 16), text=(32, TEXT_DIM), extra=references),
    "MageFlow": Row("MageFlow", MAGE, FLUX2_IMAGE, text=CAPTIONS),
    "QwenImage": Row("QwenImage", QWEN, (1, 16, 1, 16, 16), text=(32, TEXT_DIM), extra=references),
    "JoyImage": Row("JoyImage", JOY, (1, 16, 1, 16, 16), text=CAPTIONS, extra=references),
    "Kandinsky5": Row(
        "Kandinsky5", KANDINSKY | {"visual_embed_dim": 132}, VIDEO, text=CAPTIONS, pooled=POOLED_DIM
    ),
    "Kandinsky5Image": Row("Kandinsky5Image", KANDINSKY, text=CAPTIONS, pooled=POOLED_DIM),
    "ErnieImage": Row("ErnieImage", ERNIE, FLUX2_IMAGE, text=CAPTIONS),
    "CogVideoX_T2V": Row("CogVideoX_T2V", COGVIDEO, VIDEO, text=CAPTIONS),
    "CogVideoX_I2V": Row(
        "CogVideoX_I2V", COGVIDEO | {"in_channels": 32}, VIDEO, text=CAPTIONS, extra=concat(16)
    ),
    "CogVideoX_Inpaint": Row(
        "CogVideoX_Inpaint", COGVIDEO | {"in_channels": 48}, VIDEO, text=CAPTIONS, extra=concat(16)
    ),
}
"""By the class in comfy.supported_models."""

NOT_BUILT: dict[str, str] = {
    "LTXAV": "its latent holds picture and sound: test_streams.py has it",
    "MiniMaxH3": "its latent holds picture and sound: test_streams.py has it",
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
