"""Runs that start from a picture: never further from the plain run than fewer plain steps are.

Judged on the trained demo model, against the host's own sampler at STEPS steps and at as many as ours cost.
"""

import pytest
import tiny
import torch
from mixed_models import demo_model

STEPS = 12
MOST_DECIBELS = 1.0
MASKS = {"no mask": None, "hard mask": 1.0, "soft mask": 8.0}


@pytest.fixture(scope="module")
def demo():
    return demo_model(batch=1)[0]


@pytest.fixture(scope="module")
def source(demo):
    return tiny.sample(demo.patcher, demo, steps=12, seed=3)


def mask_of(width):
    """A square in the middle, its border `width` latent pixels wide."""
    if width is None:
        return None
    ramp = 1.0 - ((torch.arange(24) - 11.5).abs() - 6.0).clamp_min(0.0) / width
    line = ramp.clamp(0.0, 1.0) if width > 1.0 else (ramp >= 1.0).float()
    return (line[:, None] * line[None, :]).unsqueeze(0)


def decibels(a, b):
    error = float(((a - b) ** 2).mean())
    return float("inf") if error == 0.0 else -10.0 * torch.log10(torch.tensor(error)).item()


def distances(samples, plain):
    """PSNR of the latent and of its finest band, up to a constant, to the plain run's."""
    from fresco_pack.fresco_core import split

    return decibels(samples, plain), decibels(split(samples)[1], split(plain)[1])


def schedules():
    from fresco_pack.fresco_core import PRESETS

    return {
        **{name: text for name, text in PRESETS.items() if name != "off"},
        "text": "draft 1/2 50%; refine 50%",
    }


@pytest.mark.parametrize(
    "denoise,mask", [*((d, "no mask") for d in (0.3, 0.5, 0.7)), (0.5, "hard mask"), (0.7, "soft mask")]
)
def test_no_schedule_is_worse_than_plain_steps_of_equal_cost(demo, source, apply, denoise, mask):
    run = {"denoise": denoise, "latent": source, "noise_mask": mask_of(MASKS[mask])}
    plain = tiny.sample(demo.patcher, demo, steps=STEPS, **run)
    at_cost = {STEPS: (float("inf"), float("inf"))}
    for name, text in schedules().items():
        traces = []
        ours = tiny.sample(apply(demo.patcher, text, traces=traces), demo, steps=STEPS, **run)
        cost = min(STEPS, max(1, round(traces[0].tokens / traces[0].canvas.tokens(0))))
        if cost not in at_cost:
            fewer = tiny.sample(demo.patcher, demo, steps=cost, **run)
            at_cost[cost] = distances(fewer, plain)
        for found, allowed in zip(distances(ours, plain), at_cost[cost]):
            assert found >= allowed - MOST_DECIBELS, f"{name} at denoise {denoise}, cost {cost} full steps"


def test_a_picture_under_pure_noise_may_be_drafted(demo, source, apply):
    traces = []
    tiny.sample(apply(demo.patcher, "draft 1/2 50%; refine 50%", traces=traces), demo, steps=8, latent=source)
    assert [e.level for e in traces[0].evaluations] == [1] * 4 + [0] * 4


@pytest.mark.parametrize("scheduler", ["normal", "simple", "exponential", "kl_optimal", "karras"])
def test_pure_noise_is_told_from_a_start_below_it_as_the_host_does(scheduler, apply):
    """Schedulers compute the highest sigma each in its own way, a rounding step beside the model's."""
    model, traces = tiny.build("sdxl", size=(32, 32)), []
    shape = model.latent["samples"].shape
    given = 64.0 * torch.randn(shape, generator=torch.Generator().manual_seed(0))  # no noise hides it
    patched = apply(model.patcher, "draft 1/2 50%; refine 50%", traces=traces)
    tiny.sample(patched, model, steps=8, scheduler=scheduler, latent=given)
    assert [e.level for e in traces[0].evaluations] == [1] * 4 + [0] * 4


@pytest.mark.parametrize("latent", ["flat", "empty"])
def test_what_starts_low_is_no_draft_of_nothing_either(demo, apply, latent):
    """A flat picture has no detail to lose, but a run from it draws its own from the noise that it has."""
    given = torch.full((1, 16, 24, 24), 0.5 if latent == "flat" else 0.0)
    run = {"denoise": 0.5, "latent": given, "steps": STEPS}
    plain = tiny.sample(demo.patcher, demo, **run)
    for text in ("draft 1/2 50%; refine 50%", "spectral 80%, full 20% min x3"):
        traces = []
        ours = tiny.sample(apply(demo.patcher, text, traces=traces), demo, **run)
        cost = max(1, round(traces[0].tokens / traces[0].canvas.tokens(0)))
        fewer = tiny.sample(demo.patcher, demo, **{**run, "steps": cost})
        assert decibels(ours, plain) >= decibels(fewer, plain) - MOST_DECIBELS


def test_detail_that_no_mask_paints_is_not_in_the_way(demo, source, apply):
    """What is kept comes from the original in any case; what is painted was flat."""
    latent, mask = 4.0 * source, torch.zeros(1, 24, 24)
    latent[..., :12, :] = latent[..., :12, :].mean(dim=(-2, -1), keepdim=True)
    mask[..., :12, :] = 1.0
    grid = torch.tensor([0.96, 0.9, 0.8, 0.6, 0.4, 0.2, 0.0])
    drafted = {}
    for name, noise_mask in (("painted", mask), ("everywhere", None)):
        traces = []
        schedule = apply(demo.patcher, "draft 1/2 50%; refine 50%", traces=traces)
        tiny.sample(schedule, demo, sigmas=grid, latent=latent, noise_mask=noise_mask)
        drafted[name] = any(e.level for e in traces[0].evaluations)
    assert drafted == {"painted": True, "everywhere": False}
