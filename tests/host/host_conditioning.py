"""What the classes of host_models.py are sampled with: conditioning as nodes set it.

Maps of the canvas come from `Fields`: they are drawn at full size, and their block means taken at half, so
that a run at half size has what a coarse look should be given.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

# tiny boots the host, so it comes before what imports it
import tiny  # noqa: F401
import torch
from einops import rearrange, reduce


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

    def painted(self, *lead: int) -> torch.Tensor:
        """A disc, as users paint masks, eight times as fine as the canvas."""
        rows, columns = (
            torch.arange(8 * side) + 0.5 - 8 * side * at for side, at in zip(self.shape[-2:], (0.47, 0.52))
        )
        disc = rows[:, None].square() + columns.square() < (2.4 * self.shape[-2]) ** 2
        return self._at_level(disc.float().expand(*lead, *disc.shape).clone())

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
SIZES = {"width": 128, "height": 128}  # told to SDXL and its kin: those of the picture, whatever the look


def references(f: Fields) -> dict[str, Any]:
    return {"reference_latents": [f.map(1, *f.shape[1:-2])]}


def masked_text(f: Fields) -> dict[str, Any]:
    return {"attention_mask": torch.ones(1, 8, dtype=torch.int64)}


def unclip(width: int) -> Extra:
    """A picture to vary, as unCLIPConditioning sets it; width: of the image encoder."""

    def given(f: Fields) -> dict[str, Any]:
        seen = SimpleNamespace(image_embeds=f.sequence(1, 1, width))
        told = {"clip_vision_output": seen, "strength": 1.0, "noise_augmentation": 0.1}
        return {"unclip_conditioning": [told]}

    return given


def sized(f: Fields) -> dict[str, Any]:
    return dict(SIZES)


def svd(f: Fields) -> dict[str, Any]:
    settings = {"motion_bucket_id": 127, "fps": 6, "augmentation_level": 0.0}
    return {"concat_latent_image": f.map(1, 4), **settings}


def concat(channels: int) -> Extra:
    return lambda f: {"concat_latent_image": f.map(1, channels, *f.shape[2:-2])}


def vace(f: Fields) -> dict[str, Any]:
    return {
        "vace_frames": [f.map(1, 32, f.frames)],
        "vace_mask": [rearrange(f.painted(1, f.frames), "b t (h i) (w j) -> b (i j) t h w", i=8, j=8)],
        "vace_strength": [1.0],
    }


def camera(f: Fields) -> dict[str, Any]:
    return f.first_frame() | {"camera_conditions": f.map(1, 24, f.frames, times=8)}


def animate(f: Fields) -> dict[str, Any]:
    """Without a face, whose encoder has the size of the full model: test_conditions.py has one."""
    return f.first_frame() | {"pose_video_latent": f.map(1, 16, f.frames - 1)}


def scail(f: Fields) -> dict[str, Any]:
    return {"reference_latents": [f.map(1, 16, 1)], "pose_video_latent": f.map(1, 16, f.frames, times=0.5)}


def scail2(f: Fields) -> dict[str, Any]:
    masks = {
        "driving_mask_28ch": f.map(1, f.frames, 28, times=0.5),
        "ref_mask_28ch": f.map(1, f.frames + 1, 28),
    }
    return scail(f) | masks | {"ref_mask_flag": False}


def s2v(f: Fields) -> dict[str, Any]:
    return {
        "reference_latents": [f.map(1, 16, 1)],
        "control_video": f.map(1, 16, f.frames),
        "audio_embed": f.sequence(1, 25, 32, 12),
    }


def humo(f: Fields) -> dict[str, Any]:
    return {"audio_embed": f.sequence(1, f.frames, 8, 5, 1280), "reference_latents": [f.map(1, 16, 1)]}


def hydit(f: Fields) -> dict[str, Any]:
    masks = {"attention_mask": torch.ones(1, 8), "attention_mask_mt5xl": torch.ones(1, 6)}
    return masks | {"conditioning_mt5xl": f.sequence(1, 6, 24)} | SIZES
