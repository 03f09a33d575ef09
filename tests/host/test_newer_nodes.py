"""Fresco beside nodes of newer hosts: two models in one guider, guidance that changes on the way, attention
that leaves blocks out, and compiled networks."""

import comfy.patcher_extension
import comfy.sample
import comfy.samplers
import comfy_extras.nodes_custom_sampler as custom_nodes
import pytest
import tiny
import torch

SCHEDULES = ["1/2 x4, full x3", "draft 1/2 x4; refine 0.75 x3"]
STEPS = 7
FULL, HALF = 64, 16  # image tokens of the tiny FLUX


def flow_sigmas(model, steps=STEPS):
    return comfy.samplers.calculate_sigmas(model.patcher.get_model_object("model_sampling"), "simple", steps)


def guided(guider, model, sigmas):
    """A guider's own run, as SamplerCustomAdvanced has it."""
    noise = comfy.sample.prepare_noise(model.latent["samples"], 7)
    sampler = comfy.samplers.sampler_object("euler")
    with torch.inference_mode():
        return guider.sample(noise, model.latent["samples"], sampler, sigmas, seed=7, disable_pbar=True)


def two_models(positive, negative, model, cfg=2.5):
    """DualModelGuider's guider, or what it is with one model."""
    one = negative is None
    made = comfy.samplers.CFGGuider(positive) if one else custom_nodes.Guider_DualModel(positive, negative)
    made.set_conds(model.positive, model.negative)
    made.set_cfg(cfg)
    return made


@pytest.mark.skipif(not hasattr(custom_nodes, "Guider_DualModel"), reason="this host has no DualModelGuider")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_guider_of_two_models_sees_both_at_the_level(flux, apply, schedule):
    """With the same weights twice it is the host's guidance by one; with others, both have each look."""
    sigmas = flow_sigmas(flux)
    twin, other = tiny.fresh("flux"), tiny.build("flux", seed=1)
    single = guided(two_models(apply(flux.patcher, schedule), None, flux), flux, sigmas)
    double = guided(two_models(apply(flux.patcher, schedule), twin.patcher, flux), flux, sigmas)
    torch.testing.assert_close(double, single, rtol=1e-4, atol=1e-5)
    with tiny.count_image_tokens(flux) as here, tiny.count_image_tokens(other) as there:
        mixed = guided(two_models(apply(flux.patcher, schedule), other.patcher, flux), flux, sigmas)
    assert [count for count, _ in here] == [count for count, _ in there] == [HALF] * 4 + [FULL] * 3
    assert torch.isfinite(mixed).all() and not torch.allclose(mixed, single, atol=1e-3)


@pytest.mark.skipif(not hasattr(custom_nodes, "CFGOverride"), reason="this host has no CFGOverride")
@pytest.mark.parametrize("fresco_first", [True, False])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_guidance_that_changes_on_the_way_goes_by_the_canvas_sigma(flux, apply, schedule, fresco_first):
    """The node tells where by the sampler's sigma; a coarse look's own is lower."""
    sampling = flux.patcher.get_model_object("model_sampling")
    high, low = (float(sampling.percent_to_sigma(p)) for p in (0.2, 0.6))
    seen = []

    def note(args):
        seen.append((float(args["timestep"].flatten()[0]), args["cond_scale"]))
        cond, uncond = args["cond_denoised"], args["uncond_denoised"]
        return args["input"] - (uncond + args["cond_scale"] * (cond - uncond))

    def changed(patcher):
        return custom_nodes.CFGOverride.execute(patcher, 1.5, 0.2, 0.6).args[0]

    patcher = flux.patcher.clone()
    patcher.set_model_sampler_cfg_function(note)
    dressed = changed(apply(patcher, schedule)) if fresco_first else apply(changed(patcher), schedule)
    ours = tiny.sample(dressed, flux, steps=STEPS, cfg=4.0)
    assert torch.isfinite(ours).all() and len(seen) == STEPS
    assert {scale for _, scale in seen} == {1.5, 4.0}
    assert all(scale == (1.5 if low <= sigma <= high else 4.0) for sigma, scale in seen)


def sparse(patcher, calls):
    """Attention over the nearest half of the keys, put on anew in every step over what it finds; dense for
    fewer than 40 tokens, as the host's is below its own least number."""

    def install(executor, *args, **kwargs):
        given = (*args, *kwargs.values())
        options = next(a for a in given if isinstance(a, dict) and "sample_sigmas" in a)
        found = options.get("optimized_attention_override")
        depth = getattr(found, "depth", 0) + 1

        def attend(function, q, k, v, heads, **given):
            calls.append((depth, k.shape[-2]))
            if k.shape[-2] >= 40:
                kept = slice(k.shape[-2] // 2, None)
                k, v = k[..., kept, :], v[..., kept, :]
            return function(q, k, v, heads, **given)

        attend.depth = depth
        options["optimized_attention_override"] = attend
        return executor(*args, **kwargs)

    made = patcher.clone()
    made.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "sparse", install)
    return made


@pytest.mark.parametrize("fresco_first", [True, False])
def test_attention_that_leaves_blocks_out_is_put_on_once_a_step_and_dense_at_coarse_looks(
    flux, apply, fresco_first
):
    calls = []
    if fresco_first:
        dressed = sparse(apply(flux.patcher, SCHEDULES[0]), calls)
    else:
        dressed = apply(sparse(flux.patcher, calls), SCHEDULES[0])
    ours = tiny.sample(dressed, flux, steps=STEPS)
    assert torch.isfinite(ours).all()
    assert {depth for depth, _ in calls} == {1}, "it would lie on its own of the step before"
    keys = [count for _, count in calls]
    text = flux.positive[0][0].shape[1]
    assert set(keys) == {text + HALF, text + FULL}
    assert keys == sorted(keys), "coarse looks first, then full ones"
    off = tiny.sample(apply(sparse(flux.patcher, []), "full"), flux, steps=STEPS)
    assert torch.equal(off, tiny.sample(sparse(flux.patcher, []), flux, steps=STEPS))


def test_compiled_blocks_meet_two_shapes_a_run_and_none_anew(flux, apply, any_size):
    helpers = pytest.importorskip("comfy_api.torch_helpers")
    torch._dynamo.reset()
    made, schedule, steps = [], "draft ~1/4 50% to refine; refine 50% min x2", 4

    def backend(graph, inputs):
        made.append(graph)
        return graph.forward

    compiled = flux.patcher.clone()
    helpers.set_torch_compile_wrapper(
        model=compiled, backend=backend, dynamic=False, keys=["diffusion_model.single_blocks.0"]
    )
    with tiny.count_image_tokens(flux) as seen:
        first = tiny.sample(apply(compiled, schedule), flux, steps=steps)
        after_one, count = len(made), len({tokens for tokens, _ in seen})
        again = tiny.sample(apply(compiled, schedule), flux, steps=steps)
    assert count == 2, "levels of a run"
    assert after_one > 0 and len(made) == after_one, "the second run compiles nothing"
    assert torch.equal(first, again)
    expected = tiny.sample(apply(flux.patcher, schedule), flux, steps=steps)
    torch.testing.assert_close(first, expected, rtol=1e-3, atol=1e-4)
    torch._dynamo.reset()
