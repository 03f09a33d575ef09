"""What other packs count over the whole run or keep of one size: the run is plain, the host's own."""

from types import SimpleNamespace

import comfy.patcher_extension
import comfy.samplers
import pytest
import tiny
import torch
import two_experts
from recorded import leaving_out_the_first_step, step_told, warnings

SCHEDULE = "draft 1/2 x3; refine 0.9 x3"
KINDS = comfy.patcher_extension.WrappersMP


@pytest.fixture
def flux():
    return tiny.build("flux")


def plain_and_told(apply, caplog, patcher, model, reason, schedule=SCHEDULE, fresh=lambda: None, **settings):
    """A run with Fresco is the run without, bit for bit, and is warned of once; `fresh` puts a pack back."""
    traces, said = [], []
    fresh()
    expected = tiny.sample(patcher, model, steps=6, **settings)
    fresh()
    with caplog.at_level("WARNING"):
        patched = apply(patcher, schedule, traces=traces, tell=said.append)
        ours = tiny.sample(patched, model, steps=6, **settings)
    assert torch.equal(ours, expected)
    assert warnings(caplog) == [f"Fresco runs plain: {reason}"] and reason in said[-1]
    assert {e.level for e in traces[0].evaluations} <= {0}
    assert "fresco_run" not in patched.model_options["transformer_options"]
    return traces[0]


def test_a_wrapper_that_counts_the_runs_steps_does_not_lose_the_run(flux, apply, caplog):
    values = [1.0] * 6

    def counted(executor, x, timestep, model_options=None, seed=None):
        sigmas = model_options["transformer_options"]["sample_sigmas"]
        if len(values) != len(sigmas) - 1:
            raise AssertionError("as many values as steps are needed")
        return executor(x, timestep, model_options, seed)

    patcher = flux.patcher.clone()
    patcher.add_wrapper(KINDS.PREDICT_NOISE, counted)
    reason = "the plan could not be run (AssertionError: as many values as steps are needed)"
    trace = plain_and_told(apply, caplog, patcher, flux, reason)
    assert len(trace.evaluations) == len(trace.spans) == len(trace.steps) == 6 and trace.seconds > 0.0


def test_a_pack_that_keeps_features_of_one_size_does_not_lose_the_run(flux, apply, caplog):
    """It begins anew where sigma rises, as at a run's first step."""
    kept = {}

    def keeping(executor, x, timestep, *args, **kwargs):
        sigma = float(timestep.flatten()[0])
        if sigma > kept.get("sigma", 0.0):
            kept.clear()
        kept["sigma"] = sigma
        if kept.setdefault("shape", x.shape) != x.shape:
            raise AssertionError("the shape of features must not change")
        return executor(x, timestep, *args, **kwargs)

    patcher = flux.patcher.clone()
    patcher.add_wrapper(KINDS.DIFFUSION_MODEL, keeping)
    reason = "the plan could not be run (AssertionError: the shape of features must not change)"
    plain_and_told(apply, caplog, patcher, flux, reason, "1/2 x3, full x3", kept.clear)


@pytest.mark.parametrize(
    "options,words",
    [
        ({"steps_to_run": 3}, "makes a part of the run that its sigmas do not tell"),
        ({"start_at_step": 2}, "makes a part of the run that its sigmas do not tell"),
        ({"sampler_mode": "resample"}, "makes a part of the run that its sigmas do not tell"),
        ({"guides": {"guide_mode": "epsilon"}}, "counts the steps of its guides over the whole run"),
    ],
)
def test_a_sampler_with_a_course_of_its_own_runs_plain(flux, apply, caplog, options, words):
    def sampler(changed):
        def sample_counting(model, x, sigmas, extra_args=None, callback=None, disable=None, **own):
            euler = comfy.samplers.k_diffusion_sampling.sample_euler
            return euler(model, x, sigmas, extra_args, callback, disable)

        own = {"sampler_mode": "standard", "steps_to_run": -1, "start_at_step": -1, "guides": None}
        return comfy.samplers.KSAMPLER(sample_counting, extra_options={**own, **changed})

    sigmas = torch.linspace(1.0, 0.0, 7)
    reason = f"the sampler counting {words}"
    plain_and_told(apply, caplog, flux.patcher, flux, reason, sampler=sampler(options), sigmas=sigmas)
    traces = []
    tiny.sample(apply(flux.patcher, SCHEDULE, traces=traces), flux, sampler=sampler({}), sigmas=sigmas)
    assert not traces[0].plan.plain


