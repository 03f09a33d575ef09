"""A coarse run is a native low-resolution run; what lies beyond the edge of a canvas."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_euler import sample_euler

from fresco_core.canvas.edge import Margin
from fresco_core.canvas.haar import level_size, merge, padded_size
from fresco_core.canvas.levels import THREE_QUARTERS
from fresco_core.canvas.noise_level import FLOW, VE, recompose
from fresco_core.look.dense import coarse_state, dense_look, levelled
from fresco_core.sampling import euler_step, flow_sigmas


def network(seed, channels=2):
    """A fixed nonlinear denoiser of any size: two convolutions and a dependence on sigma."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(8, channels, 3, 3, generator=generator, dtype=torch.float64) * 0.3
    second = torch.randn(channels, 8, 3, 3, generator=generator, dtype=torch.float64) * 0.3

    def denoise(x, sigma):
        s = sigma.reshape(-1, 1, 1, 1)
        y = torch.tanh(torch.nn.functional.conv2d(x, first, padding=1) + s)
        return torch.nn.functional.conv2d(y, second, padding=1) + 0.2 * (1 - s) * x

    return denoise


@pytest.mark.parametrize("parameterisation", [FLOW, VE])
@given(st.sampled_from([THREE_QUARTERS, 1, 2]), st.integers(1, 3), st.integers(2, 8), st.integers(0, 2**31))
@settings(max_examples=12)
def test_all_coarse_euler_is_a_native_low_resolution_run(parameterisation, level, blocks, steps, seed):
    """The low band of an all-coarse run is Euler at low resolution over the mapped sigmas."""
    denoise = network(seed)
    size = 8 * blocks
    noise = torch.randn(
        2, 2, size, size + 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    grid = [s if parameterisation is FLOW else 10 * s for s in flow_sigmas(steps)]
    sigmas = torch.tensor(grid, dtype=torch.float64)
    start = recompose(torch.zeros_like(noise), noise, sigmas[0], parameterisation)

    ours = sample_euler(lambda x, s: dense_look(denoise, x, s, level, parameterisation), start, sigmas)
    native_start, _ = coarse_state(start, sigmas[0], level, parameterisation)
    native = sample_euler(denoise, native_start, parameterisation.level_sigma(sigmas, level))
    torch.testing.assert_close(merge(ours, level), native, rtol=1e-9, atol=1e-9)


@given(st.integers(1, 3), st.integers(3, 21), st.integers(3, 21), st.integers(0, 2**31), st.booleans())
@settings(max_examples=25)
def test_a_look_keeps_the_low_band_for_every_size(level, height, width, seed, video):
    generator = torch.Generator().manual_seed(seed)
    lead = (2, 3, 2) if video else (2, 3)
    x = torch.randn(*lead, height, width, generator=generator)
    low = torch.randn(*lead, *level_size((height, width), level), generator=generator)
    out = dense_look(lambda state, sigma: low, x, torch.full((2,), 0.5), level)
    assert out.shape == x.shape and torch.isfinite(out).all()
    even_h, even_w = (n >> level << level for n in (height, width))
    inside = merge(out[..., :even_h, :even_w], level)
    torch.testing.assert_close(inside, low[..., : even_h >> level, : even_w >> level], rtol=1e-4, atol=1e-5)
    assert torch.equal(levelled(out, level), out), "and holds no other"


@pytest.mark.parametrize("parameterisation", [FLOW, VE])
@pytest.mark.parametrize("sigma", [0.0, 1e-6, 1.0])
def test_a_look_is_finite_at_the_ends_of_the_noise(sigma, parameterisation):
    x = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    for canvas in (x, torch.zeros_like(x)):
        seen = dense_look(lambda state, own: state + own, canvas, torch.tensor(sigma), 2, parameterisation)
        assert torch.isfinite(seen).all()


def test_level_zero_is_the_denoiser_itself():
    denoise = network(3)
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    sigma = torch.tensor([0.4], dtype=torch.float64)
    assert torch.equal(dense_look(denoise, x, sigma, 0), denoise(x, sigma))


@pytest.mark.parametrize("size", [(15, 16), (17, 19), (5, 13)])
@pytest.mark.parametrize("level", [1, 2, THREE_QUARTERS])
def test_margin_keeps_the_noise_of_border_blocks_at_its_level(size, level):
    """With a right prediction every block of the level state, border blocks too, has the deviation of its
    sigma."""
    generator = torch.Generator().manual_seed(4)
    count = 6000
    padded = padded_size(size, level)
    assert padded != size
    x0 = torch.full((1, count, *size), 0.7)  # channels, as the margin's noise is shared by a batch
    noise = torch.randn(1, count, *size, generator=generator)
    sigma = torch.tensor(0.5)
    canvas = Margin(seed=8).around(recompose(x0, noise, sigma, FLOW), sigma, padded, x0)
    state, s = coarse_state(canvas, sigma, level)
    state = state[0].unsqueeze(1)
    assert state.shape[-2:] == level_size(size, level)
    deviation = state.std(dim=0) / s
    assert float((deviation - 1).abs().max()) < 5 / (2 * count) ** 0.5
    torch.testing.assert_close(state.mean(dim=0), torch.full_like(state[0], 0.7) * (1 - s), atol=0.03, rtol=0)


def test_a_margin_is_the_same_for_every_call_batch_and_picture():
    x, x0 = torch.randn(2, 3, 5, 7), torch.randn(2, 3, 5, 7)
    sigma = torch.tensor([0.6, 0.6])
    first, again = (Margin(3).around(x, sigma, (8, 8), x0) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first[..., :5, :7], x)
    twice = Margin(3).around(torch.cat((x, x)), torch.full((4,), 0.6), (8, 8), x0)
    assert torch.equal(twice[:2], first) and torch.equal(twice[2:], first)
    alone = Margin(3).around(x[1:], sigma[1:], (8, 8), x0[1:])
    assert torch.equal(alone, first[1:])
    assert Margin(3).around(x, sigma, (5, 7), x0).shape == x.shape


def test_euler_step_reaches_the_prediction_at_zero():
    x, x0 = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 4, 4)
    torch.testing.assert_close(euler_step(x, x0, torch.tensor(0.3), torch.tensor(0.0)), x0)
