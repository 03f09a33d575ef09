"""Model classes that nobody has seen: invented networks behind the host's own BaseModel."""

from __future__ import annotations

from typing import Any

# tiny boots the host, so it comes before comfy
import tiny
import torch

# isort: split
import comfy.latent_formats
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models_base
from torch import Tensor, nn

WIDTH = 32


class Strange(nn.Module):
    """A transformer over patches of `side`, with names and a signature of its own. It pads nothing."""

    def __init__(self, side=2, channels=4, dtype=None, device=None, operations=None, **_: Any):
        super().__init__()
        self.dtype, self.side = dtype, side
        if side != 1:
            self.patch_size = side
        self.inlet = nn.Conv2d(channels, WIDTH, side, side, device=device)
        self.attend = nn.MultiheadAttention(WIDTH, 2, batch_first=True, device=device)
        self.listen = nn.MultiheadAttention(WIDTH, 2, batch_first=True, device=device)
        self.outlet = nn.ConvTranspose2d(WIDTH, channels, side, side, device=device)

    def forward(self, picture, moment, *, context, transformer_options, **rest):
        if any(side % self.side for side in picture.shape[-2:]):
            raise ValueError(f"{tuple(picture.shape)} is not made of patches of {self.side}")
        seen = self.inlet(picture)
        rows = torch.linspace(-1, 1, seen.shape[-2]).view(-1, 1)
        columns = torch.linspace(-1, 1, seen.shape[-1]).view(1, -1)
        seen = seen + rows * columns + moment.view(-1, 1, 1, 1) / 1000
        tokens = seen.flatten(2).transpose(1, 2)
        tokens = tokens + self.attend(tokens, tokens, tokens, need_weights=False)[0]
        words = context[..., :WIDTH]
        tokens = tokens + self.listen(tokens, words, words, need_weights=False)[0]
        return self.outlet(tokens.transpose(1, 2).view_as(seen))


class Prefixed(Strange):
    """As Qwen-Image 2.1 is described: a latent pixel of 1/16 to a token, and a prefix of the text, drawn for
    the picture's size, that is kept from call to call by prompt and size."""

    def __init__(self, side=1, channels=64, **given: Any):
        super().__init__(side, channels, **given)
        self.kept: dict[tuple, Tensor] = {}

    def forward(self, picture, moment, *, context, transformer_options, **rest):
        height, width = picture.shape[-2:]
        key = (float(context.sum()), height, width)
        if key not in self.kept:
            places = torch.linspace(0, 1, context.shape[1]).view(1, -1, 1)
            self.kept[key] = context + places * (height + 2 * width) / 1000
        told = self.kept[key]
        return super().forward(picture, moment, context=told, transformer_options=transformer_options)


class Spatial(nn.Module):
    """A network without a word on its patches, that takes its arguments as they come."""

    def __init__(self, channels=4, dtype=None, device=None, operations=None, **_: Any):
        super().__init__()
        self.dtype = dtype
        self.layer = nn.Conv2d(channels, channels, 3, padding=1, device=device)

    def forward(self, *args, **kwargs):
        return self.layer(args[0]) + args[1].view(-1, 1, 1, 1) / 1000 + kwargs["context"].mean()


def stranger(
    network: type[nn.Module], scale: int, channels: int, side_pixels: int = 1024, **sizes: Any
) -> tiny.Tiny:
    """A flow model around `network`, for pictures of `side_pixels` with `scale` pixels to a latent pixel."""

    class Form(comfy.latent_formats.LatentFormat):
        latent_channels = channels
        spacial_downscale_ratio = scale

    class Config(comfy.supported_models_base.BASE):
        unet_config = {}
        sampling_settings = {"shift": 1.0}
        latent_format = Form

    config = Config({"channels": channels, **sizes})
    config.set_inference_dtype(torch.float32, None)
    kind = comfy.model_base.ModelType.FLOW
    model = comfy.model_base.BaseModel(config, kind, device=torch.device("cpu"), unet_model=network)
    tiny.fill(model.diffusion_model, 0)
    cpu = torch.device("cpu")
    patcher = comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)
    side = side_pixels // scale
    found = tiny.Tiny(network.__name__, patcher, {"samples": torch.zeros(1, channels, side, side)}, 1)
    text = torch.randn(2, 1, 8, WIDTH, generator=torch.Generator().manual_seed(1))
    found.positive, found.negative = ([[part, {"pooled_output": None}]] for part in text)
    return found


def half_run(model: tiny.Tiny, sigmas: Tensor, noise: Tensor) -> list[Tensor]:
    """Predictions of the host's own run at half size over `sigmas`."""
    seen: list[Tensor] = []
    tiny.sample(
        model.patcher,
        model,
        latent=torch.zeros_like(noise),
        sigmas=sigmas,
        noise=noise,
        callback=lambda step, x0, x, total: seen.append(x0.clone()),
    )
    return seen
