"""Rivals on denoisers of which the answer is known."""

import math

import pytest
import torch

pytest.importorskip("PIL")

from benchmarks.quality.rivals import RIVALS, WORDS, Painter, rival_of
from benchmarks.quality.rivals.dvg import SHIFTS
from benchmarks.quality.rivals.selflift import lift
from benchmarks.quality.rivals.speed import activation, fit_spectrum
from fresco_core.canvas.haar import merge
from fresco_core.sampling import flow_sigmas

STEP, HALF_STEP, CROSSING = 100, 25, 7
SHIFT = 2.0


class Codec:
    """An autoencoder that changes nothing: pictures are latents."""

    scale = 1

    def decode(self, latent):
        return latent

    def encode(self, pixels):
        return pixels


def painter(clean, batch=3, side=16):
    """A painter whose model predicts clean(x, sigma (B,)), and the list of what it was asked."""
    asked = []

    def denoiser(rows):
        def denoise(x, sigma):
            asked.append((x.clone(), float(sigma[0]), None if rows is None else rows.tolist()))
            return clean(x, sigma)

        return denoise

    noise = torch.randn(batch, 4, side, side, generator=torch.Generator().manual_seed(0))
    costs = (lambda level: (STEP, HALF_STEP)[level], lambda: CROSSING)
    return Painter(denoiser, Codec(), noise, 0, SHIFT, *costs, lambda: (200.0, 2.0)), asked


def constant(x, sigma):
    """The model of a data set of one picture, all 0.5: every sampler ends there exactly."""
    return torch.full_like(x, 0.5)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("steps", (4, 7, 12))
def test_every_rival_draws_the_only_picture_there_is(name, steps):
    brush, asked = painter(constant)
    drawn = rival_of(name)(brush, flow_sigmas(steps, SHIFT))
    torch.testing.assert_close(drawn, torch.full_like(brush.noise, 0.5))
    sigmas = [sigma for _, sigma, _ in asked]
    sides = [x.shape[-1] for x, _, _ in asked]
    assert sides == sorted(sides) and sides[-1] == 16 and 1.0 == sigmas[0] >= max(sigmas)
    evaluations = [STEP if side == 16 else HALF_STEP for side in sides]
    if name != "easycache":
        crossing = CROSSING * (name in ("hires-fix", "selflift"))
        assert len(asked) == steps
        assert brush.flops.tolist() == [sum(evaluations) + crossing] * 3


@pytest.mark.parametrize("name", [name for name in RIVALS if name != "easycache"])
def test_states_carry_the_noise_of_their_sigma(name):
    """Of a model that predicts nothing, every state must have the deviation of its sigma, at both sizes."""
    brush, asked = painter(lambda x, sigma: torch.zeros_like(x), batch=8, side=32)
    rival_of(name)(brush, flow_sigmas(8, SHIFT))
    for x, sigma, _ in asked:
        assert float(x.std()) == pytest.approx(sigma, rel=0.05)


def test_rivals_are_named_and_numbers_read():
    assert set(WORDS) == set(RIVALS)
    assert rival_of("draft 1/2 x2; refine 0.9") is None and rival_of("full") is None and rival_of("") is None
    with pytest.raises(ValueError):
        rival_of("speed much")


def test_the_hires_fix_samples_the_last_half_again():
    brush, asked = painter(constant)
    rival_of("hires-fix 0.5 0.5")(brush, flow_sigmas(8, SHIFT))
    whole = flow_sigmas(8, SHIFT)  # 4 steps at denoise 0.5 are the last 4 of 8
    assert [s for _, s, _ in asked][4:] == pytest.approx(whole[4:8])


def test_two_stages_start_where_they_are_told():
    brush, asked = painter(constant)
    rival_of("two-stage 0.5 0.75")(brush, flow_sigmas(8, SHIFT))
    assert asked[4][1] == pytest.approx(0.75) and asked[4][0].shape[-1] == 16
    starts = [x for x, _, _ in asked if x.shape[-1] == 16]
    assert not torch.allclose(starts[0] - 0.125, 0.75 * brush.noise), "its noise is not the run's own"


def test_speed_switches_where_its_rule_says_and_keeps_what_half_size_had():
    assert activation(203.615097, 1.915461, 32, 0.01) == pytest.approx(0.853, abs=5e-4)  # its paper's FLUX
    assert activation(203.615097, 1.915461, 32, 0.1) == pytest.approx(0.638, abs=5e-4)
    brush, asked = painter(lambda x, sigma: x * 0.3)
    rival_of("speed 0.2")(brush, flow_sigmas(10, SHIFT))
    switch = next(i for i, (x, _, _) in enumerate(asked) if x.shape[-1] == 16)
    own = flow_sigmas(10, SHIFT)
    assert own[switch] <= activation(200.0, 2.0, 4, 0.2) < own[switch - 1]
    assert asked[switch][1] == pytest.approx(2 * own[switch] / (1 + own[switch]))
    low, high = asked[switch - 1][0], asked[switch][0]
    here, there = own[switch - 1], own[switch]
    half = low + (low - 0.3 * low) * (there - here) / here
    means = high.mean((-2, -1)) / half.mean((-2, -1))  # DCT's first coefficient: side times the mean
    torch.testing.assert_close(means, torch.full_like(means, 0.5 * 2 / (1 + there)), rtol=1e-3, atol=1e-4)


