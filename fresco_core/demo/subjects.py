"""What the demo can draw with: the trained model for a prompt, the closed-form landscapes without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..canvas import Canvas
from ..focus import KeyValues
from ..layout import Layout
from ..look import Denoiser
from ..mixed import MixedDenoiser
from ..received import ReceivedAttention
from ..trace import Evaluation
from .frescoes import PATCH, SIDE, frescoes
from .transformer import PATCH as TRAINED_PATCH
from .transformer import DemoTransformer
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
    denoise: Denoiser | MixedDenoiser
    picture: Callable[[Tensor], Tensor]
    """canvas (1, channels, H, W) -> picture (3, height, width) in [-1, 1]."""
    step_flops: Callable[[Evaluation], int] | None = None
    """FLOPs of an evaluation, for transformers."""


@dataclass(frozen=True)
class PromptedDenoiser:
    """The demo transformer on prompts: context (N, T, size) and pooled (N, size), N the batch or 1.

    frame: positions of mixed sequences, one of `attention.FRAMES`. received: where evaluations write what
    received attention, if anywhere.
    """

    transformer: DemoTransformer
    context: Tensor
    pooled: Tensor
    frame: str = "aligned"
    received: ReceivedAttention | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Clean prediction of latents x (B, 16, H, W) at sigma (B,)."""
        return _clean(x, sigma, self.transformer(x, sigma, *self._prompts(len(x)), received=self.received))

    def mixed(
        self, x: Tensor, sigma: Tensor, state: Tensor, state_sigma: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """As `MixedDenoiser.mixed`."""
        fine, coarse = self.transformer.mixed(
            x, sigma, state, state_sigma, layout, *self._prompts(len(x)), self.frame, self.received
        )
        return _clean(x, sigma, fine), _clean(state, state_sigma, coarse)

    def focus(self, x: Tensor, sigma: Tensor, layout: Layout, memory: KeyValues) -> Tensor:
        """As `FocusDenoiser.focus`."""
        return _clean(x, sigma, self.transformer.focus(x, sigma, layout, memory, *self._prompts(len(x))))

    def watched(self, received: ReceivedAttention) -> PromptedDenoiser:
        """As `AttentiveDenoiser.watched`."""
        return replace(self, received=received)

    def _prompts(self, batch: int) -> tuple[Tensor, Tensor]:
        return self.context.expand(batch, -1, -1), self.pooled.expand(batch, -1)


def _clean(x: Tensor, sigma: Tensor, velocity: Tensor) -> Tensor:
    return x - sigma.reshape(-1, 1, 1, 1) * velocity


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
    denoise = PromptedDenoiser(model.transformer, *model.prompt.encode([prompt]))

    @torch.no_grad()
    def picture(canvas: Tensor) -> Tensor:
        return model.autoencoder.decode(canvas)[0].clamp(0.0, 1.0) * 2.0 - 1.0

    canvas = Canvas(TRAINED_SIDE, TRAINED_SIDE, patch=TRAINED_PATCH)
    architecture = model.transformer.shape.architecture()

    def step_flops(evaluation: Evaluation) -> int:
        kept = 0 if evaluation.level else canvas.tokens(0) - evaluation.tokens
        text = denoise.context.shape[1]
        return architecture.step_flops(evaluation.tokens, text_tokens=text, kept_tokens=kept)

    words = f"the trained demo model, '{prompt}'"
    return Subject(words, canvas, LATENT_CHANNELS, 2, denoise, picture, step_flops)
