"""The tokens of a mixed sequence: layout, promotion, and the state that coarse tokens are read from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas import Canvas
from fresco_core.clock import FLOW, VE, over_batch, recompose
from fresco_core.grammar import parse
from fresco_core.layout import mixed_layout
from fresco_core.look import Margin, look
from fresco_core.mixed import level_state, mixed_look
from fresco_core.plan import Mix
from fresco_core.promotion import ORDERS, Promoter, Promotion, promote, promotion_of
from fresco_core.transform import expand, merge


def random_mask(batch, frames, rows, columns, count, seed):
    score = torch.rand(batch, frames * rows * columns, generator=torch.Generator().manual_seed(seed))
    mask = torch.zeros_like(score, dtype=torch.bool)
    return mask.scatter(1, score.argsort(1)[:, :count], True).reshape(batch, frames, rows, columns)


@st.composite
def layouts(draw, max_level=2):
    batch, frames, rows, columns = (draw(st.integers(1, n)) for n in (3, 2, 5, 6))
    count = draw(st.integers(0, frames * rows * columns))
    level = draw(st.integers(1, max_level))
    seed = draw(st.integers(0, 2**31))
    mask = random_mask(batch, frames, rows, columns, count, seed)
    return mixed_layout(mask, count, level)


def tokens_by_hand(mask, level):
    """Token by token: fine raster indices, coarse ones, fine frame, coarse frame, keys."""
    frames, rows, columns = mask.shape
    side = 1 << level
    fine, coarse, keys = [], [], []
    for t in range(frames):
        for y in range(rows * side):
            for x in range(columns * side):
                if mask[t, y // side, x // side]:
                    if y % side == 0 and x % side == 0:
                        keys.append(len(fine))
                    fine.append((t, y, x))
    for t in range(frames):
        for y in range(rows):
            for x in range(columns):
                if not mask[t, y, x]:
                    keys.append(len(fine) + len(coarse))
                    coarse.append((t, y, x))
    centre = (side - 1) / 2
    in_fine = [*fine, *((t, y * side + centre, x * side + centre) for t, y, x in coarse)]
    in_coarse = [*((t, y // side, x // side) for t, y, x in fine), *coarse]
    return (
        [(t * rows * side + y) * columns * side + x for t, y, x in fine],
        [(t * rows + y) * columns + x for t, y, x in coarse],
        in_fine,
        in_coarse,
        keys,
    )


@given(layouts())
@settings(max_examples=40)
def test_indices_and_positions_are_those_found_token_by_token(layout):
    for b in range(len(layout.mask)):
        fine, coarse, in_fine, in_coarse, keys = tokens_by_hand(layout.mask[b], layout.level)
        assert layout.fine[b].tolist() == fine and layout.coarse[b].tolist() == coarse
        assert [tuple(p) for p in layout.fine_frame()[b].tolist()] == in_fine
        assert [tuple(p) for p in layout.coarse_frame()[b].tolist()] == in_coarse
        assert layout.coarse_keys()[b].tolist() == keys
        rows, columns = layout.mask.shape[2:]
        of_block = [(t * rows + y) * columns + x for t, y, x in in_coarse]
        assert layout.blocks()[b].tolist() == of_block
        side = 1 << layout.level
        whole = torch.arange(layout.mask[b].numel() * side * side).reshape(-1, rows * side, columns * side)
        assert layout.corners()[b].tolist() == whole[:, ::side, ::side].flatten()[coarse].tolist()
    assert layout.tokens == len(in_fine)


@given(layouts(), st.integers(1, 3))
@settings(max_examples=40)
def test_what_is_gathered_comes_back_to_its_place(layout, size):
    batch, blocks = len(layout.mask), layout.mask[0].numel()
    fine = torch.randn(batch, blocks * 4**layout.level, size)
    coarse = torch.randn(batch, blocks, size)
    again_fine, again_coarse = layout.scatter(layout.gather(fine, coarse))
    kept = expand(layout.mask, layout.level).flatten(1).unsqueeze(-1)
    assert torch.equal(again_fine, fine * kept)
    assert torch.equal(again_coarse, coarse * ~layout.mask.flatten(1).unsqueeze(-1))
    twice = layout.for_batch(2 * batch)
    both = twice.gather(torch.cat((fine, fine)), torch.cat((coarse, coarse)))
    assert torch.equal(both, layout.gather(fine, coarse).repeat(2, 1, 1))


def test_all_fine_and_all_coarse_are_the_whole_grids_in_their_order():
    fine, coarse = torch.randn(2, 96, 3), torch.randn(2, 24, 3)
    whole = mixed_layout(torch.ones(2, 1, 4, 6, dtype=torch.bool), 24)
    assert torch.equal(whole.gather(fine, coarse), fine) and whole.coarse_keys().shape == (2, 24)
    none = mixed_layout(torch.zeros(2, 1, 4, 6, dtype=torch.bool), 0)
    assert torch.equal(none.gather(fine, coarse), coarse)
    assert torch.equal(
        none.coarse_frame()[0, :, 1:], torch.cartesian_prod(torch.arange(4.0), torch.arange(6.0))
    )


@pytest.mark.parametrize(
    "mask,count,words",
    [
        (torch.ones(1, 2, 2, dtype=torch.bool), 1, r"shape \(1, 2, 2\); expected bool \(B, T"),
        (torch.ones(1, 1, 2, 2), 1, "found a torch.float32 mask"),
        (torch.ones(1, 1, 2, 2, dtype=torch.bool), 5, "5 fine blocks of 4; expected 0 to 4"),
    ],
)
def test_layouts_that_cannot_be(mask, count, words):
    with pytest.raises(ValueError, match=words):
        mixed_layout(mask, count)


@pytest.mark.parametrize("parameterisation,at", [(FLOW, 0.6), (VE, 2.0)])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("clock", ["native", "shared"])
def test_a_coarse_token_carries_the_noise_of_its_clock(clock, level, parameterisation, at):
    """Around a known picture the state's signal and the deviation of its noise are those of its sigma."""
    generator = torch.Generator().manual_seed(1)
    x0 = torch.randn(1, 1, 8, 8, generator=generator)
    many = x0.expand(1, 40000, 8, 8)
    sigma = torch.tensor([at])
    x = recompose(many, torch.randn(many.shape, generator=generator), sigma, parameterisation)
    state, state_sigma = level_state(x, sigma, level, clock, parameterisation, many)
    assert float(state_sigma) == pytest.approx(
        at if clock == "shared" else parameterisation.level_sigma(at, level)
    )
    s = over_batch(state_sigma, state)
    expected = merge(x0, level)[0, 0] * parameterisation.signal(s)
    noise = float(parameterisation.noise(state_sigma))
    torch.testing.assert_close(state[0].mean(0), expected[0, 0], atol=5 * noise / 200, rtol=0)
    assert float((state[0].std(0) / noise - 1).abs().max()) < 5 / 80000**0.5


