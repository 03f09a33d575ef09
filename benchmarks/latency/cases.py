"""What is measured: models of the host's own classes with random weights, and what they are given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

DOUBLE_AND_SINGLE = {
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
    "qkv_bias": True,
    "guidance_embed": True,
}
FLUX = DOUBLE_AND_SINGLE | {
    "image_model": "flux",
    "theta": 10000,
    "patch_size": 2,
    "txt_ids_dims": [],
}
HUNYUAN_VIDEO = DOUBLE_AND_SINGLE | {
    "image_model": "hunyuan_video",
    "depth": 20,
    "depth_single_blocks": 40,
    "theta": 256,
    "patch_size": [1, 2, 2],
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
SMALL = {"hidden_size": 768, "num_heads": 12, "axes_dim": [8, 28, 28], "depth": 1, "depth_single_blocks": 3}
SMOKE = {"hidden_size": 64, "num_heads": 4, "axes_dim": [4, 6, 6], "depth": 1, "depth_single_blocks": 1}


@dataclass(frozen=True)
class Case:
    """One model and one size.

    config: its class in comfy.supported_models. width, height: of the picture in pixels. frames: numbers of
    video frames to try, the first that memory and time allow; (1,) for pictures. share: of the time.
    """

    name: str
    config: str
    unet: dict[str, Any] = field(hash=False)
    width: int
    height: int
    frames: tuple[int, ...] = (1,)
    text_tokens: int = 512
    steps: int = 20
    share: float = 1.0

    def latent_shape(self, frames: int) -> tuple[int, ...]:
        """(B, C, H, W), or (B, C, T, H, W) of a video."""
        depth = (1 + (frames - 1) // 4,) if self.unet["image_model"] == "hunyuan_video" else ()
        return (1, self.unet["in_channels"], *depth, self.height // 8, self.width // 8)


FLUX_1024 = Case("flux.1-dev", "Flux", FLUX, 1024, 1024, share=0.3)
ON_GPU = (
    FLUX_1024,
    replace(FLUX_1024, width=2048, height=2048, share=0.4),
    Case("hunyuan-video", "HunyuanVideo", HUNYUAN_VIDEO, 1280, 720, (129, 65, 33, 9), 256),
)
ON_CPU = (
    Case("FLUX layout, scaled down", "Flux", FLUX | SMALL, 512, 512, text_tokens=64, steps=10, share=0.5),
    Case(
        "HunyuanVideo layout, scaled down",
        "HunyuanVideo",
        HUNYUAN_VIDEO | SMALL,
        384,
        256,
        (9,),
        64,
        10,
    ),
)
IN_SMOKE = tuple(
    replace(case, unet=case.unet | SMOKE, width=128, height=128, frames=case.frames[-1:], steps=5)
    for case in ON_CPU
)
