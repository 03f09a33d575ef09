"""Every sampler of the host with one, two and three full steps behind a draft, and with lists of sigmas."""

import comfy.samplers
import pytest
import tiny
import torch
from recorded import knowing

SAMPLERS = [name for name in comfy.samplers.KSampler.SAMPLERS if name != "dpm_adaptive"]  # it runs plain
LISTS = {
    "uneven": [1.0, 0.9, 0.8, 0.7, 0.4, 0.0],
    "repeated": [1.0, 0.8, 0.8, 0.8, 0.6, 0.0],
    "tiny last": [1.0, 0.95, 0.9, 0.5, 0.001, 0.0],
}


def unless_singular(run, *args, **options):
    """What a run gives; None where the sampler's equations have no solution, as sa_solver's at a sigma that
    repeats, on processors that do not round it away."""
    try:
        return run(*args, **options)
    except torch.linalg.LinAlgError:
        return None


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_more_noise_is_left_than_the_sampler_leaves_by_itself(flux, apply, sampler):
    generator = torch.Generator().manual_seed(3)
    clean = torch.randn(flux.latent["samples"].shape, generator=generator) * 0.5
    model = knowing(flux.patcher, clean)

    def left(patcher, **grid):
        out = flux.model.process_latent_in(tiny.sample(patcher, flux, sampler=sampler, cfg=2.0, **grid))
        return float((out - clean).abs().max())

    for full in (1, 2, 3):
        plain = left(model, steps=4 + full)
        for to in ("", " to refine"):
            ours = left(apply(model, f"draft 1/2 x4{to}; refine x{full}"), steps=4 + full)
            assert ours <= 1.1 * plain + 2e-3, f"{full} full steps{to}"
    for name, sigmas in LISTS.items():
        grid = torch.tensor(sigmas)
        plain = unless_singular(left, model, sigmas=grid)
        ours = unless_singular(left, apply(model, "draft 1/2 x3; refine 0.5 x2"), sigmas=grid)
        undefined = plain is None or plain != plain
        assert undefined or (ours is not None and ours <= 1.1 * plain + 2e-3), f"{name} sigmas"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_last_evaluation_is_full(flux, apply, sampler):
    for text, steps in (
        *((f"draft 1/2 x3; refine x{full}", 3 + full) for full in (1, 2, 3)),
        *((f"draft 1/2 x{n} to refine; refine x{full}", n + full) for n, full in ((1, 2), (2, 1), (2, 3))),
        ("1/2 x3, full x1", 4),
        ("draft 1/2 x3; refine 0.9 1/2 x2, full x1", 6),
    ):
        traces = []
        samples = tiny.sample(apply(flux.patcher, text, traces=traces), flux, sampler=sampler, steps=steps)
        trace = traces[0]
        assert torch.isfinite(samples).all() and trace.evaluations
        last = max(e.pass_index for e in trace.evaluations)
        assert last == len(trace.plan.passes) - 1, f"'{text}' ends without an evaluation of its last pass"
        assert trace.evaluations[-1].level == 0, f"'{text}' ends coarse"


@pytest.mark.parametrize("family", ["flux", "sd15"])
@pytest.mark.parametrize("sigmas", LISTS.values(), ids=LISTS)
def test_lists_of_sigmas_stay_finite_where_the_host_does(apply, family, sigmas):
    model = tiny.build(family)
    scale = 1.0 if family == "flux" else 14.6
    grid = torch.tensor(sigmas) * scale
    for sampler in ("dpmpp_2m", "deis", "er_sde", "uni_pc", "sa_solver", "res_multistep"):
        run = {"sampler": sampler, "sigmas": grid}
        plain = unless_singular(tiny.sample, model.patcher, model, **run)
        undefined = plain is None or not torch.isfinite(plain).all()
        ended = ("draft 1/2 x1 to refine; refine x4", "draft 1/2 x3 to refine; refine x2")
        for text in ("draft 1/2 x1; refine 0.7 x4", "draft 1/2 x2; refine 0.5 x3", "1/2 x3, full x2", *ended):
            ours = unless_singular(tiny.sample, apply(model.patcher, text), model, **run)
            assert undefined or (ours is not None and torch.isfinite(ours).all()), f"{sampler}, '{text}'"


@pytest.mark.parametrize("text", ["draft 1/2 x3; refine x2", "1/2, full", "spectral, full"])
def test_one_sigma_is_no_step(flux, apply, text):
    """What SplitSigmas gives in front of its first step: the host's own result, or its own error."""
    ended = 0
    for sampler in SAMPLERS:
        run = {"sampler": sampler, "sigmas": torch.tensor([0.8]), "latent": flux.latent["samples"] + 0.1}
        try:
            plain = tiny.sample(flux.patcher, flux, **run)
        except Exception as error:  # samplers that look at a second sigma
            with pytest.raises(type(error)):
                tiny.sample(apply(flux.patcher, text), flux, **run)
            continue
        assert torch.equal(tiny.sample(apply(flux.patcher, text), flux, **run), plain), sampler
        ended += 1
    assert ended > 10
