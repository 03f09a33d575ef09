"""What the demo can draw with: the trained model for a prompt, the closed-form landscapes without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..look import Denoiser
from ..plan import Canvas
from .frescoes import PATCH, SIDE, frescoes
from .transformer import PATCH as TRAINED_PATCH
from .weights import load_demo

TRAINED_SIDE = 24  # latent pixels: 192 x 192 pictures
LATENT_CHANNELS = 16


@dataclass(frozen=True)
class Subject:
    """A model to draw with: the canvas, its channels, its denoiser, and how a canvas becomes a picture."""

    words: str
    canvas: Canvas
    channels: int
    block_level: int
    denoise: Denoiser
    picture: Callable[[Tensor], Tensor]
    """canvas (1, channels, H, W) -> picture (3, height, width) in [-1, 1]."""
    step_flops: Callable[[int], int] | None = None
    """FLOPs of an evaluation of so many image tokens, for transformers."""


def landscapes() -> Subject:
    """The exact denoiser of a known process: no weights needed."""
    model = frescoes()
    return Subject(
        "closed form, the exact denoiser of 8 painted landscapes under plaster texture",
        Canvas(SIDE, SIDE, patch=PATCH),
        3,
        4,
        model.denoise,
        lambda canvas: canvas[0],
    )


def trained(prompt: str) -> Subject:
    """The trained model on a prompt of its grammar.

    Raises SceneError, which names the nearest words, for a prompt that it cannot read, and FileNotFoundError
    where the weights are missing.
    """
    model = load_demo()
    context, pooled = model.prompt.encode([prompt])

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        size = x.shape[0]
        velocity = model.transformer(x, sigma, context.expand(size, -1, -1), pooled.expand(size, -1))
        return x - sigma.reshape(-1, 1, 1, 1) * velocity

    @torch.no_grad()
    def picture(canvas: Tensor) -> Tensor:
        return model.autoencoder.decode(canvas)[0].clamp(0.0, 1.0) * 2.0 - 1.0

    canvas = Canvas(TRAINED_SIDE, TRAINED_SIDE, patch=TRAINED_PATCH)
    architecture = model.transformer.shape.architecture()

    def step_flops(tokens: int) -> int:
        return architecture.step_flops(tokens, text_tokens=context.shape[1])

    words = f"the trained demo model, '{prompt}'"
    return Subject(words, canvas, LATENT_CHANNELS, 2, denoise, picture, step_flops)
