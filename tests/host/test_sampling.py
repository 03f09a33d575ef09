"""Samplers, schedulers, passes and step ranges on a tiny FLUX-layout model of the host's own classes."""

import comfy.samplers
import comfy.utils
import pytest
import tiny
import torch

FOUR_STEP_PLANS = ["1/2 until 0.5, full", "draft 1/2 x2; refine 0.75 x2"]
TWO_PASS = "draft 1/2 x4; refine 0.75 x3"
SAMPLERS = [name for name in comfy.samplers.KSampler.SAMPLERS if name != "dpm_adaptive"]  # it runs plain
KINDS = {"ode": "euler", "sde": "dpmpp_2m_sde", "off the grid": "dpm_fast", "cfg++": "euler_cfg_pp"}


@pytest.mark.parametrize("sampler", KINDS.values(), ids=KINDS)
def test_full_is_bit_identical_to_the_host(flux, apply, sampler):
    """As the host's own, and traced: there it goes through the engine."""
    traces = []
    plain = tiny.sample(flux.patcher, flux, sampler=sampler, cfg=2.0)
    assert torch.equal(plain, tiny.sample(apply(flux.patcher, "full"), flux, sampler=sampler, cfg=2.0))
    traced = apply(flux.patcher, "full", traces=traces)
    assert torch.equal(plain, tiny.sample(traced, flux, sampler=sampler, cfg=2.0))
    assert traces[0].evaluations and all(e.level == 0 for e in traces[0].evaluations)


@pytest.mark.parametrize("schedule,steps", [("1/2 until 0.5, full", 6), (TWO_PASS, 7)])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_runs_both_plans(flux, apply, sampler, schedule, steps):
    traces = []
    patched = apply(flux.patcher, schedule, traces=traces)
    with tiny.count_image_tokens(flux) as seen:
        first = tiny.sample(patched, flux, sampler=sampler, steps=steps)
    second = tiny.sample(patched, flux, sampler=sampler, steps=steps)
    plain = tiny.sample(flux.patcher, flux, sampler=sampler, steps=steps)
    assert torch.isfinite(first).all() and first.shape == plain.shape
    assert torch.equal(first, second)
    assert not torch.equal(first, plain)
    tokens = [count for count, _ in seen]
    assert set(tokens) == {16, 64}, "half resolution must show the model a quarter of its 64 tokens"
    assert tokens[-1] == 64 and traces[0].evaluations[-1].level == 0
    assert [e.tokens for e in traces[0].evaluations] == tokens


def test_two_passes_cost_exactly_the_planned_tokens(flux, apply):
    traces = []
    with tiny.count_image_tokens(flux) as seen:
        tiny.sample(apply(flux.patcher, TWO_PASS, traces=traces), flux, steps=7)
    assert [count for count, _ in seen] == [16] * 4 + [64] * 3
    assert sum(count for count, _ in seen) == traces[0].plan.tokens() == 4 * 16 + 3 * 64


@pytest.mark.parametrize(
    "sampler", ["euler", "dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral", "uni_pc", "res_multistep", "lcm"]
)
def test_refine_pass_is_the_hosts_own_image_to_image(flux, apply, sampler):
    """The draft's result as latent, the same noise and the refine pass's sigmas, through the host alone."""
    import comfy.sample

    noise = comfy.sample.prepare_noise(flux.latent["samples"], 7)
    traces = []
    patched = apply(flux.patcher, TWO_PASS, traces=traces)
    seen = []
    whole = tiny.sample(
        patched,
        flux,
        sampler=sampler,
        steps=7,
        noise=noise,
        callback=lambda step, x0, x, total: seen.append((step, total, x0.clone())),
    )
    draft_sigmas, refine_sigmas = (torch.tensor(p.sigmas) for p in traces[0].plan.passes)

    draft = run_draft_alone(flux, apply, sampler, noise, draft_sigmas)
    refined = tiny.sample(
        flux.patcher, flux, sampler=sampler, sigmas=refine_sigmas, noise=noise, latent=draft
    )
    assert torch.equal(whole, refined)
    assert [step for step, _, _ in seen] == list(range(7)) and {total for _, total, _ in seen} == {7}


def run_draft_alone(flux, apply, sampler, noise, sigmas):
    """The result of the draft pass: an all-coarse run, which only a test may ask for."""
    from fresco_pack.nodes.engine import planning

    original = planning.make_plan

    def all_coarse(schedule, grid, canvas, *_):
        from fresco_pack.fresco_core import Plan, PlannedPass, Step

        return Plan(schedule, canvas, (PlannedPass(tuple(grid), (Step(1),) * (len(grid) - 1)),))

    planning.make_plan = all_coarse
    try:
        return tiny.sample(
            apply(flux.patcher, "1/2, full"), flux, sampler=sampler, sigmas=sigmas, noise=noise
        )
    finally:
        planning.make_plan = original