class PointwiseDenoiser:
    """Looks at each latent pixel by itself, so that a mixed sequence must give each token what a dense look
    gives."""

    def __call__(self, x, sigma):
        return torch.tanh(x + over_batch(sigma, x))

    def mixed(self, x, sigma, state, state_sigma, layout, frame):
        pixels = layout.fine_pixels(2, 1, x)
        coarse = torch.nn.functional.interpolate(
            (~layout.mask).float(), scale_factor=2, mode="nearest"
        ).bool()
        nan = torch.tensor(torch.nan)
        return (
            torch.where(pixels, self(x, sigma), nan),
            torch.where(coarse, self(state, state_sigma), nan),
        )


@pytest.mark.parametrize("prior", ["zero", "smooth", "wiener"])
@pytest.mark.parametrize("size", [(16, 24), (17, 19), (14, 21)])
@given(st.integers(0, 2**31))
@settings(max_examples=8)
def test_fine_blocks_are_as_in_a_full_look_and_coarse_ones_as_in_a_coarse_look(size, prior, seed):
    """Low bands of both kinds of blocks; nothing that the sequence does not hold is used."""
    canvas, denoise = Canvas(*size), PointwiseDenoiser()
    rows, columns = canvas.blocks(1)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))
    sigma, last = torch.tensor([0.5, 0.7]), torch.zeros(2, 3, *size)

    def run(count):
        layout = mixed_layout(random_mask(2, 1, rows, columns, count, seed), count)
        return layout, mixed_look(denoise, x, sigma, layout, canvas, FLOW, prior, Margin(), last)

    full = denoise(x, sigma)
    half = look(denoise, x, sigma, 1, FLOW, prior, Margin(), last)
    layout, ours = run(rows * columns // 2)
    pixels = layout.fine_pixels(2, 1, x).expand_as(x)
    assert torch.equal(ours[pixels], full[pixels])
    even = tuple(n // 2 * 2 for n in size)
    low, expected = (merge(v[..., : even[0], : even[1]]) for v in (ours, half))
    coarse = ~merge(layout.fine_pixels(2, 1, x)[..., : even[0], : even[1]].float()).bool().expand_as(low)
    torch.testing.assert_close(low[coarse], expected[coarse], atol=1e-5, rtol=1e-4)
    assert torch.equal(run(rows * columns)[1], full)
    if size == (16, 24):
        torch.testing.assert_close(run(0)[1], half, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("per_frame", [False, True])
@given(st.integers(0, 2**31), st.integers(1, 3))
@settings(max_examples=10)
def test_promotion_is_monotone_and_equal_over_the_batch(order, per_frame, seed, frames):
    canvas = Canvas(20, 28, frames)
    promoter = Promoter(Promotion(order, per_frame=per_frame), canvas, (0.25, 0.5, 0.75))
    generator = torch.Generator().manual_seed(seed)
    before = torch.zeros(2, frames, 5, 7, dtype=torch.bool)
    for share in (0.25, 0.5, 0.5, 0.75):
        layout = promoter.layout(Mix(share, 0.25, 0.75), 2, torch.device("cpu"))
        count = canvas.fine_blocks(1, share) * frames
        assert layout.mask.flatten(1).sum(1).tolist() == [count] * 2
        assert layout.tokens == canvas.mixed_tokens(1, share)
        assert (layout.mask | ~before).all()
        if not per_frame:
            assert (layout.mask == layout.mask[:, :1]).all()
        before = layout.mask
        prediction = torch.randn(2, 3, frames, 20, 28, generator=generator)
        promoter.observe(prediction, torch.rand(2, frames, 5, 7, generator=generator))


def test_low_promotes_what_has_settled_and_high_what_has_not():
    variance = torch.full((1, 1, 8, 8), 1e-3)
    variance[..., :4] = 1e-5
    masks = {}
    for order in ("low", "high"):
        promoter = Promoter(Promotion(order), Canvas(32, 32), (0.5,))
        promoter.observe(torch.zeros(1, 1, 32, 32), variance)
        masks[order] = promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu")).mask
    assert masks["low"][..., :4].all() and torch.equal(masks["high"], ~masks["low"])


def test_edges_are_promoted_where_the_prediction_has_them():
    picture = torch.zeros(1, 2, 32, 32)
    picture[..., 16:] = 1.0
    promoter = Promoter(Promotion("edge"), Canvas(32, 32), (0.25,))
    promoter.observe(picture, None)
    mask = promoter.layout(Mix(0.25, 0.25, 0.25), 1, torch.device("cpu")).mask
    assert mask[0, 0].nonzero()[:, 1].unique().tolist() == [3, 4]


@pytest.mark.parametrize("level", [0, 1])
def test_detail_is_promoted_where_the_level_shows_it(level):
    """Whatever the bands that it hides hold."""
    picture = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    picture[..., :16] = 0.01 * picture[..., :16]
    if level:
        picture[..., :16] += 10.0 * (torch.arange(32) % 2 - 0.5).expand(32, 32)[:, :16]
    promotion = Promotion(order="detail", focus="detail")
    promoter = Promoter(promotion, Canvas(32, 32), (0.5,), level)
    promoter.observe(picture)
    mask = promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu")).mask
    assert mask[..., mask.shape[-1] // 2 :].all()


@pytest.mark.parametrize("grid", [(8, 8), (16, 16), (4, 4)])
def test_what_receives_attention_is_promoted_whatever_grid_the_model_saw(grid):
    attention = torch.zeros(1, 1, *grid)
    attention[..., grid[1] // 2 :] = 1.0
    promoter = Promoter(Promotion("attention"), Canvas(32, 32), (0.5,))
    promoter.observe(torch.zeros(1, 1, 32, 32), None, attention)
    mask = promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu")).mask
    assert mask[..., 4:].all() and not mask[..., :4].any()


def test_a_later_pass_may_have_an_order_of_its_own():
    variance = torch.full((1, 1, 8, 8), 1e-3)
    variance[..., :4] = 1e-5
    promoter = Promoter(Promotion("low", refine="high"), Canvas(32, 32), (0.5,))
    promoter.observe(torch.zeros(1, 1, 32, 32), variance)
    masks = []
    for index in range(3):
        promoter.begin_pass(index)
        masks.append(promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu")).mask)
    assert masks[0][..., :4].all() and torch.equal(masks[1], ~masks[0]) and torch.equal(masks[2], masks[1])


def test_an_order_that_the_schedule_names_is_that_of_all_passes():
    asked = Promotion("low", refine="high")
    assert promotion_of(parse("mixed 50% edge, full"), asked).orders == ("edge", "edge")
    assert promotion_of(parse("mixed 50%, full"), asked) == asked


def test_smoothing_keeps_masks_compact():
    """Of noisy scores the smoothed mask has far fewer borders between fine and coarse than the plain one."""
    noisy = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    promoter = Promoter(Promotion("high"), Canvas(128, 128), (0.5,))
    promoter.observe(torch.zeros(1, 1, 128, 128), noisy)
    smooth = promoter.layout(Mix(0.5, 0.5, 0.5), 1, torch.device("cpu")).mask

    def borders(mask):
        return int(sum((mask.int().diff(dim=d) != 0).sum() for d in (-2, -1)))

    assert borders(smooth) < 0.7 * borders(promote(noisy, 512, None))


def test_tau_lets_in_what_has_settled_between_floor_and_ceiling():
    mix = Mix(0.5, 0.25, 0.75)
    for settled, share in ((0.0, 0.25), (0.6, 0.5), (1.0, 0.75)):
        variance = torch.full((2, 1, 8, 8), 1.0)
        variance.flatten(1)[:, : int(settled * 64)] = 1e-4
        variance[1] = 1e-4
        promoter = Promoter(Promotion(tau=0.01), Canvas(32, 32), (0.25, 0.5, 0.75))
        promoter.observe(torch.zeros(2, 1, 32, 32), variance)
        assert promoter.layout(mix, 2, torch.device("cpu")).fine_blocks == 64 * share


def test_promotions_that_cannot_be():
    with pytest.raises(ValueError, match="unknown promotion order 'fast'; expected one of low, high"):
        Promotion("fast")
    with pytest.raises(ValueError, match="tau is 0"):
        Promotion(tau=0.0)
