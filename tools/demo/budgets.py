"""What to train, and how much of it, per budget."""

from __future__ import annotations

from dataclasses import dataclass, field

from fresco_core.demo.autoencoder import AutoencoderShape
from fresco_core.demo.transformer import OPEN_SHAPE, TransformerShape
from fresco_core.demo.vocabulary import OPEN_FAMILIES, SMALL_OBJECTS, Vocabulary, open_vocabulary

from .packages import emoji_names
from .render import Looks

SIZES = {"full": (1, 1), "half": (1, 2), "quarter": (1, 4), "three quarters": (3, 4)}
"""Picture sizes that models are trained at, as fractions of the side. A stage that names three of them does
without the last."""


@dataclass(frozen=True)
class Stage:
    """One model's training; it ends at `steps` or at `minutes` of work, whichever is first.

    The rate rises over `warmup` steps, stays, and falls linearly to zero over the last `decay` share of the
    work.
    """

    steps: int
    minutes: float
    batch: tuple[int, ...]
    """Pictures per step at the first SIZES, three or all."""
    rate: float
    """Of AdamW."""
    matrix_rate: float = 0.0
    """Of Muon, for the matrices of the transformer's blocks."""
    warmup: int = 100
    decay: float = 0.4
    levels_first: tuple[float, ...] = (1.0, 0.0, 0.0)
    levels_last: tuple[float, ...] = (1.0, 0.0, 0.0)
    """Shares of steps at each of these sizes when training starts and from its middle on."""


@dataclass(frozen=True)
class Code:
    """What the autoencoder's latents are to be like."""

    noise: float = 0.1
    """Deviation of the noise that the decoder learns to bear."""
    agreement: float = 0.1
    """Weight of the wish that the mean of 2 x 2 latents is a latent of the half-size picture."""
    shipped: bool = False
    """Whether training starts from the weights in the tree, whose shape must be the same."""
    tilt: float = 0.0
    """0: every channel has unit variance; above: the channels that hold more of the picture have more of it,
    to start with as the power of this exponent of their variance in the picture."""


