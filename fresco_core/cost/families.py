"""How each model family fills in the general description: its configuration to an `Architecture`.

The arguments are a family's own hyperparameters. Layouts are those of the published implementations.
"""

from __future__ import annotations

from .transformer import Architecture, Block, Projection, Sequence, Stream

IMAGE, TEXT, VISION = Sequence.IMAGE, Sequence.TEXT, Sequence.VISION
CONTEXT, JOINT, SAMPLE = Sequence.CONTEXT, Sequence.JOINT, Sequence.SAMPLE

TIME_FEATURES = 256


def embedder(inputs: int, width: int, over: Sequence = SAMPLE, count: int = 1) -> tuple[Projection, ...]:
    """Two linear layers with an activation between them."""
    return Projection(inputs, width, over, count), Projection(width, width, over, count)


def double_and_single(
    width: int, mlp: int, double: int, single: int, gated: bool = False, modulated: bool = True
) -> tuple[Block, ...]:
    """FLUX's stack: blocks with weights for image and text each, then blocks with one set for both.

    A single block runs attention and MLP side by side, which costs what one after the other does.
    """
    streams = tuple(Stream(over, mlp, gated, 6 * modulated) for over in (IMAGE, CONTEXT))
    return (
        Block(double, width, streams),
        Block(single, width, (Stream(JOINT, mlp, gated, 3 * modulated),)),
    )


def flux(
    name: str,
    *,
    width: int = 3072,
    double: int = 19,
    single: int = 38,
    mlp_ratio: float = 4.0,
    gated: bool = False,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 4096,
    pooled: int | None = 768,
    guidance: bool = True,
    global_modulation: bool = False,
    text_tokens: int = 512,
) -> Architecture:
    """FLUX.1, and FLUX.2, whose blocks share one modulation, gate their MLPs and get no pooled text."""
    projections = [
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        *embedder(TIME_FEATURES, width, count=1 + guidance),
        *(() if pooled is None else embedder(pooled, width)),
        Projection(width, 2 * width, SAMPLE),
        Projection(width, patch_outputs, IMAGE),
    ]
    if global_modulation:
        projections.append(Projection(width, (6 + 6 + 3) * width, SAMPLE))
    blocks = double_and_single(width, int(width * mlp_ratio), double, single, gated, not global_modulation)
    return Architecture(name, blocks, tuple(projections), text_tokens)


def chroma(
    name: str,
    *,
    width: int = 3072,
    double: int = 19,
    single: int = 38,
    mlp_ratio: float = 4.0,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 4096,
    approximator: tuple[int, int, int, int] = (64, 5120, 3072, 5),
    modulations: int = 344,
    text_tokens: int = 256,
) -> Architecture:
    """FLUX.1's stack whose `modulations` vectors come from one network (inputs, hidden, outputs, layers)."""
    inputs, hidden, outputs, layers = approximator
    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        Projection(inputs, hidden, SAMPLE, modulations),
        *embedder(hidden, hidden, count=layers * modulations),
        Projection(hidden, outputs, SAMPLE, modulations),
        Projection(width, patch_outputs, IMAGE),
    )
    blocks = double_and_single(width, int(width * mlp_ratio), double, single, modulated=False)
    return Architecture(name, blocks, projections, text_tokens)


def hunyuan_video(
    name: str,
    *,
    width: int = 3072,
    double: int = 20,
    single: int = 40,
    mlp_ratio: float = 4.0,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 4096,
    pooled: int | None = 768,
    guidance: bool = True,
    mean_flow: bool = False,
    vision: int | None = None,
    text_tokens: int = 256,
    vision_tokens: int = 0,
) -> Architecture:
    """HunyuanVideo: FLUX's stack behind two blocks that refine the text."""
    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        *embedder(TIME_FEATURES, width, count=2 + guidance + mean_flow),  # one for the refiner
        *embedder(context, width),
        *(() if pooled is None else embedder(pooled, width)),
        *(() if vision is None else (Projection(vision, vision, VISION), Projection(vision, width, VISION))),
        Projection(width, 2 * width, SAMPLE),
        Projection(width, patch_outputs, IMAGE),
    )
    refiner = Block(2, width, (Stream(TEXT, 4 * width, modulation=2),))
    blocks = double_and_single(width, int(width * mlp_ratio), double, single)
    return Architecture(name, (refiner, *blocks), projections, text_tokens, vision_tokens)


def qwen_image(
    name: str,
    *,
    width: int = 3072,
    layers: int = 60,
    mlp_ratio: float = 4.0,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 3584,
    text_tokens: int = 256,
) -> Architecture:
    """Qwen-Image: double-stream blocks only."""
    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        *embedder(TIME_FEATURES, width),
        Projection(width, 2 * width, SAMPLE),
        Projection(width, patch_outputs, IMAGE),
    )
    blocks = double_and_single(width, int(width * mlp_ratio), layers, 0)
    return Architecture(name, blocks, projections, text_tokens)