@pytest.mark.parametrize("own", [{"cfg_sigmas": {1.0: 4.0}}, {"cfg": [4.0] * 6}])
def test_a_guider_with_a_strength_for_each_step_runs_plain(flux, apply, caplog, own):
    class Scheduled(comfy.samplers.CFGGuider):
        def predict_noise(self, *args, **kwargs):
            self.cfg = 1.0
            return super().predict_noise(*args, **kwargs)

    def run(patcher):
        guider = Scheduled(patcher)
        guider.set_conds(flux.positive, flux.negative)
        vars(guider).update(own)
        latent = flux.latent["samples"]
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
        sampler = comfy.samplers.ksampler("euler")
        return guider.sample(noise, latent, sampler, torch.linspace(1.0, 0.0, 7), seed=3)

    with caplog.at_level("WARNING"):
        ours = run(apply(flux.patcher, SCHEDULE))
    assert torch.equal(ours, run(flux.patcher))
    reason = "the guider Scheduled counts the steps of its guidance over the whole run"
    assert warnings(caplog) == [f"Fresco runs plain: {reason}"]


def test_patches_that_count_the_full_grids_tokens_run_plain(flux, apply, caplog):
    patcher = flux.patcher.clone()
    patcher.model_options["transformer_options"]["radial_attn"] = {"dense_block": 1}
    reason = "counts the network's tokens on the full grid"
    plain_and_told(apply, caplog, patcher, flux, f"RadialAttn {reason}")
    caplog.clear()
    patcher = flux.patcher.clone()

    def placing(executor, *args, **kwargs):
        return executor(*args, **kwargs)

    patcher.add_wrapper_with_key(KINDS.APPLY_MODEL, "h3_continuum_join.apply_model.v1", placing)
    plain_and_told(apply, caplog, patcher, flux, f"H3 Continuum {reason}")


def test_a_step_cache_in_place_of_the_networks_forward_is_known(flux, apply, caplog, monkeypatch):
    network = flux.model.diffusion_model
    inner = network.forward

    def forward(*args, **kwargs):
        return inner(*args, **kwargs)

    forward.__qualname__ = "TeaCacheVideoSampler.sample.<locals>.<lambda>"
    monkeypatch.setitem(vars(network), "forward", forward)
    reason = "a step cache (teacache) compares each step with the last, which must be of one size"
    plain_and_told(apply, caplog, flux.patcher, flux, reason)


def test_a_course_of_its_own_is_seen_through_samplers_that_wrap_others():
    from fresco_pack.nodes.host.samplers import course_of_its_own

    part = SimpleNamespace(sampler_function=None, extra_options={"steps_to_run": 4})
    outer = SimpleNamespace(sampler_function=None, extra_options={"sampler": part})
    assert course_of_its_own(outer) == course_of_its_own(part) is not None
    assert course_of_its_own(comfy.samplers.ksampler("euler")) is None


@pytest.mark.parametrize("schedule", [SCHEDULE, "draft 1/2 50% to refine; refine 50% min x2", "full x6"])
def test_guidance_that_leaves_out_the_first_step_leaves_out_no_other(flux, apply, caplog, schedule):
    """KJNodes' CFG-Zero finds its step among the run's sigmas; PiD's colours, behind guidance, likewise."""
    zeroed, behind = [], []

    def post(args):
        if step_told(args, args["sigma"]) == 0:
            behind.append(float(args["sigma"][0]))
        return args["denoised"]

    patcher = leaving_out_the_first_step(flux.patcher, zeroed)
    patcher.set_model_sampler_post_cfg_function(post)
    with caplog.at_level("WARNING"):
        out = tiny.sample(apply(patcher, schedule), flux, steps=6, cfg=2.0)
    assert out.isfinite().all() and not warnings(caplog)
    assert zeroed == behind == [1.0]


@pytest.mark.parametrize("behind", [False, True], ids=["in front", "behind"])
def test_guidance_of_two_experts_leaves_out_the_first_step_once(pair, wans, apply, behind):
    zeroed = []
    if behind:
        joined = leaving_out_the_first_step(two_experts.join(*pair), zeroed)
    else:
        joined = two_experts.join(*(leaving_out_the_first_step(one, zeroed) for one in pair))
    two_experts.run(apply(joined, "draft 1/2 x4; refine 0.9 x4"), wans[0])
    assert zeroed == [1.0]
