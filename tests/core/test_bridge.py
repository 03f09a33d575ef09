"""The bridge: with an exactly equivariant autoencoder it is a copy, with a real one nearer the truth."""

import pytest
import torch
import torch.nn.functional as F

from benchmarks.quality.enlargements import lanczos
from fresco_core import (
    Canvas,
    ScheduleError,
    Trace,
    flow_sigmas,
    hashed_noise,
    make_plan,
    merge,
    parse,
    sample,
)
from fresco_core.canvas.haar import expand, extend, pack_channels, padded_size, unpack_channels
from fresco_core.canvas.levels import THREE_QUARTERS, side_at
from fresco_core.look.bridge import bicubic, bridged
from fresco_core.text.in_words import plan_in_words


class Means:
    """A linear, exactly scale-equivariant autoencoder: a latent pixel is the mean of 4x4 pixels. video: of
    every frame; packing: with 2x2 of its pixels in the channels."""

    scale = 4

    def __init__(self, packing=1):
        self.scale *= packing
        self.packing = packing
        self.decoded = []

    def decode(self, latent):
        self.decoded.append(tuple(latent.shape))
        return expand(unpack_channels(latent, self.packing), 2)

    def encode(self, pixels):
        return pack_channels(merge(pixels, 2), self.packing)


def copied(pixels, size):
    """An Enlarge that copies pixels over the larger picture."""
    return F.interpolate(pixels, size, mode="nearest-exact")


def draft_of(shape, level, packing=1):
    """A clean canvas that is constant over the blocks of a level."""
    latent = hashed_noise(5, shape)
    whole = unpack_channels(latent, packing)
    size = (whole.shape[-2], whole.shape[-1])
    padded = padded_size(size, level, packing)
    low = merge(extend(whole, padded), level)
    return pack_channels(expand(low, level)[..., : size[0], : size[1]], packing)


