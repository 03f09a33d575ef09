"""The families that make video, and sound with it: their configuration to an `Architecture`."""

from __future__ import annotations

from .families import embedder
from .transformer import Architecture, Block, Exchange, Projection, Sequence, Stream

IMAGE, TEXT, SOUND, SAMPLE = Sequence.IMAGE, Sequence.TEXT, Sequence.SOUND, Sequence.SAMPLE

MODULATIONS = 6  # shift, scale and gate of attention and MLP
PROMPT_MODULATIONS = 9  # of the attention to the text too
TIME_FEATURES = 256


def ltx_video(
    name: str,
    *,
    width: int = 2048,
    layers: int = 28,
    channels: int = 128,
    caption: int | None = 4096,
    modulations: int = MODULATIONS,
    text_tokens: int = 256,
) -> Architecture:
    """LTX-Video: self-attention over the video and cross-attention to the text, one modulation for all
    blocks. caption: channels of the text, None where it comes as wide as the network."""
    return Architecture(
        name,
        (_stream(IMAGE, width, layers),),
        _around(IMAGE, width, channels, caption, modulations),
        text_tokens,
    )


def ltx_2(
    name: str,
    *,
    width: int = 4096,
    sound_width: int = 2048,
    layers: int = 48,
    channels: int = 128,
    sound_channels: int = 128,
    caption: int | None = 3840,
    modulations: int = MODULATIONS,
    gates: tuple[int, int] = (0, 0),
    text_tokens: int = 1024,
    sound_tokens: int = 126,
) -> Architecture:
    """LTX-2: LTX-Video's stack for the video, one of another width for its sound, and in each block an
    attention of either to the other, of the sound's width.

    gates: heads of video and sound, where each head of an attention has a gate.
    """
    exchange = 4 * layers  # of the sound's channels with those of the video, twice from and twice to it
    between = (
        *_adaln(width, 4),
        *_adaln(width, 1),
        *_adaln(sound_width, 4),
        *_adaln(sound_width, 1),
        Projection(width, sound_width, IMAGE, exchange),
        Projection(sound_width, sound_width, SOUND, exchange),
        Projection(width, 2 * gates[0] + gates[1], IMAGE, layers),
        Projection(sound_width, 3 * gates[1], SOUND, layers),
    )
    return Architecture(
        name,
        (_stream(IMAGE, width, layers), _stream(SOUND, sound_width, layers)),
        (
            *_around(IMAGE, width, channels, caption, modulations),
            *_around(SOUND, sound_width, sound_channels, caption, modulations),
            *between,
        ),
        text_tokens,
        exchanges=(
            Exchange(layers, sound_width, IMAGE, SOUND),
            Exchange(layers, sound_width, SOUND, IMAGE),
        ),
        sound=sound_channels,
        sound_tokens=sound_tokens,
    )


def minimax_h3(
    name: str,
    *,
    width: int = 5376,
    heads_width: int = 7168,
    mlp: int = 14336,
    layers: int = 50,
    patch: int = 96,
    sound_channels: int = 32,
    time_width: int = 2688,
    text_tokens: int = 512,
    sound_tokens: int = 414,
) -> Architecture:
    """MiniMax H3: one sequence of text, sound and video, three sets of modulations in each block, for the two
    noise levels that video and sound have. Its text is refined once a run, which is not counted."""
    stack = Block(layers, width, (Stream(Sequence.JOINT, mlp, gated=True),), query_width=heads_width)
    projections = (
        Projection(patch, width, IMAGE, 2),
        Projection(sound_channels, width, SOUND, 2),
        Projection(TIME_FEATURES, width, SAMPLE, 2),
        Projection(width, time_width, SAMPLE, 2),
        Projection(time_width, 3 * MODULATIONS * width, SAMPLE, 2 * layers),
        Projection(time_width, 2 * width, SAMPLE, 2),
    )
    return Architecture(
        name, (stack,), projections, text_tokens, sound=sound_channels, sound_tokens=sound_tokens
    )


def _stream(over: Sequence, width: int, layers: int) -> Block:
    """Blocks of self-attention, attention to the text, and an MLP of four times the width."""
    return Block(layers, width, (Stream(over, 4 * width),), cross=(TEXT,))


def _around(
    over: Sequence, width: int, channels: int, caption: int | None, modulations: int
) -> tuple[Projection, ...]:
    """What is before and behind a stack of blocks, and the modulations of all of them."""
    return (
        Projection(channels, width, over, 2),
        *_adaln(width, modulations),
        *(_adaln(width, 2) if modulations == PROMPT_MODULATIONS else ()),
        *(() if caption is None else embedder(caption, width, TEXT)),
    )


def _adaln(width: int, vectors: int) -> tuple[Projection, ...]:
    """An embedder of the noise level and `vectors` modulations of it."""
    return (*embedder(TIME_FEATURES, width), Projection(width, vectors * width, SAMPLE))
