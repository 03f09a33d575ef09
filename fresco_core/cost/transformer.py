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
    SOUND = "sound"  # of a video, from the same network
    JOINT = "joint"  # all of them
    SAMPLE = "sample"  # once per sample: embedders of timestep, guidance and pooled text


@dataclass(frozen=True)
class Tokens:
    """Tokens per sample of each kind."""

    image: int
    text: int = 0
    vision: int = 0
    sound: int = 0

    def of(self, sequence: Sequence) -> int:
        """Rows that a linear layer over `sequence` has, per sample."""
        return {
            Sequence.IMAGE: self.image,
            Sequence.TEXT: self.text,
            Sequence.VISION: self.vision,
            Sequence.CONTEXT: self.text + self.vision,
            Sequence.SOUND: self.sound,
            Sequence.JOINT: self.image + self.text + self.vision + self.sound,
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

    width: channels of the residual stream. query_width: channels of queries, `width` unless heads are wider.
    key_width: channels of keys and of values, as many unless heads share them. conditioning: channels of the
    vector that modulation is made of, default `width`. cross: sequences that the streams attend to besides,
    in one further attention of shared queries. output_gate: a linear layer gates the attention's result.
    group: every token stands for this many, which attend only among themselves; 0 for attention over the
    whole sequence.
    """

    count: int
    width: int
    streams: tuple[Stream, ...]
    query_width: int | None = None
    key_width: int | None = None
    conditioning: int | None = None
    cross: tuple[Sequence, ...] = ()
    output_gate: bool = False
    group: int = 0

    def flops(self, tokens: Tokens) -> int:
        """FLOPs per sample of all `count` blocks."""
        width = self.width
        queries = width if self.query_width is None else self.query_width
        keys = queries if self.key_width is None else self.key_width
        conditioning = width if self.conditioning is None else self.conditioning
        products = 0
        for stream in self.streams:
            weights = width * (queries + 2 * keys)
            weights += width * queries * (stream.output + self.output_gate)
            weights += width * stream.mlp * (3 if stream.gated else 2)
            weights += 2 * width * width * bool(self.cross)
            products += weights * tokens.of(stream.over) * max(self.group, 1)
            products += conditioning * stream.modulation * width
        products += sum(2 * width * width * tokens.of(sequence) for sequence in self.cross)
        length = sum(tokens.of(stream.over) for stream in self.streams) * max(self.group, 1)
        attended = length * ((self.group or length) + sum(tokens.of(sequence) for sequence in self.cross))
        return self.count * (2 * products + 4 * queries * attended)


@dataclass(frozen=True)
class Exchange:
    """`count` attentions of the tokens of one sequence over those of another, `width` channels of queries.
    Their linear layers are told as projections."""

    count: int
    width: int
    queries: Sequence
    keys: Sequence

    def flops(self, tokens: Tokens) -> int:
        """FLOPs per sample of all `count` attentions."""
        return 4 * self.count * self.width * tokens.of(self.queries) * tokens.of(self.keys)


@dataclass(frozen=True)
class Architecture:
    """A diffusion transformer's cost.

    text_tokens, vision_tokens and sound_tokens: what a run has where nothing else is known. multiple: the
    host pads image and text to whole multiples of this. exchanges: attentions between sequences. sound:
    values of a latent that a token of sound holds.
    """

    name: str
    blocks: tuple[Block, ...]
    projections: tuple[Projection, ...]
    text_tokens: int
    vision_tokens: int = 0
    multiple: int = 1
    exchanges: tuple[Exchange, ...] = ()
    sound: int = 0
    sound_tokens: int = 0

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
        sound_tokens: int | None = None,
    ) -> int:
        """FLOPs of one evaluation of `batch` samples (conditional and unconditional count as two).

        `image_tokens` per sample, of whatever sizes the step mixes, reference pictures included.
        """
        tokens = Tokens(
            self._padded(image_tokens),
            self._padded(self.text_tokens if text_tokens is None else text_tokens),
            self.vision_tokens if vision_tokens is None else vision_tokens,
            self.sound_tokens if sound_tokens is None else sound_tokens,
        )
        parts: tuple[Block | Projection | Exchange, ...] = (*self.blocks, *self.projections, *self.exchanges)
        return batch * sum(part.flops(tokens) for part in parts)

    def _padded(self, count: int) -> int:
        return -(-count // self.multiple) * self.multiple
