"""The FLOPs of a diffusion transformer, from a description of its blocks.

A model is a stack of blocks and some linear projections. A block lets the tokens of its streams attend to
each other; each stream has its own weights. So a step costs `c + a N + b N^2` in the number N of image
tokens, and all that a family has to tell is widths and counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sequence(Enum):
    """What a projection or stream runs over: the tokens of one kind, or the sample as a whole."""

    IMAGE = "image"
    TEXT = "text"
    VISION = "vision"  # an image encoder's features of a given picture
    CONTEXT = "context"  # text and vision
    JOINT = "joint"  # all of them
    SAMPLE = "sample"  # once per sample: embedders of timestep, guidance and pooled text


@dataclass(frozen=True)
class Tokens:
    """Tokens per sample of each kind."""

    image: int
    text: int = 0
    vision: int = 0

    def of(self, sequence: Sequence) -> int:
        """Rows that a linear layer over `sequence` has, per sample."""
        return {
            Sequence.IMAGE: self.image,
            Sequence.TEXT: self.text,
            Sequence.VISION: self.vision,
            Sequence.CONTEXT: self.text + self.vision,
            Sequence.JOINT: self.image + self.text + self.vision,
            Sequence.SAMPLE: 1,
        }[sequence]


@dataclass(frozen=True)
class Projection:
    """A linear layer (or a patch embedding) from `inputs` to `outputs` channels, applied `count` times."""

    inputs: int
    outputs: int
    over: Sequence
    count: int = 1

    def flops(self, tokens: Tokens) -> int:
        """FLOPs per sample."""
        return 2 * self.inputs * self.outputs * self.count * tokens.of(self.over)


@dataclass(frozen=True)
class Stream:
    """The part of a block that has weights of its own: queries, keys, values, output, MLP and modulation.

    mlp: hidden channels of the MLP, 0 for none. gated: the MLP has two input matrices. modulation: vectors of
    the block's width that a linear layer makes of the conditioning vector. output: whether the stream goes on
    behind the attention (its output projection).
    """

    over: Sequence
    mlp: int
    gated: bool = False
    modulation: int = 0
    output: bool = True


@dataclass(frozen=True)
class Block:
    """`count` equal blocks of attention over the streams together, with an MLP in each stream.

    width: channels of the residual stream. key_width: channels of keys and of values, `width` unless heads
    share them. conditioning: channels of the vector that modulation is made of, default `width`. cross:
    sequences that the streams attend to besides, in one further attention of shared queries. output_gate: a
    linear layer gates the attention's result. group: every token stands for this many, which attend only
    among themselves; 0 for attention over the whole sequence.
    """

    count: int
    width: int
    streams: tuple[Stream, ...]
    key_width: int | None = None
    conditioning: int | None = None
    cross: tuple[Sequence, ...] = ()
    output_gate: bool = False
    group: int = 0

    def flops(self, tokens: Tokens) -> int:
        """FLOPs per sample of all `count` blocks."""
        width = self.width
        keys = width if self.key_width is None else self.key_width
        conditioning = width if self.conditioning is None else self.conditioning
        products = 0
        for stream in self.streams:
            weights = width * (width + 2 * keys)
            weights += width * width * (stream.output + self.output_gate)
            weights += width * stream.mlp * (3 if stream.gated else 2)
            weights += 2 * width * width * bool(self.cross)
            products += weights * tokens.of(stream.over) * max(self.group, 1)
            products += conditioning * stream.modulation * width
        products += sum(2 * width * width * tokens.of(sequence) for sequence in self.cross)
        length = sum(tokens.of(stream.over) for stream in self.streams) * max(self.group, 1)
        attended = length * ((self.group or length) + sum(tokens.of(sequence) for sequence in self.cross))
        return self.count * (2 * products + 4 * width * attended)


@dataclass(frozen=True)
class Architecture:
    """A diffusion transformer's cost.

    text_tokens and vision_tokens: what a run has where nothing else is known. multiple: the host pads image
    and text to whole multiples of this.
    """

    name: str
    blocks: tuple[Block, ...]
    projections: tuple[Projection, ...]
    text_tokens: int
    vision_tokens: int = 0
    multiple: int = 1

    @property
    def width(self) -> int:
        """Channels of the widest residual stream."""
        return max(block.width for block in self.blocks)

    def step_flops(
        self,
        image_tokens: int,
        batch: int = 1,
        text_tokens: int | None = None,
        vision_tokens: int | None = None,
    ) -> int:
        """FLOPs of one evaluation of `batch` samples (conditional and unconditional count as two).

        `image_tokens` per sample, of whatever sizes the step mixes, reference pictures included.
        """
        tokens = Tokens(
            self._padded(image_tokens),
            self._padded(self.text_tokens if text_tokens is None else text_tokens),
            self.vision_tokens if vision_tokens is None else vision_tokens,
        )
        blocks = sum(block.flops(tokens) for block in self.blocks)
        return batch * (blocks + sum(projection.flops(tokens) for projection in self.projections))

    def _padded(self, count: int) -> int:
        return -(-count // self.multiple) * self.multiple
