"""The demo's autoencoder, in the layout and key names of the host's tiny autoencoders (comfy/taesd/taesd.py).

The host knows one width only, 64 channels. Training may use fewer channels and fewer blocks per level;
`to_layout` then fills the rest with zeros, which computes the same function: a block with zero weights is a
ReLU, and a ReLU does not change what is already behind one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LATENT_CHANNELS = 16
DOWNSCALE = 8
HOST_SCALE, HOST_SHIFT = 0.3611, 0.1159
"""Of the host's FLUX latent format: it hands the model (z - shift) * scale. Stored with the weights, they
cancel, so that what the encoder writes is what the transformer reads."""


@dataclass(frozen=True)
class AutoencoderShape:
    """Channels and active blocks per level, from full resolution down to one eighth; the defaults are the
    host's."""

    encoder_widths: tuple[int, int, int, int] = (64, 64, 64, 64)
    encoder_blocks: tuple[int, int, int, int] = (1, 3, 3, 3)
    decoder_widths: tuple[int, int, int, int] = (64, 64, 64, 64)
    decoder_blocks: tuple[int, int, int, int] = (1, 3, 3, 3)

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> AutoencoderShape:
        """The shape that does the work in weights of the host's layout: what is not filled with zeros."""

        def sizes(half: str, inputs: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
            widths, blocks = [], []
            for conv, total in zip(inputs, (1, 3, 3, 3), strict=True):
                used = weights[f"{half}.{conv}.weight"].flatten(1).abs().amax(1).nonzero()
                widths.append(int(used.max()) + 1)
                first = conv + (2 if (half, conv) == DECODER_START else 1)
                kernels = (weights[f"{half}.{first + i}.conv.0.weight"] for i in range(total))
                blocks.append(sum(bool(kernel.any()) for kernel in kernels))
            return tuple(widths), tuple(blocks)

        encoder = sizes("taesd_encoder", (0, 2, 6, 10))
        decoder = sizes("taesd_decoder", (17, 12, 7, 1))
        return cls(*encoder, *decoder)  # type: ignore[arg-type]


DECODER_START = ("taesd_decoder", 1)
"""The one convolution that an activation of its own follows."""


class Clamp(nn.Module):
    """Soft limit to (-3, 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three 3 x 3 convolutions and a skip."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same."""
        return torch.relu(self.conv(x) + x)


def _level(width: int, active: int, total: int) -> list[nn.Module]:
    return [Block(width) if i < active else nn.ReLU() for i in range(total)]


def _encoder(shape: AutoencoderShape) -> nn.Sequential:
    (w0, w1, w2, w3), (b0, b1, b2, b3) = shape.encoder_widths, shape.encoder_blocks
    return nn.Sequential(
        nn.Conv2d(3, w0, 3, padding=1),
        *_level(w0, b0, 1),
        nn.Conv2d(w0, w1, 3, padding=1, stride=2, bias=False),
        *_level(w1, b1, 3),
        nn.Conv2d(w1, w2, 3, padding=1, stride=2, bias=False),
        *_level(w2, b2, 3),
        nn.Conv2d(w2, w3, 3, padding=1, stride=2, bias=False),
        *_level(w3, b3, 3),
        nn.Conv2d(w3, LATENT_CHANNELS, 3, padding=1),
    )


def _decoder(shape: AutoencoderShape) -> nn.Sequential:
    (w0, w1, w2, w3), (b0, b1, b2, b3) = shape.decoder_widths, shape.decoder_blocks
    return nn.Sequential(
        Clamp(),
        nn.Conv2d(LATENT_CHANNELS, w3, 3, padding=1),
        nn.ReLU(),
        *_level(w3, b3, 3),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(w3, w2, 3, padding=1, bias=False),
        *_level(w2, b2, 3),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(w2, w1, 3, padding=1, bias=False),
        *_level(w1, b1, 3),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(w1, w0, 3, padding=1, bias=False),
        *_level(w0, b0, 1),
        nn.Conv2d(w0, 3, 3, padding=1),
    )


class TinyAutoencoder(nn.Module):
    """Images to 16-channel latents of about unit variance at 1/8 scale, and back."""

    def __init__(self, shape: AutoencoderShape | None = None):
        super().__init__()
        self.shape = shape or AutoencoderShape()
        self.taesd_encoder = _encoder(self.shape)
        self.taesd_decoder = _decoder(self.shape)

    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], sides multiples of 8, to latents (B, 16, H/8, W/8)."""
        return self.taesd_encoder(images)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, 16, h, w) to images (B, 3, 8h, 8w), about [0, 1], not clamped."""
        return self.taesd_decoder(latents)

    def to_layout(self) -> dict[str, Tensor]:
        """The weights in the host's shapes, with its scale and shift: a file of these loads with the stock
        Load VAE."""
        with torch.device("meta"):
            wanted = TinyAutoencoder().state_dict()
        own = self.state_dict()
        out = {}
        for key, like in wanted.items():
            full = torch.zeros(like.shape)
            if key in own:
                full[tuple(slice(0, n) for n in own[key].shape)] = own[key].float().cpu()
            out[key] = full
        out["vae_scale"], out["vae_shift"] = torch.tensor(HOST_SCALE), torch.tensor(HOST_SHIFT)
        return out

    @classmethod
    def from_layout(cls, weights: Mapping[str, Tensor]) -> TinyAutoencoder:
        """The model that `to_layout` wrote, in float32 and of its own shape: the zeros cost no time."""
        model = cls(AutoencoderShape.of(weights))
        own = {key: weights[key][tuple(map(slice, like.shape))] for key, like in model.state_dict().items()}
        model.load_state_dict({key: value.float() for key, value in own.items()})
        return model


@dataclass(frozen=True)
class PictureCodec:
    """A TinyAutoencoder as bridge.Autoencoder."""

    model: TinyAutoencoder
    scale: int = DOWNSCALE

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 16, h, w) to pictures (B, 3, 8h, 8w) in [0, 1]."""
        return self.model.decode(latent).clamp(0.0, 1.0)

    def encode(self, pixels: Tensor) -> Tensor:
        """Inverse of `decode`, about."""
        return self.model.encode(pixels.clamp(0.0, 1.0))
