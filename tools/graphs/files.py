"""Published model files that the example graphs name."""

from __future__ import annotations

from .builder import File

HUB = "https://huggingface.co"


def _split(name: str, repository: str, directory: str) -> File:
    """A file of one of Comfy-Org's repositories, which keep parts in folders as the host does."""
    return File(name, f"{HUB}/Comfy-Org/{repository}/resolve/main/split_files/{directory}/{name}", directory)


_ENCODERS = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"
Z_IMAGE = _split("z_image_turbo_bf16.safetensors", "z_image_turbo", "diffusion_models")
QWEN_4B = _split("qwen_3_4b.safetensors", "z_image_turbo", "text_encoders")
FLUX_VAE = _split("ae.safetensors", "Lumina_Image_2.0_Repackaged", "vae")
KLEIN = _split("flux-2-klein-4b.safetensors", "flux2-klein", "diffusion_models")
KLEIN_VAE = _split("flux2-vae.safetensors", "flux2-dev", "vae")
WAN_HIGH = _split(
    "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", "Wan_2.2_ComfyUI_Repackaged", "diffusion_models"
)
WAN_LOW = _split(
    "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors", "Wan_2.2_ComfyUI_Repackaged", "diffusion_models"
)
WAN_VAE = _split("wan_2.1_vae.safetensors", "Wan_2.2_ComfyUI_Repackaged", "vae")
UMT5 = _split("umt5_xxl_fp8_e4m3fn_scaled.safetensors", "Wan_2.1_ComfyUI_repackaged", "text_encoders")
QWEN_EDIT = _split(
    "qwen_image_edit_2509_fp8_e4m3fn.safetensors", "Qwen-Image-Edit_ComfyUI", "diffusion_models"
)
QWEN_VL = _split("qwen_2.5_vl_7b_fp8_scaled.safetensors", "Qwen-Image_ComfyUI", "text_encoders")
QWEN_VAE = _split("qwen_image_vae.safetensors", "Qwen-Image_ComfyUI", "vae")
_LIGHTNING = "Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors"
QWEN_LIGHTNING = File(
    _LIGHTNING,
    f"{HUB}/lightx2v/Qwen-Image-Lightning/resolve/main/Qwen-Image-Edit-2509/{_LIGHTNING}",
    "loras",
)
FLUX_DEV = File(
    "flux1-dev.safetensors",
    f"{HUB}/Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors",
    "diffusion_models",
)
FLUX_FILL = _split("flux1-fill-dev.safetensors", "flux1-dev", "diffusion_models")
FLUX_DEPTH_LORA = _split("flux1-depth-dev-lora.safetensors", "flux1-dev", "loras")
CLIP_L = File("clip_l.safetensors", f"{_ENCODERS}/clip_l.safetensors", "text_encoders")
T5 = File("t5xxl_fp16.safetensors", f"{_ENCODERS}/t5xxl_fp16.safetensors", "text_encoders")
FLUX_CANNY = File(
    "flux-canny-controlnet-v3.safetensors",
    f"{HUB}/XLabs-AI/flux-controlnet-canny-v3/resolve/main/flux-canny-controlnet-v3.safetensors",
    "controlnet",
)
FLUX_ART_LORA = File(
    "art_lora_comfy_converted.safetensors",
    f"{HUB}/XLabs-AI/flux-lora-collection/resolve/main/art_lora_comfy_converted.safetensors",
    "loras",
)


def _krea(name: str, directory: str) -> File:
    return File(name, f"{HUB}/Comfy-Org/Krea-2/resolve/main/{directory}/{name}", directory)


KREA2 = _krea("krea2_turbo_fp8_scaled.safetensors", "diffusion_models")
QWEN_3_VL_4B = _krea("qwen3vl_4b_fp8_scaled.safetensors", "text_encoders")
KREA2_VAE = _krea("qwen_image_vae.safetensors", "vae")
_LTX = "ltx-2.3-22b-distilled-fp8.safetensors"
LTX = File(_LTX, f"{HUB}/Lightricks/LTX-2.3-fp8/resolve/main/{_LTX}", "checkpoints")
GEMMA = _split("gemma_3_12B_it_fp4_mixed.safetensors", "ltx-2", "text_encoders")
