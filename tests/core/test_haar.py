"""Merging undoes expanding, the transform is orthonormal, merged white noise is
white."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas.haar import (
    expand,
    extend,
    join,
    level_size,
    merge,
    pack_channels,
    padded_size,
    split,
    unpack_channels,
)

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


@pytest.mark.parametrize("level", [1, 2, 3])
def test_merged_white_noise_is_white_with_deviation_two_to_minus_level(level):
    z = merge(normal((64, 4, 64, 64), 5), level)
    count = z.numel()
    assert abs(float(z.std()) * 2**level - 1.0) < 6.0 / (2 * count) ** 0.5
    neighbours = torch.stack([(z[..., 1:] * z[..., :-1]).mean(), (z[..., 1:, :] * z[..., :-1, :]).mean()])
    assert float(neighbours.abs().max()) * 4**level < 6.0 / count**0.5


@given(sides, sides, st.integers(0, 3), st.integers(1, 3))
def test_extended_canvases_repeat_their_border(height, width, level, multiple):
    x = normal((1, 2, height, width), 1)
    size = padded_size((height, width), level, multiple)
    assert all(side % (multiple << level) == 0 for side in size)
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
        lambda: split(torch.zeros(1, 1, 3, 4)),
        lambda: join(torch.zeros(1, 2, 2), torch.zeros(2, 1, 2, 2)),
        lambda: expand(torch.zeros(1, 1, 2, 2), 1, (5, 4)),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(ValueError, match=r"found|expected|needs even|is \(|level"):
        call()