@dataclass(frozen=True)
class Budget:
    """Everything that a run of `tools.train_demo` depends on, but the device."""

    name: str
    looks: Looks
    autoencoder_shape: AutoencoderShape
    transformer_shape: TransformerShape
    autoencoder: Stage
    decoder: Stage
    classifier: Stage
    transformer: Stage
    scenes: int
    """Scenes whose latents the transformer is trained on, at first if a pool grows."""
    crop: int
    """Side of the autoencoder's training crops in pixels."""
    word_groups: tuple[str, ...] = ()
    """Emoji groups of the vocabulary; none: the small hand-made vocabulary."""
    word_count: int = 0
    seed: int = 0
    drop_prompt: float = 0.1
    ema: float = 0.998
    small: dict[str, int] = field(default_factory=lambda: dict(SMALL_OBJECTS))
    code: Code = Code()
    open: bool = False
    """Whether prompts leave words out and scenes vary in what no prompt says."""
    shard: int = 1024
    """Scenes in one file of latents."""
    pool: int = 0
    """Shards of latents to keep while new ones are drawn; 0: the same `scenes` all the time."""
    centres: tuple[float, ...] = (0.2, 0.2, 0.2)
    """Of the logit-normal noise levels at each of the transformer's sizes."""
    recognition: float = 0.0
    """Weight of the wish that an early block can tell which object is where; of open budgets only."""

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of the picture sizes that the transformer is trained at."""
        return tuple(SIZES)[: len(self.transformer.batch)]

    def points(self) -> dict[str, int]:
        """Object word to code point."""
        if self.open:
            return {word: point for words in OPEN_FAMILIES.values() for word, point in words.items()}
        if not self.word_groups:
            return self.small
        names = emoji_names(self.word_groups)
        chosen = list(names)[:: max(1, len(names) // self.word_count)][: self.word_count]
        return self.small | {name: names[name] for name in chosen if names[name] not in self.small.values()}

    def vocabulary(self) -> Vocabulary:
        """The words of this budget."""
        if self.open:
            return open_vocabulary()
        return Vocabulary(tuple(self.points()))


CPU = Budget(
    name="cpu",
    looks=Looks(),
    autoencoder_shape=AutoencoderShape((16, 32, 64, 64), (0, 1, 2, 3), (16, 32, 64, 64), (1, 2, 3, 3)),
    transformer_shape=TransformerShape(hidden=128, double_blocks=3, single_blocks=5),
    autoencoder=Stage(
        6000,
        20,
        (16, 16, 32),
        1.2e-3,
        warmup=50,
        decay=0.6,
        levels_first=(0.55, 0.42, 0.03),
        levels_last=(0.55, 0.42, 0.03),
    ),
    decoder=Stage(
        4000,
        34,
        (16, 16, 32),
        1e-3,
        warmup=20,
        decay=0.7,
        levels_first=(0.75, 0.2, 0.05),
        levels_last=(0.75, 0.2, 0.05),
    ),
    classifier=Stage(1500, 9, (48, 0, 0), 2e-3, warmup=50),
    transformer=Stage(
        20000,
        180,
        (36, 88, 160),
        2e-3,
        matrix_rate=0.02,
        levels_first=(0.1, 0.8, 0.1),
        levels_last=(0.6, 0.36, 0.04),
    ),
    scenes=16384,
    crop=96,
)

GPU = Budget(
    name="gpu",
    looks=Looks(side=256, shift=5.0, stretch=0.1, free_phase=True, pitch=24.0),
    autoencoder_shape=AutoencoderShape(),
    transformer_shape=TransformerShape(
        256, double_blocks=3, single_blocks=7, context_size=256, pooled_size=256
    ),
    autoencoder=Stage(
        20000,
        4.5,
        (64, 64, 64),
        1e-3,
        decay=0.6,
        levels_first=(0.5, 0.4, 0.1),
        levels_last=(0.5, 0.4, 0.1),
    ),
    decoder=Stage(
        8000,
        1.5,
        (64, 64, 64),
        5e-4,
        warmup=20,
        decay=0.8,
        levels_first=(0.7, 0.25, 0.05),
        levels_last=(0.7, 0.25, 0.05),
    ),
    classifier=Stage(4000, 1.5, (256, 0, 0), 2e-3),
    transformer=Stage(
        60000,
        13,
        (384, 1024, 2048),
        1.5e-3,
        matrix_rate=0.02,
        warmup=300,
        levels_first=(0.2, 0.7, 0.1),
        levels_last=(0.7, 0.25, 0.05),
    ),
    scenes=131072,
    crop=128,
    word_groups=("Animals & Nature", "Food & Drink", "Travel & Places", "Activities", "Objects"),
    word_count=300,
    ema=0.999,
)

OPEN = Budget(
    name="open",
    looks=Looks(side=open_vocabulary().picture_side, shift=6.0, stretch=0.06),
    autoencoder_shape=AutoencoderShape((16, 32, 64, 64), (0, 1, 2, 3), (16, 32, 64, 64), (1, 2, 3, 3)),
    transformer_shape=OPEN_SHAPE,
    autoencoder=Stage(
        20000,
        6,
        (16, 16, 32),
        1.5e-3,
        warmup=50,
        decay=0.7,
        levels_first=(0.7, 0.27, 0.03),
        levels_last=(0.7, 0.27, 0.03),
    ),
    decoder=Stage(
        20000,
        30,
        (16, 16, 32),
        1e-3,
        warmup=20,
        decay=0.7,
        levels_first=(0.75, 0.22, 0.03),
        levels_last=(0.75, 0.22, 0.03),
    ),
    classifier=Stage(6000, 13, (48, 0, 0), 2e-3, warmup=50),
    transformer=Stage(
        1000000,
        68,
        (32, 96, 192, 48),
        1.5e-3,
        matrix_rate=0.02,
        warmup=100,
        decay=0.4,
        levels_first=(0.15, 0.6, 0.05, 0.2),
        levels_last=(0.42, 0.25, 0.03, 0.3),
    ),
    scenes=2048,
    crop=96,
    ema=0.9995,
    shard=256,
    pool=192,
    centres=(0.6, 0.1, -0.3, 0.35),
    code=Code(noise=0.15, agreement=0.0, shipped=True, tilt=0.5),
    open=True,
    recognition=0.1,
)

BUDGETS = {budget.name: budget for budget in (CPU, GPU, OPEN)}
