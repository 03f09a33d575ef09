"""`spectral` on tiny models of the host's own classes: levels that a run finds, and what is told of it."""

import pytest
import tiny
import torch

pytestmark = pytest.mark.usefixtures("any_size")

BOUNDED = "spectral 0.0003 x8, full x4"


@pytest.fixture
def flux():
    return tiny.build("flux", size=(32, 32))


def run(model, apply, schedule, **options):
    traces, told = [], []
    patched = apply(model.patcher, schedule, traces=traces, tell=told.append)
    samples = tiny.sample(patched, model, steps=12, **options)
    return samples, traces[0], told[0]


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m_sde", "dpm_fast", "uni_pc"])
def test_levels_only_become_finer_and_the_full_steps_stay(flux, apply, sampler):
    first, trace, _ = run(flux, apply, BOUNDED, sampler=sampler)
    again, other, _ = run(flux, apply, BOUNDED, sampler=sampler)
    levels = [e.level for e in trace.evaluations]
    assert torch.isfinite(first).all() and torch.equal(first, again)
    assert levels == [e.level for e in other.evaluations] == sorted(levels, reverse=True)
    assert levels[0] == 2 and levels.count(0) >= 4 and levels[-1] == 0


def test_the_tolerance_decides(flux, apply):
    tokens = {}
    for tolerance in (1e-9, 0.0003, 1e9):
        _, trace, told = run(flux, apply, f"spectral {tolerance:.9f} x8, full x4")
        tokens[tolerance] = trace.tokens
        assert (
            trace.plan.tokens() <= trace.tokens and "8 at 1/4 or finer resolution (16 to 256 tokens)" in told
        )
        assert "up to" in told and "at least" in told
    assert list(tokens.values()) == sorted(tokens.values(), reverse=True)
    assert tokens[1e9] == 8 * 16 + 4 * 256 and tokens[1e-9] > 9 * 256


@pytest.mark.parametrize("family", ["flux2", "wan", "sd15", "z_image"])
def test_families(apply, family):
    if family not in tiny.available():
        pytest.skip(f"this host has no {family}")
    model = tiny.build(family, size=(32, 32))
    samples, trace, _ = run(model, apply, "draft spectral x6; refine 0.9 x6")
    levels = [e.level for e in trace.evaluations]
    assert torch.isfinite(samples).all() and levels[0] > 0 and levels[6:] == [0] * 6
    assert levels[:6] == sorted(levels[:6], reverse=True)


def test_a_draft_that_settles_at_full_resolution_asks_the_device_no_more(flux, apply, monkeypatch):
    from fresco_pack.fresco_core import SpectralRule

    reads = []
    real = SpectralRule.read
    monkeypatch.setattr(SpectralRule, "read", lambda self, sigma: reads.append(1) or real(self, sigma))
    _, trace, _ = run(flux, apply, "draft spectral 0.000000001 x8; refine 0.9 x4")
    coarse = sum(e.level > 0 for e in trace.evaluations)
    assert 0 < coarse < 8 and len(reads) == coarse + 1


def test_a_run_from_a_picture_knows_its_detail_from_the_start(flux, apply):
    first, grid = {}, torch.linspace(0.96, 0.0, 13)
    for name, latent in (("flat", torch.ones(1, 16, 32, 32)), ("rough", 4.0 * torch.randn(1, 16, 32, 32))):
        _, trace, _ = run(flux, apply, "spectral 0.01 x8, full x4", sigmas=grid, latent=latent)
        first[name] = trace.evaluations[0].level
    assert first == {"flat": 2, "rough": 0}
