"""What the demo can draw with: the trained model for a prompt, the closed-form landscapes without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..canvas.size import Canvas
from ..look.dense import Denoiser
from ..look.mixed import MixedDenoiser
from ..look.token_layout import Layout
from ..trace import Evaluation
from .autoencoder import DOWNSCALE, LATENT_CHANNELS
from .frescoes import PATCH, SIDE, frescoes
from .transformer import PATCH as TRAINED_PATCH
from .transformer import DemoTransformer
from .weights import FOLDER, DemoWeights, load_demo

GUIDANCE = 2.5
"""With which the trained model draws its best pictures: `python -m benchmarks.quality --suite guidance`."""
PROMPT = "a big penguin left, a big house right, on blue waves"
"""Of the demo and the example graphs: what it says the model for detailed prompts draws well."""
SHIFT = 2.0
"""Of the trained model's sigmas: few plain steps come closest to many with it."""


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
    shift: float = 1.0
    """Of the sigmas, see `sampling.flow_sigmas`."""


@dataclass(frozen=True)
class PromptedDenoiser:
    """The demo transformer on prompts: context (N, T, size) and pooled (N, size), N the batch or 1.

    guidance: of classifier-free guidance (arXiv 2207.12598), away from `empty`, the empty prompt's context
    and pooled vector; both are evaluated in one batch unless it is 1.
    """

    transformer: DemoTransformer
    context: Tensor
    pooled: Tensor
    guidance: float = 1.0
    empty: tuple[Tensor, Tensor] | None = None
    own_clock: bool = True

    def __post_init__(self) -> None:
        if self.guided and self.empty is None:
            raise ValueError(
                f"guidance {self.guidance:g} needs the empty prompt; give `empty`, or guidance 1"
            )

    @classmethod
    def of(cls, model: DemoWeights, ids: Tensor, guidance: float) -> PromptedDenoiser:
        """The trained model on prompts given as ids (N, ID_COLUMNS)."""
        context, pooled = model.prompt(ids)
        empty = model.prompt(torch.zeros_like(ids[:1]))
        return cls(model.transformer, context, pooled, guidance=guidance, empty=empty)

    @property
    def guided(self) -> bool:
        """Whether every evaluation is made with and without the prompt."""
        return self.guidance != 1.0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Clean prediction of latents x (B, 16, H, W) at sigma (B,)."""
        context, pooled = self._prompts(len(x))
        velocity = self.transformer(self._twice(x), self._twice(sigma), context, pooled)
        return _clean(x, sigma, self._guide(velocity))

    def mixed(
        self, x: Tensor, sigma: Tensor, state: Tensor, state_sigma: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """As `MixedDenoiser.mixed`."""
        context, pooled = self._prompts(len(x))
        fine, coarse = self.transformer.mixed(
            self._twice(x),
            self._twice(sigma),
            self._twice(state),
            self._twice(state_sigma),
            layout.for_batch(len(context)),
            context,
            pooled,
        )
        return _clean(x, sigma, self._guide(fine)), _clean(state, state_sigma, self._guide(coarse))

    def _prompts(self, batch: int) -> tuple[Tensor, Tensor]:
        both = [(self.context, self.pooled)] + ([self.empty] if self.guided and self.empty else [])
        contexts, pooled = zip(*both)
        return (
            torch.cat([context.expand(batch, -1, -1) for context in contexts]),
            torch.cat([one.expand(batch, -1) for one in pooled]),
        )

    def _twice(self, value: Tensor) -> Tensor:
        return torch.cat((value, value)) if self.guided else value

    def _guide(self, velocity: Tensor) -> Tensor:
        """Of prompted and unprompted halves of a batch (2B, ...) the guided one (B, ...)."""
        if not self.guided:
            return velocity
        prompted, unprompted = velocity.chunk(2)
        return unprompted.lerp(prompted, self.guidance)


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


def trained(prompt: str, folder: Path = FOLDER) -> Subject:
    """A trained model, of FOLDERS or of any other folder of weights, on a prompt of its grammar.

    Raises SceneError, which names the nearest words, for a prompt that it cannot read, and FileNotFoundError
    where the weights are missing.
    """
    model = load_demo(folder)
    denoise = PromptedDenoiser(
        model.transformer,
        *model.prompt.encode([prompt]),
        guidance=GUIDANCE,
        empty=model.prompt.encode([""]),
    )

    @torch.no_grad()
    def picture(canvas: Tensor) -> Tensor:
        return model.autoencoder.decode(canvas)[0].clamp(0.0, 1.0) * 2.0 - 1.0

    side = model.vocabulary.picture_side // DOWNSCALE
    least = model.vocabulary.smallest_side // DOWNSCALE
    canvas = Canvas(side, side, patch=TRAINED_PATCH, trained=(least**2, None))
    architecture = model.transformer.shape.architecture()

    def step_flops(evaluation: Evaluation) -> int:
        return architecture.step_flops(evaluation.tokens, batch=2, text_tokens=denoise.context.shape[1])

    words = f"the trained demo model, '{prompt}'"
    return Subject(words, canvas, LATENT_CHANNELS, 2, denoise, picture, step_flops, SHIFT)