def test_all_coarse_is_a_native_low_resolution_run(flux, apply):
    """The same model at half size, over the mapped sigmas, from the merged noise."""
    import comfy.sample
    from fresco_pack.fresco_core import FLOW, merge

    sigmas = torch.linspace(1.0, 0.0, 7)
    noise = comfy.sample.prepare_noise(flux.latent["samples"], 7)
    coarse = run_draft_alone(flux, apply, "euler", noise, sigmas)
    small = torch.zeros(1, 16, 8, 8)
    native = tiny.sample(
        flux.patcher, flux, sigmas=FLOW.level_sigma(sigmas, 1), noise=merge(noise, 1) * 2.0, latent=small
    )
    torch.testing.assert_close(merge(coarse, 1), native, rtol=1e-4, atol=2e-5)


def test_progress_counts_both_passes_as_one_run(flux, apply):
    updates = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview, node_id=None: updates.append((value, total))
    )
    try:
        import latent_preview

        callback = latent_preview.prepare_callback(flux.patcher, 7)
        tiny.sample(apply(flux.patcher, TWO_PASS), flux, steps=7, callback=callback)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    # newer hosts leave out updates that follow too fast
    assert updates[0] == (1, 7) and updates[-1] == (7, 7) and updates == sorted(set(updates))
    assert {total for _, total in updates} == {7}


def test_a_chain_of_stages_looks_as_the_whole_run_does(flux, apply):
    """Two KSamplerAdvanced stages: the first returns leftover noise, the second adds none."""

    def stages(patcher):
        first = tiny.sample(patcher, flux, steps=8, start_step=0, last_step=4)
        return tiny.sample(
            patcher, flux, steps=8, start_step=4, last_step=8, disable_noise=True, latent=first
        )

    whole = tiny.sample(flux.patcher, flux, steps=8)
    torch.testing.assert_close(stages(flux.patcher), whole, rtol=1e-3, atol=1e-4)
    single = apply(flux.patcher, "1/2 until 0.9, full")  # all within the first stage
    torch.testing.assert_close(stages(single), tiny.sample(single, flux, steps=8), rtol=1e-3, atol=1e-4)


def test_a_stage_that_adds_no_noise_rewinds_on_the_noise_in_the_latent(flux, apply):
    """So the result stays near the plain one."""
    first = tiny.sample(flux.patcher, flux, sigmas=torch.tensor([1.0, 0.98]))
    kwargs = {"sigmas": torch.linspace(0.98, 0.0, 7), "latent": first, "disable_noise": True}
    plain = tiny.sample(flux.patcher, flux, **kwargs)
    traces = []
    ours = tiny.sample(apply(flux.patcher, "draft 1/2 x3; refine 0.9 x3", traces=traces), flux, **kwargs)
    assert len(traces[0].plan.passes) == 2
    correlation = torch.corrcoef(torch.stack((plain.flatten(), ours.flatten())))[0, 1]
    assert correlation > 0.8


def test_three_passes_and_quarter_resolution(apply):
    model = tiny.build("flux", size=(32, 32))
    traces = []
    with tiny.count_image_tokens(model) as seen:
        tiny.sample(
            apply(model.patcher, "draft 1/4 x3; refine 0.9 1/2 x3; refine 0.7 x2", traces=traces),
            model,
            steps=8,
        )
    assert [count for count, _ in seen] == [16] * 3 + [64] * 3 + [256] * 2
    assert [p.sigmas[0] for p in traces[0].plan.passes] == pytest.approx([1.0, 0.9, 0.7])


@pytest.mark.parametrize("family,steps", [("sd15", 8), ("sdxl", 8)])
def test_an_exploding_run_goes_on_between_its_draft_and_the_state_it_began_in(apply, family, steps):
    """That state has all of the picture beside the noise, so the draft must not be added to it once more."""
    model, states, traces = tiny.build(family, size=(16, 16)), [], []
    patched = apply(model.patcher, "draft 1/2 x4; refine 0.9 x4", traces=traces)
    tiny.sample(
        patched,
        model,
        steps=steps,
        callback=lambda step, x0, x, total: states.append((x0.clone(), x.clone())),
    )
    plan = traces[0].plan
    assert [p.steps for p in plan.passes] == [4, 4]
    x0, first, start, end = states[3][0], states[0][1], plan.passes[0].sigmas[0], plan.passes[1].sigmas[0]
    drawn = x0 + (first - x0) * end / start
    torch.testing.assert_close(states[4][1], drawn, atol=1e-3 * end, rtol=1e-3)