def test_the_spectrum_of_a_power_law_is_found():
    side, index = 32, torch.arange(32.0) / 2
    radius = torch.sqrt(index[:, None] ** 2 + index[None, :] ** 2).clamp(min=0.5)
    generator = torch.Generator().manual_seed(0)
    line = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi * line[:, None] * (2 * line + 1) / (2 * side)) * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    white = torch.randn(64, 16, side, side, generator=generator, dtype=torch.float64)
    latents = matrix.T @ (white * 10 * radius**-1.0) @ matrix
    amplitude, exponent = fit_spectrum(latents)
    assert exponent == pytest.approx(2.0, abs=0.1) and amplitude == pytest.approx(100, rel=0.15)


def test_selflift_corrects_the_riskiest_places_only():
    latent = torch.zeros(2, 3, 4, 4)
    anchor = torch.arange(16.0).reshape(1, 1, 4, 4).expand(2, 3, 4, 4)
    lifted = lift(latent, anchor, 0.25)
    moved = lifted[0, 0].flatten()
    assert (moved != 0).sum() == 4
    assert moved[-1] == 15 and moved[-4] == pytest.approx(0.5 * 12)
    torch.testing.assert_close(lift(latent, latent, 0.3), latent)
    assert lift(latent, anchor, 1.0)[0, 0, 0, 1] > 0


def test_selflift_adds_no_evaluation_and_goes_on_along_the_grid():
    brush, asked = painter(constant)
    rival_of("selflift 0.3 0.75")(brush, flow_sigmas(8, SHIFT))
    assert [s for _, s, _ in asked] == pytest.approx(flow_sigmas(8, SHIFT)[:8])
    assert [x.shape[-1] for x, _, _ in asked] == [8] * 6 + [16] * 2


def test_dvg_rewinds_to_its_papers_sigmas():
    brush, asked = painter(constant)
    rival_of("dvg 7")(brush, flow_sigmas(100, SHIFT))
    sigmas = [s for _, s, _ in asked]
    assert [round(sigmas[i], 2) for i in (28, 50, 72)] == [0.96, 0.92, 0.81]
    assert all(sigmas[i] > sigmas[i - 1] for i in (28, 50)) and sigmas[72] < sigmas[71]
    assert SHIFTS[2] == SHIFTS[3], "so that the last stage is no rewind"
    fields = [asked[i][0] - (1 - sigmas[i]) * 0.5 for i in (28, 50, 72)]
    assert all(torch.allclose(field[0], field[1], atol=1e-6) for field in fields), "one field for all"
    torch.testing.assert_close(merge(brush.noise, 1).shape, asked[0][0].shape)


def test_easycache_reuses_what_does_not_change():
    """Of a constant velocity every step between the warm-up and the last may be skipped, at no error."""

    def straight(x, sigma):
        return x - sigma[:, None, None, None] * 0.5  # velocity 0.5 everywhere

    brush, asked = painter(straight)
    drawn = rival_of("easycache 0.05")(brush, flow_sigmas(10, SHIFT))
    assert len(asked) < 6 and asked[-1][1] == pytest.approx(flow_sigmas(10, SHIFT)[9])
    assert float((drawn - (brush.noise - 0.5)).abs().max()) < 0.5
    brush, asked = painter(straight)
    exact = rival_of("easycache 0")(brush, flow_sigmas(10, SHIFT))
    assert len(asked) == 10
    torch.testing.assert_close(exact, brush.noise - 0.5)


def test_easycache_decides_for_each_picture():
    """One picture's model is steady, another's is not: only the steady one is skipped and cheaper."""

    def clean(x, sigma):
        wild = x[:, :1, :1, :1].sign() * torch.sin(40 * sigma)[:, None, None, None]
        return x - sigma[:, None, None, None] * torch.where(x.abs().amax((1, 2, 3), True) > 50, wild, 0.5)

    brush, _ = painter(clean, batch=2)
    brush.noise = torch.stack((brush.noise[0], brush.noise[1] + 100))
    rival_of("easycache 0.05")(brush, flow_sigmas(20, SHIFT))
    assert brush.flops[0] < brush.flops[1] <= 20 * STEP
