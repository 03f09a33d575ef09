"""The tokens of a mixed sequence: layout, promotion, and the state that coarse tokens are read from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from fresco_core.canvas.edge import Margin
from fresco_core.canvas.haar import expand, merge
from fresco_core.canvas.noise_level import FLOW, VE, over_batch, recompose
from fresco_core.canvas.size import Canvas
from fresco_core.look.dense import dense_look
from fresco_core.look.mixed import level_state, mixed_look
from fresco_core.look.promotion import ORDERS, Promoter, evenly, high, low, promote
from fresco_core.look.token_layout import mixed_layout


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
    """Token by token: fine raster indices, coarse ones, fine frame, coarse frame."""
    frames, rows, columns = mask.shape
    side = 1 << level
    fine, coarse = [], []
    for t in range(frames):
        for y in range(rows * side):
            for x in range(columns * side):
                if mask[t, y // side, x // side]:
                    fine.append((t, y, x))
    for t in range(frames):
        for y in range(rows):
            for x in range(columns):
                if not mask[t, y, x]:
                    coarse.append((t, y, x))
    centre = (side - 1) / 2
    placed = [*fine, *((t, y * side + centre, x * side + centre) for t, y, x in coarse)]
    return (
        [(t * rows * side + y) * columns * side + x for t, y, x in fine],
        [(t * rows + y) * columns + x for t, y, x in coarse],
        placed if fine else coarse,
    )


@given(layouts())
@settings(max_examples=40)
def test_indices_and_positions_are_those_found_token_by_token(layout):
    for b in range(len(layout.mask)):
        fine, coarse, placed = tokens_by_hand(layout.mask[b], layout.level)
        assert layout.fine[b].tolist() == fine and layout.coarse[b].tolist() == coarse
        assert [tuple(p) for p in layout.positions()[b].tolist()] == placed
    assert layout.tokens == len(placed)


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
    assert torch.equal(whole.gather(fine, coarse), fine)
    none = mixed_layout(torch.zeros(2, 1, 4, 6, dtype=torch.bool), 0)
    assert torch.equal(none.gather(fine, coarse), coarse)
    assert torch.equal(none.positions()[0, :, 1:], torch.cartesian_prod(torch.arange(4.0), torch.arange(6.0)))


@pytest.mark.parametrize(
    "mask,count,words",
    [
        (torch.ones(1, 2, 2, dtype=torch.bool), 1, r"mask of \(1, 2, 2\); expected bool \(B, T"),
        (torch.ones(1, 1, 2, 2), 1, "a torch.float32 mask"),
        (torch.ones(1, 1, 2, 2, dtype=torch.bool), 5, "5 fine blocks of 4; expected 0 to 4"),
    ],
)
def test_layouts_that_cannot_be(mask, count, words):
    with pytest.raises(ValueError, match=words):
        mixed_layout(mask, count)


@pytest.mark.parametrize("parameterisation,at", [(FLOW, 0.6), (VE, 2.0)])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("own_clock", [True, False])
def test_a_coarse_token_carries_the_noise_of_its_clock(own_clock, level, parameterisation, at):
    """Around a known picture the state's signal and the deviation of its noise are those of its sigma."""
    generator = torch.Generator().manual_seed(1)
    x0 = torch.randn(1, 1, 8, 8, generator=generator)
    many = x0.expand(1, 40000, 8, 8)
    sigma = torch.tensor([at])
    x = recompose(many, torch.randn(many.shape, generator=generator), sigma, parameterisation)
    state, state_sigma = level_state(x, sigma, level, own_clock, parameterisation, many)
    assert float(state_sigma) == pytest.approx(parameterisation.level_sigma(at, level) if own_clock else at)
    s = over_batch(state_sigma, state)
    expected = merge(x0, level)[0, 0] * parameterisation.signal(s)
    noise = float(parameterisation.noise(state_sigma))
    torch.testing.assert_close(state[0].mean(0), expected[0, 0], atol=5 * noise / 200, rtol=0)
    assert float((state[0].std(0) / noise - 1).abs().max()) < 5 / 80000**0.5


class PointwiseDenoiser:
    """Looks at each latent pixel by itself, so that a mixed sequence must give each token what a dense look
    gives."""

    own_clock = True

    def __call__(self, x, sigma):
        return torch.tanh(x + over_batch(sigma, x))

    def mixed(self, x, sigma, state, state_sigma, layout):
        pixels = layout.fine_pixels(2, 1, x)
        coarse = torch.nn.functional.interpolate(
            (~layout.mask).float(), scale_factor=2, mode="nearest"
        ).bool()
        nan = torch.tensor(torch.nan)
        return (
            torch.where(pixels, self(x, sigma), nan),
            torch.where(coarse, self(state, state_sigma), nan),
        )


