"""The canvas: the full-size latent that a sampler works on, and how many tokens a model sees of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .transform import level_size

MIN_TOKENS_PER_SIDE = 2


@dataclass(frozen=True)
class Canvas:
    """Size of the latent that a model samples: height, width in latent pixels, frames, and the model's patch.

    `patch` is the side of a token in latent pixels (1 for U-Nets), `frame_patch` its length in latent frames.
    `trained`: the fewest and the most latent pixels a frame that the model makes good pictures of, (0, None)
    where that is not known.
    """

    height: int
    width: int
    frames: int = 1
    patch: int = 2
    frame_patch: int = 1
    trained: tuple[int, int | None] = field(default=(0, None), compare=False)

    def tokens(self, level: int) -> int:
        """Image tokens per sample that the model sees at `level`; sides are padded up to the patch."""
        rows, columns = self.blocks(level)
        return rows * columns * self.token_frames

    @property
    def token_frames(self) -> int:
        """Tokens along the frames."""
        return -(-self.frames // self.frame_patch)

    def blocks(self, level: int) -> tuple[int, int]:
        """Rows and columns of tokens at `level`; in a mixed step each stands for a block of the canvas."""
        height, width = level_size((self.height, self.width), level)
        return -(-height // self.patch), -(-width // self.patch)

    def fine_blocks(self, level: int, share: float) -> int:
        """How many blocks of a frame are fine where `share` of them is, to the nearest."""
        rows, columns = self.blocks(level)
        return round(share * rows * columns)

    def mixed_tokens(self, level: int, share: float) -> int:
        """Image tokens per sample with `share` of the blocks of `level` fine and the others coarse, or, at
        level 0, not queried."""
        rows, columns = self.blocks(level)
        fine = self.fine_blocks(level, share)
        coarse = rows * columns - fine if level else 0
        return ((fine << (2 * level)) + coarse) * self.token_frames

    def allows(self, level: int) -> bool:
        """Whether `level` keeps at least two tokens a side."""
        return min(level_size((self.height, self.width), level)) >= MIN_TOKENS_PER_SIDE * self.patch

    def pixels(self, level: int) -> int:
        """Latent pixels of a frame at `level`."""
        height, width = level_size((self.height, self.width), level)
        return height * width

    def suits(self, level: int) -> bool:
        """Whether `level` keeps two tokens a side and is not smaller than the model is trained for."""
        return self.allows(level) and self.pixels(level) >= self.trained[0]
