"""Merging undoes expanding, the transform is orthonormal, merged white noise is
white."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas.haar import (
    expand,
    extend,
    level_size,
    merge,
    pack_channels,
    padded_size,
    split,
    unpack_channels,
)
from fresco_core.canvas.levels import LEVELS, THREE_QUARTERS, side_at
from fresco_core.demo.closed_form import join

sides = st.integers(1, 23)
levels = st.integers(0, 3)
dtypes = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])
leads = st.sampled_from([(1, 1), (2, 3), (1, 4, 3), (2, 2, 2)])


def normal(shape, seed, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@given(sides, sides, levels, dtypes, leads, st.integers(0, 2**31))
@settings(max_examples=150)
def test_merge_undoes_expand_exactly_for_every_size(height, width, level, dtype, lead, seed):
    coarse = level_size((height, width), level)
    z = normal((*lead, *coarse), seed, dtype)
    canvas = expand(z, level, (height, width))
    assert canvas.shape == (*lead, height, width) and canvas.dtype == dtype
    assert torch.equal(merge(canvas, level), z)


@given(st.integers(1, 6), st.integers(1, 6), dtypes, leads, st.integers(0, 2**31))
@settings(max_examples=60)
def test_three_quarters_are_a_band_of_an_orthonormal_transform(rows, columns, dtype, lead, seed):
    size = 4 * rows, 4 * columns
    z = normal((*lead, 3 * rows, 3 * columns), seed, dtype)
    canvas = expand(z, THREE_QUARTERS, size)
    assert canvas.shape == (*lead, *size) and canvas.dtype == dtype
    close = {torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    torch.testing.assert_close(merge(canvas, THREE_QUARTERS), z, rtol=close, atol=close)
    x = normal((*lead, *size), seed + 1, torch.float64)
    low = expand(merge(x, THREE_QUARTERS), THREE_QUARTERS)
    assert abs(float((low * (x - low)).sum())) < 1e-9
    torch.testing.assert_close(merge(x * 0 + 0.7, THREE_QUARTERS), 0.7 + 0 * merge(x, THREE_QUARTERS))


def test_three_quarters_keep_where_things_are():
    """A ramp comes out as a ramp, about: no pixel of the three lies elsewhere than its third of the block."""
    x = (torch.arange(64.0) + 0.5).expand(8, 64)
    wanted = (torch.arange(48.0) + 0.5) * 4 / 3
    assert float((merge(x, THREE_QUARTERS) - wanted).abs().max()) < 0.1


@given(st.integers(1, 9), st.integers(1, 9), leads, st.integers(0, 2**31))
@settings(max_examples=60)
def test_split_is_orthonormal_and_join_inverts_it(h, w, lead, seed):
    x = normal((*lead, 2 * h, 2 * w), seed, torch.float64)
    low, details = split(x)
    torch.testing.assert_close(join(low, details), x)
    torch.testing.assert_close((low**2).sum() + (details**2).sum(), (x**2).sum())
    torch.testing.assert_close(low, 2.0 * merge(x, 1))


def test_split_rows_are_the_hadamard_matrix():
    rows = []
    for i in range(4):
        x = torch.zeros(1, 1, 4)
        x[0, 0, i] = 1.0
        low, details = split(x.reshape(1, 2, 2))
        rows.append(torch.cat((low.reshape(1), details.reshape(3))))
    matrix = torch.stack(rows)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(4))
    assert set(matrix.abs().flatten().tolist()) == {0.5}


@pytest.mark.parametrize("level", LEVELS[1:])
def test_merged_white_noise_is_white_with_deviation_two_to_minus_level(level):
    z = merge(normal((64, 4, 64, 64), 5), level)
    count = z.numel()
    assert abs(float(z.std()) * 2**level - 1.0) < 6.0 / (2 * count) ** 0.5
    neighbours = torch.stack([(z[..., 1:] * z[..., :-1]).mean(), (z[..., 1:, :] * z[..., :-1, :]).mean()])
    assert float(neighbours.abs().max()) * 4**level < 6.0 / count**0.5


@given(sides, sides, st.sampled_from(LEVELS), st.integers(1, 3))
def test_extended_canvases_repeat_their_border(height, width, level, multiple):
    x = normal((1, 2, height, width), 1)
    size = padded_size((height, width), level, multiple)
    assert all(side_at(side, level) % multiple == 0 for side in size)
    assert level_size(size, level) == tuple(side_at(side, level) for side in size)
    out = extend(x, size)
    assert torch.equal(out[..., :height, :width], x)
    assert torch.equal(out[..., height:, :width], x[..., -1:, :].expand(1, 2, size[0] - height, width))
    assert torch.equal(out[..., width:], out[..., width - 1 : width].expand(1, 2, size[0], size[1] - width))


def test_packed_channels_merge_as_the_pixels_they_hold():
    x = normal((1, 8, 8, 12), 3)
    packed = pack_channels(x, 2)
    assert packed.shape == (1, 32, 4, 6)
    assert torch.equal(unpack_channels(packed, 2), x)
    assert torch.equal(merge(unpack_channels(packed, 2), 1), merge(x, 1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: merge(torch.zeros(3), 1),
        lambda: merge(torch.zeros(1, 1, 4, 4), -1),
        lambda: merge(torch.zeros(1, 1, 4, 4), 0.5),
        lambda: split(torch.zeros(1, 1, 3, 4)),
        lambda: join(torch.zeros(1, 2, 2), torch.zeros(2, 1, 2, 2)),
        lambda: expand(torch.zeros(1, 1, 2, 2), 1, (5, 4)),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(ValueError, match=r"found|expected|needs even|is \(|level"):
        call()
