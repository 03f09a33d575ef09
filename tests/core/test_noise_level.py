import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fresco_core.canvas.haar import merge
from fresco_core.canvas.levels import LEVELS, THREE_QUARTERS
from fresco_core.canvas.noise_level import FLOW, VE, Flow, over_batch, recompose
from fresco_core.look.dense import coarse_state

shares = st.floats(0.0, 1.0)


@given(shares, st.sampled_from(LEVELS[1:]))
def test_flow_level_state_has_its_own_noise_level(sigma, level):
    """The pair (signal, noise) of the merged, rescaled canvas is (1 - s, s) at s = level_sigma."""
    s = FLOW.level_sigma(sigma, level)
    scale = FLOW.state_scale(sigma, level)
    assert scale * (1 - sigma) == pytest.approx(1 - s, abs=1e-12)
    assert scale * sigma / 2**level == pytest.approx(s, abs=1e-12)


@given(st.floats(1e-3, 200.0), st.sampled_from(LEVELS[1:]))
def test_exploding_level_state_has_its_own_noise_level(sigma, level):
    assert VE.state_scale(sigma, level) == 1.0
    assert VE.level_sigma(sigma, level) * 2**level == pytest.approx(sigma)
    assert VE.from_share(VE.share(sigma)) == pytest.approx(sigma, rel=1e-6)


@pytest.mark.parametrize("parameterisation", [FLOW, VE, Flow(noise_scale=2.0)])
@pytest.mark.parametrize("level", [THREE_QUARTERS, 1, 2])
def test_merged_canvas_is_a_state_of_the_same_family(parameterisation, level):
    """Measured on samples: residual noise of the level state is white with the level's own deviation."""
    generator = torch.Generator().manual_seed(1)
    x0 = torch.randn(8, 2, 64, 64, generator=generator)
    noise = torch.randn(8, 2, 64, 64, generator=generator)
    sigma = torch.tensor(0.6)
    state, s = coarse_state(recompose(x0, noise, sigma, parameterisation), sigma, level, parameterisation)
    residual = state - parameterisation.signal(s) * merge(x0, level)
    wanted = float(parameterisation.noise(s))
    assert float(residual.std()) == pytest.approx(wanted, rel=6 / residual.numel() ** 0.5)
    torch.testing.assert_close(residual, parameterisation.noise(s) * 2**level * merge(noise, level))


@given(st.integers(1, 4))
def test_sigma_per_sample_shapes(batch):
    x = torch.zeros(batch, 2, 3, 4, 4)
    assert over_batch(torch.rand(batch), x).shape == (batch, 1, 1, 1, 1)
    assert over_batch(torch.tensor(0.5), x).ndim == 0