@pytest.mark.parametrize("size", [(16, 24), (17, 19), (14, 21)])
@given(st.integers(0, 2**31))
@settings(max_examples=8)
def test_fine_blocks_are_as_in_a_full_look_and_coarse_ones_as_in_a_coarse_look(size, seed):
    """Low bands of both kinds of blocks; nothing that the sequence does not hold is used."""
    canvas, denoise = Canvas(*size), PointwiseDenoiser()
    rows, columns = canvas.blocks(1)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))
    sigma, last = torch.tensor([0.5, 0.7]), torch.zeros(2, 3, *size)

    def run(count):
        layout = mixed_layout(random_mask(2, 1, rows, columns, count, seed), count)
        return layout, mixed_look(denoise, x, sigma, layout, canvas, FLOW, Margin(), last)

    full = denoise(x, sigma)
    half = dense_look(denoise, x, sigma, 1, FLOW, Margin(), last)
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
@given(st.integers(0, 2**31), st.integers(1, 3))
@settings(max_examples=10)
def test_promotion_is_monotone_and_equal_over_the_batch(order, seed, frames):
    canvas = Canvas(20, 28, frames)
    promoter = Promoter(canvas, ORDERS[order])
    generator = torch.Generator().manual_seed(seed)
    before = torch.zeros(2, frames, 5, 7, dtype=torch.bool)
    for fine in (0.25, 0.5, 0.5, 0.75):
        layout = promoter.layout(fine, 2, torch.device("cpu"))
        count = canvas.fine_blocks(1, fine) * frames
        assert layout.mask.flatten(1).sum(1).tolist() == [count] * 2
        assert layout.tokens == canvas.mixed_tokens(1, fine)
        assert (layout.mask | ~before).all()
        assert (layout.mask == layout.mask[:, :1]).all()
        before = layout.mask
        prediction = torch.randn(2, 3, frames, 20, 28, generator=generator)
        promoter.observe(prediction, torch.rand(2, frames, 5, 7, generator=generator))


def test_low_promotes_what_has_settled_and_high_what_has_not():
    variance = torch.full((1, 1, 8, 8), 1e-3)
    variance[..., :4] = 1e-5
    masks = {}
    for order in (low, high):
        promoter = Promoter(Canvas(32, 32), order)
        promoter.observe(torch.zeros(1, 1, 32, 32), variance)
        masks[order] = promoter.layout(0.5, 1, torch.device("cpu")).mask
    assert masks[low][..., :4].all() and torch.equal(masks[high], ~masks[low])


@pytest.mark.parametrize("grid", [(8, 8), (16, 16), (4, 4)])
def test_values_are_brought_to_the_grid_of_blocks_whatever_grid_they_are_on(grid):
    variance = torch.full((1, 1, *grid), 1e-5)
    variance[..., grid[1] // 2 :] = 1.0
    promoter = Promoter(Canvas(32, 32), high)
    promoter.observe(torch.zeros(1, 1, 32, 32), variance)
    mask = promoter.layout(0.5, 1, torch.device("cpu")).mask
    assert mask[..., 4:].all() and not mask[..., :4].any()


def test_an_order_of_ones_own_sees_the_prediction_the_variance_and_the_grid():
    """Where it has nothing to say, the score before holds; before the first one blocks are spread evenly."""
    seen, scores = [], [None, torch.arange(64.0).reshape(1, 1, 8, 8), None]

    def order(prediction, variance, grid):
        seen.append((prediction.shape, None if variance is None else variance.shape, grid))
        return scores[len(seen) - 1]

    promoter, masks = Promoter(Canvas(32, 32), order), []
    for variance in (None, torch.ones(1, 1, 16, 16), None):
        promoter.observe(torch.zeros(1, 2, 32, 32), variance)
        promoter.begin_pass()
        masks.append(promoter.layout(0.5, 1, torch.device("cpu")).mask)
    whole, blocks = torch.Size([1, 2, 32, 32]), torch.Size([1, 1, 8, 8])
    assert seen == [(whole, None, (1, 8, 8)), (whole, blocks, (1, 8, 8)), (whole, blocks, (1, 8, 8))]
    assert masks[0][..., :4, :].any() and masks[0][..., 4:, :].any()
    assert masks[1][..., 4:, :].all() and torch.equal(masks[1], masks[2])


def test_smoothing_keeps_masks_compact():
    """Of noisy scores the smoothed mask has far fewer borders between fine and coarse than the plain one."""
    noisy = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    promoter = Promoter(Canvas(128, 128), high)
    promoter.observe(torch.zeros(1, 1, 128, 128), noisy)
    smooth = promoter.layout(0.5, 1, torch.device("cpu")).mask

    def borders(mask):
        return int(sum((mask.int().diff(dim=d) != 0).sum() for d in (-2, -1)))

    assert borders(smooth) < 0.7 * borders(promote(noisy, 512, None))


class WithoutDoubles(TorchDispatchMode):
    """A device that has no float64, as Apple's; meta stands for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.dtype == torch.float64:
            assert out.device.type != "meta", "float64 on a device that has none"
        return out


def test_blocks_are_spread_evenly_on_a_device_without_float64():
    with WithoutDoubles():
        assert evenly((2, 4, 6), torch.device("meta")).shape == (1, 2, 4, 6)
    best = evenly((1, 4, 4), torch.device("cpu")).flatten().topk(4).indices
    assert {int(i) // 8 for i in best} == {0, 1}, "both halves have some"
