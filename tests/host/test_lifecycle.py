"""What is left behind: nothing. And bad input."""

import comfy.model_management
import pytest
import tiny
import torch

TWO_PASS = "draft 1/2 x4; refine 0.75 x3"


def state_of(patcher):
    """Everything about a patcher and its model that a run could leave changed."""
    options = patcher.model_options["transformer_options"]
    return (
        sorted(options),
        {kind: sorted(keys) for kind, keys in patcher.wrappers.items() if keys},
        sorted(vars(patcher.model)),
        sorted(vars(patcher.model.diffusion_model)),
    )


def test_the_incoming_model_is_untouched_and_applying_twice_replaces(flux, apply):
    before = state_of(flux.patcher)
    plain = tiny.sample(flux.patcher, flux, steps=7)
    once = apply(flux.patcher, TWO_PASS)
    patched = apply(apply(flux.patcher, "1/4 until 0.5, full"), TWO_PASS)
    counts = [{kind: len(keys["fresco"]) for kind, keys in p.wrappers.items()} for p in (once, patched)]
    assert counts[0] == counts[1] and set(counts[0].values()) <= {1, 2}
    tiny.sample(patched, flux, steps=7)
    tiny.sample(patched, flux, steps=7)
    assert state_of(flux.patcher) == before
    assert torch.equal(tiny.sample(flux.patcher, flux, steps=7), plain)


@pytest.mark.parametrize(
    "failure", [RuntimeError, comfy.model_management.InterruptProcessingException, KeyboardInterrupt]
)
@pytest.mark.parametrize("call", [2, 5])
def test_an_error_or_interrupt_in_either_pass_leaves_nothing(flux, apply, failure, call):
    plain = tiny.sample(flux.patcher, flux, steps=7)
    patched = apply(flux.patcher, TWO_PASS)
    good = tiny.sample(patched, flux, steps=7)
    before, patched_before = state_of(flux.patcher), state_of(patched)
    calls = []

    def fail(module, args, kwargs=None):
        calls.append(1)
        if len(calls) >= call:  # in full as well, where a coarse look is made again
            raise failure()

    handle = flux.model.diffusion_model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(failure):
            tiny.sample(patched, flux, steps=7)
    finally:
        handle.remove()
    assert state_of(flux.patcher) == before and state_of(patched) == patched_before
    assert torch.equal(tiny.sample(flux.patcher, flux, steps=7), plain)
    assert torch.equal(tiny.sample(patched, flux, steps=7), good)


@pytest.mark.parametrize(
    "schedule,steps,message",
    [
        ("draft 1/2 x4; refine 0.75 x4", 7, "sets 8 steps, but the sampler has 7"),
        ("1/8 until 0.5, full", 7, "fewer than 2 tokens a side"),
    ],
)
def test_schedules_that_do_not_fit_the_run(flux, apply, monkeypatch, schedule, steps, message):
    import comfy.sampler_helpers

    loaded = []
    prepare = comfy.sampler_helpers.prepare_sampling
    monkeypatch.setattr(
        comfy.sampler_helpers, "prepare_sampling", lambda *a, **k: loaded.append(1) or prepare(*a, **k)
    )
    with pytest.raises(ValueError, match=message):
        tiny.sample(apply(flux.patcher, schedule), flux, steps=steps)
    assert loaded == [], "the error comes before the model is loaded"
    tiny.sample(flux.patcher, flux, steps=steps)
    assert loaded


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_latents_and_noise_that_are_not_finite(flux, apply, bad):
    values = torch.zeros(1, 16, 16, 16)
    values[0, 0, 3, 3] = bad
    with tiny.count_image_tokens(flux) as seen:
        with pytest.raises(ValueError, match="latent has"):
            tiny.sample(apply(flux.patcher, TWO_PASS), flux, steps=7, latent=values, denoise=0.9)
        with pytest.raises(ValueError, match="noise has"):
            tiny.sample(apply(flux.patcher, TWO_PASS), flux, steps=7, noise=values)
    assert seen == []


def test_sigmas_that_are_no_numbers(flux, apply):
    with pytest.raises(ValueError, match="not all finite"):
        tiny.sample(apply(flux.patcher, TWO_PASS), flux, sigmas=torch.tensor([1.0, float("nan"), 0.5, 0.0]))


@pytest.mark.parametrize(
    "sigmas", [[1.0, 0.5, 0.7, 0.2, 0.1, 0.05, 0.01, 0.0], [0.0001, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.99]]
)
def test_sigmas_that_rise_are_the_samplers_own(flux, apply, caplog, sigmas):
    latent = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(3))
    own = {"latent": latent, "sigmas": torch.tensor(sigmas)}
    plain = tiny.sample(flux.patcher, flux, **own)
    with caplog.at_level("WARNING"):
        assert torch.equal(tiny.sample(apply(flux.patcher, TWO_PASS), flux, **own), plain)
    assert sum("sigmas rise at step" in r.message for r in caplog.records) == 1


@pytest.mark.parametrize("size,steps,reason", [((2, 2), 7, "too small"), ((16, 16), 1, "too short")])
def test_too_small_or_too_short_runs_plain_and_says_so_once(apply, caplog, size, steps, reason):
    model = tiny.build("flux", size=size)
    plain = tiny.sample(model.patcher, model, steps=steps)
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, "draft 1/2; refine 0.75"), model, steps=steps)
    assert torch.equal(ours, plain)
    said = [r.message for r in caplog.records if "Fresco runs plain" in r.message]
    assert len(said) == 1 and reason in said[0]


def test_a_latent_that_is_no_picture_runs_plain_and_says_so(flux, apply, caplog, monkeypatch):
    monkeypatch.setattr(flux.model.latent_format, "latent_dimensions", 1, raising=False)
    plain = tiny.sample(flux.patcher, flux, steps=7)
    with caplog.at_level("WARNING"):
        assert torch.equal(tiny.sample(apply(flux.patcher, TWO_PASS), flux, steps=7), plain)
    assert sum("neither pictures nor video" in r.message for r in caplog.records) == 1