def wan(
    name: str,
    *,
    width: int,
    mlp: int,
    layers: int,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 4096,
    time_features: int = TIME_FEATURES,
    vision: int | None = None,
    text_tokens: int = 512,
    vision_tokens: int = 257,
) -> Architecture:
    """Wan 2.1 and 2.2: self-attention over the video, cross-attention to the text and, where the model takes
    `vision` channels of an image encoder (Wan 2.1 I2V), to a given picture."""
    cross = (TEXT,) if vision is None else (TEXT, VISION)
    projections = (
        Projection(patch_inputs, width, IMAGE),
        *embedder(context, width, TEXT),
        *(() if vision is None else (Projection(vision, vision, VISION), Projection(vision, width, VISION))),
        *embedder(time_features, width),
        Projection(width, 6 * width, SAMPLE),
        Projection(width, patch_outputs, IMAGE),
    )
    blocks = (Block(layers, width, (Stream(IMAGE, mlp),), cross=cross),)
    return Architecture(name, blocks, projections, text_tokens, 0 if vision is None else vision_tokens)


def lumina(
    name: str,
    *,
    width: int,
    mlp: int,
    layers: int,
    refiners: int = 2,
    key_width: int | None = None,
    context: int,
    conditioning: int,
    time_hidden: int,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    multiple: int = 1,
    text_tokens: int = 256,
) -> Architecture:
    """Lumina 2 and Z-Image: refiner blocks for text and image apart, then single-stream blocks.

    `conditioning` is the width of the timestep's vector, `time_hidden` that of its embedder's hidden layer.
    """

    def blocks(count: int, over: Sequence, modulation: int) -> Block:
        stream = Stream(over, mlp, True, modulation)
        return Block(count, width, (stream,), key_width=key_width, conditioning=conditioning)

    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        Projection(TIME_FEATURES, time_hidden, SAMPLE),
        Projection(time_hidden, conditioning, SAMPLE),
        Projection(conditioning, width, SAMPLE),
        Projection(width, patch_outputs, JOINT),
    )
    stack = (blocks(refiners, TEXT, 0), blocks(refiners, IMAGE, 4), blocks(layers, JOINT, 4))
    return Architecture(name, stack, projections, text_tokens, multiple=multiple)


def krea2(
    name: str,
    *,
    width: int = 6144,
    mlp: int = 16384,
    layers: int = 28,
    key_width: int = 1536,
    text_width: int = 2560,
    text_key_width: int = 2560,
    text_mlp: int = 6912,
    text_layers: int = 12,
    time_features: int = TIME_FEATURES,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    text_tokens: int = 256,
) -> Architecture:
    """Krea 2: single-stream blocks; the text comes from `text_layers` layers of its encoder, fused by two
    blocks over the layers of each token and two over the tokens."""

    def fusion(group: int) -> Block:
        stream = (Stream(TEXT, text_mlp, True),)
        return Block(2, text_width, stream, key_width=text_key_width, output_gate=True, group=group)

    trunk = Block(layers, width, (Stream(JOINT, mlp, True),), key_width=key_width, output_gate=True)
    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(text_layers, 1, TEXT, text_width),
        *(Projection(inputs, width, TEXT) for inputs in (text_width, width)),
        *embedder(time_features, width),
        Projection(width, 6 * width, SAMPLE),
        Projection(width, patch_outputs, JOINT),
    )
    return Architecture(name, (fusion(text_layers), fusion(0), trunk), projections, text_tokens)


def sd3(
    name: str,
    *,
    width: int,
    layers: int,
    dual_layers: int = 0,
    mlp_ratio: float = 4.0,
    patch_inputs: int = 64,
    patch_outputs: int = 64,
    context: int = 4096,
    pooled: int | None = 2048,
    text_tokens: int = 154,
) -> Architecture:
    """SD3 and SD3.5: double-stream blocks, the last without an output for the text.

    `dual_layers` of them (SD3.5 medium) have a second attention, over the image alone.
    """
    mlp = int(width * mlp_ratio)
    image, text = Stream(IMAGE, mlp, modulation=6), Stream(TEXT, mlp, modulation=6)
    blocks = (
        Block(layers - 1, width, (image, text)),
        Block(1, width, (image, Stream(TEXT, 0, modulation=2, output=False))),
        Block(dual_layers, width, (Stream(IMAGE, 0, modulation=3),)),
    )
    projections = (
        Projection(patch_inputs, width, IMAGE),
        Projection(context, width, TEXT),
        *embedder(TIME_FEATURES, width),
        *(() if pooled is None else embedder(pooled, width)),
        Projection(width, 2 * width, SAMPLE),
        Projection(width, patch_outputs, IMAGE),
    )
    return Architecture(name, blocks, projections, text_tokens)
