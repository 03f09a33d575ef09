"""The canvas: the full-size latent that a sampler works on, and how many tokens a model sees of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .frames import frames_at
from .haar import level_size, padded_size
from .levels import THREE_QUARTERS, side_at

MIN_TOKENS_PER_SIDE = 2
COARSEST_UNKNOWN = 1  # the level that models whose trained sizes are not known are held to


@dataclass(frozen=True)
class Canvas:
    """Size of the latent that a model samples: height, width in latent pixels, frames, and the model's patch.

    `patch` is the side of a token in latent pixels (1 for U-Nets), `frame_patch` its length in latent frames.
    `trained`: the fewest and the most latent pixels a frame that the model makes good pictures of, (0, None)
    for any. `packing`: side of the patch of pixels that the model's latents hold in their channels. `scale`:
    pixels of a picture per latent pixel, both ways alike; 0 where that is not known. `family`: what the model
    is called, for messages. `unknown`: nobody has said what its class is trained for: every look is then held
    to half resolution and to `trained`, whatever the schedule says.
    """

    height: int
    width: int
    frames: int = 1
    patch: int = 2
    frame_patch: int = 1
    trained: tuple[int, int | None] = field(default=(0, None), compare=False)
    packing: int = 1
    scale: int = field(default=0, compare=False)
    family: str = field(default="", compare=False)
    unknown: bool = field(default=False, compare=False)

    def tokens(self, level: float, halvings: int = 0) -> int:
        """Image tokens per sample that the model sees at `level` and so many halvings in time; sides are
        padded up to the patch."""
        rows, columns = self.blocks(level)
        return rows * columns * -(-frames_at(self.frames, halvings) // self.frame_patch)

    @property
    def token_frames(self) -> int:
        """Tokens along all frames."""
        return -(-self.frames // self.frame_patch)

    def blocks(self, level: float) -> tuple[int, int]:
        """Rows and columns of tokens at `level`; in a mixed step each stands for a block of the canvas."""
        height, width = padded_size((self.height, self.width), level, self.patch)
        return side_at(height, level) // self.patch, side_at(width, level) // self.patch

    def fine_blocks(self, level: float, share: float) -> int:
        """How many blocks of a frame are fine where `share` of them is, to the nearest."""
        rows, columns = self.blocks(level)
        return round(share * rows * columns)

    def mixed_tokens(self, level: float, share: float) -> int:
        """Image tokens per sample with `share` of the blocks of `level` fine and the others coarse."""
        rows, columns = self.blocks(level)
        fine = self.fine_blocks(level, share)
        return (fine * round(4**level) + rows * columns - fine) * self.token_frames

    def allows(self, level: float) -> bool:
        """Whether `level` keeps at least two tokens a side, and has fewer than the whole canvas: at
        THREE_QUARTERS small ones are padded to as many."""
        enough = min(level_size((self.height, self.width), level)) >= MIN_TOKENS_PER_SIDE * self.patch
        return enough and (level == 0 or self.tokens(level) < self.tokens(0))

    def pixels(self, level: float) -> int:
        """Latent pixels of a frame at `level`."""
        height, width = level_size((self.height, self.width), level)
        return height * width

    def suits(self, level: float) -> bool:
        """Whether `level` keeps two tokens a side and is not smaller than the model is trained for."""
        if self.unknown and level > COARSEST_UNKNOWN:
            return False
        return self.allows(level) and self.pixels(level) >= self.trained[0]

    def size(self, level: float) -> str:
        """Width x height of a look at `level`: pixels of a picture where their scale is known, else of the
        latent."""
        height, width = level_size((self.height, self.width), level)
        times = self.scale or 1
        return f"{width * times}x{height * times}"

    def too_small(self) -> str:
        """Why no look may be coarse where the canvas suits none, in words for the user."""
        unit, least = "" if self.scale else " latent pixels", self.fewest + " a frame" * (self.frames > 1)
        part, level = ("3/4", THREE_QUARTERS) if self.allows(THREE_QUARTERS) else ("half", 1)
        small = f"{part} of {self.size(0)} is {self.size(level)}{unit}, below the {least}"
        if self.unknown:
            return f"{small} that a model of an unknown class ({self.family}) is held to"
        return f"{small} that {self.family or 'the model'} is trained for; write '1/2' to go below it"

    @property
    def fewest(self) -> str:
        """The fewest pixels of `trained` in words: of a picture where their scale is known."""
        fewest = self.trained[0] * self.scale**2
        return f"{fewest / 1e6:.2f} megapixels" if self.scale else f"{self.trained[0]} latent pixels"