@pytest.mark.parametrize("level,to_level", [(1, 0), (2, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize(
    "shape,packing", [((2, 3, 16, 16), 1), ((1, 3, 13, 18), 1), ((2, 3, 3, 10, 12), 1), ((1, 12, 9, 7), 2)]
)
def test_an_equivariant_autoencoder_makes_the_bridge_a_copy(shape, packing, level, to_level):
    canvas = Canvas(*shape[-2:], packing=packing)
    draft, autoencoder = draft_of(shape, level, packing), Means(packing)
    out = bridged(draft, level, to_level, autoencoder, canvas, copied)
    assert torch.allclose(out, draft, atol=1e-6)
    height, width = (side * packing for side in shape[-2:])
    padded = padded_size((height, width), level, packing)
    assert autoencoder.decoded[0][-2:] == tuple((side >> level) // packing for side in padded)


@pytest.mark.parametrize("level,to_level", [(THREE_QUARTERS, 0), (2, THREE_QUARTERS), (1, THREE_QUARTERS)])
@pytest.mark.parametrize("packing", [1, 2])
def test_the_bridge_takes_three_quarters(packing, level, to_level):
    """A plane comes over as it is: at three quarters too the picture keeps its place and its size."""
    draft = pack_channels(torch.full((1, 3, 12, 20), 0.3), packing)
    autoencoder = Means(packing)
    out = bridged(draft, level, to_level, autoencoder, Canvas(*draft.shape[-2:], packing=packing))
    torch.testing.assert_close(out, draft)
    padded = padded_size(padded_size((12, 20), level, packing), to_level, packing)
    assert autoencoder.decoded[0][-2:] == tuple(side_at(side, level) // packing for side in padded)


def test_in_pieces_it_is_the_same():
    draft = draft_of((3, 3, 12, 12), 1)
    whole, pieces = (bridged(draft, 1, 0, Means(), Canvas(12, 12), bicubic, n) for n in (None, 1))
    assert torch.equal(whole, pieces)


def test_an_autoencoder_of_another_shape_is_told():
    class Other(Means):
        def encode(self, pixels):
            return merge(pixels, 3)

    with pytest.raises(ValueError, match=r"made a latent of .* expected .*belongs to the model"):
        bridged(draft_of((1, 3, 16, 16), 1), 1, 0, Other(), Canvas(16, 16))


@pytest.mark.parametrize("enlarge,off", [(bicubic, 1e-5), (lanczos, 0.01)])
def test_enlarging_keeps_planes_and_slopes(enlarge, off):
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    slope = (0.3 * rows - 0.1 * columns + 2.0)[None, None]
    large = enlarge(slope, (24, 20))
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    wanted = 0.3 * ((y + 0.5) / 2 - 0.5) - 0.1 * ((x + 0.5) / 2 - 0.5) + 2.0
    assert torch.allclose(large[0, 0, 8:-8, 8:-8], wanted[8:-8, 8:-8], atol=off)
    assert torch.allclose(enlarge(torch.full((1, 2, 7, 9), 0.7), (14, 18)), torch.full((1, 2, 14, 18), 0.7))


def test_a_run_crosses_once_and_is_the_run_without_it_where_the_bridge_is_a_copy():
    noise = hashed_noise(3, (2, 3, 16, 16))

    def denoise(x, sigma):
        return torch.tanh(x * (1.0 - sigma.reshape(-1, 1, 1, 1)))

    def run(text, **given):
        plan = make_plan(parse(text), flow_sigmas(10), Canvas(16, 16), autoencoder=True)
        return sample(denoise, noise, plan, **given)

    autoencoder, text = Means(), "draft 1/2 x6; refine 0.9 {} x4"
    over = run(text.format("via pixels"), autoencoder=autoencoder, enlarge=copied)
    assert autoencoder.decoded == [(2, 3, 8, 8)]
    assert torch.allclose(over, run(text.format("")), atol=1e-6)
    three = "draft 1/4 x3; refine 0.9 via pixels 1/2 x3; refine 0.6 via pixels x4"
    autoencoder = Means()
    over = run(three, autoencoder=autoencoder, enlarge=copied)
    assert autoencoder.decoded == [(2, 3, 4, 4), (2, 3, 8, 8)]
    assert torch.allclose(over, run(three.replace(" via pixels", "")), atol=1e-6)
    autoencoder = Means()
    run("draft 1/2 x3, full x3; refine 0.6 via pixels x4", autoencoder=autoencoder)
    assert autoencoder.decoded == [], "a draft that ends full needs no bridge"


def test_the_word_reads_back_and_is_refused_with_a_remedy():
    text = "draft 1/2 70%; refine 0.6 via pixels 30%"
    schedule = parse(text)
    assert str(schedule) == text and schedule.via_pixels and schedule.passes[1].via_pixels
    assert str(parse("draft 1/2; refine VIA pixels")) == "draft 1/2; refine via pixels"
    with pytest.raises(ScheduleError, match="no autoencoder: connect the model's VAE, or leave 'via pixels'"):
        make_plan(schedule, flow_sigmas(10), Canvas(64, 64))
    plan = make_plan(schedule, flow_sigmas(10), Canvas(64, 64), autoencoder=True)
    assert "pass 2: over pixels, sigma 0.6" in plan_in_words(plan)
    for wrong, words in (
        ("draft 1/2; refine 0.6 via 30%", "'via' needs 'pixels'"),
        ("draft via pixels 1/2; refine 0.6", "did not expect|where a level belongs"),
        ("1/2 via pixels, full", "did not expect 'via'"),
    ):
        with pytest.raises(ScheduleError, match=words):
            parse(wrong)
    with pytest.raises(ValueError, match="give an autoencoder"):
        sample(lambda x, sigma: x, hashed_noise(1, (1, 3, 64, 64)), plan)


@torch.no_grad()
def test_on_the_trained_model_it_beats_the_copy_from_a_low_start():
    import numpy as np

    from fresco_core.demo.autoencoder import PictureCodec
    from fresco_core.demo.scenes import draw_scene, scene_ids
    from fresco_core.demo.subjects import GUIDANCE, SHIFT, PromptedDenoiser
    from fresco_core.demo.weights import load_demo

    demo = load_demo()
    random = np.random.default_rng(7)
    scenes = [draw_scene(demo.vocabulary, random) for _ in range(2)]
    denoise = PromptedDenoiser.of(demo, scene_ids(scenes, demo.vocabulary), GUIDANCE)
    noise, canvas = hashed_noise(11, (2, 16, 24, 24)), Canvas(24, 24)

    def drawn(text, steps):
        plan = make_plan(parse(text), flow_sigmas(steps, SHIFT), canvas, autoencoder=True)
        trace = Trace(2, canvas, 2, plan)
        out = sample(denoise, noise, plan, trace=trace, autoencoder=PictureCodec(demo.autoencoder))
        return demo.autoencoder.decode(out), trace.tokens

    truth, _ = drawn("full", 20)
    copy, cost = drawn("draft 1/2 x10; refine 0.6 x2", 12)
    bridge, same = drawn("draft 1/2 x10; refine 0.6 via pixels x2", 12)
    assert cost == same

    def error(pictures):
        return float((pictures - truth).square().mean())

    assert error(bridge) < 0.7 * error(copy)
