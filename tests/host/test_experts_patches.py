"""What nodes put on two experts in front of Fresco Experts stays each one's own; behind it is both's."""

import comfy.hooks
import comfy.model_management
import comfy.patcher_extension
import comfy_extras.nodes_custom_sampler as custom_nodes
import comfy_extras.nodes_model_advanced as sampling_nodes
import mixed_models
import pytest
import tiny
import tiny_control
import torch
from two_experts import (
    both_called,
    handing_over,
    join,
    loads,
    run,
    shifted,
    sigmas_of,
    switch_step,
    two_samplers,
)

DRAFT = "draft 1/2 x4; refine 0.9 x4"
WEIGHT = "diffusion_model.blocks.0.self_attn.q.weight"


def handed_over(joined, pair, wans, **settings):
    """One sampler over the joined model, rounded at the switch as the two-sampler graph is."""
    anew = handing_over("euler", switch_step(pair[0]))
    return run(joined, wans[0], sampler=anew, sigmas=sigmas_of(pair[0]), **settings)


def lora(patcher, strength):
    """As LoRA loaders patch: a difference of one weight."""
    patcher = patcher.clone()
    shape = patcher.model.state_dict()[WEIGHT].shape
    difference = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    assert patcher.add_patches({WEIGHT: ("diff", (difference,))}, strength)
    return patcher


def guidance_scaled(patcher, by):
    patcher = patcher.clone()
    patcher.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * by)
    return patcher


def call_scaled(patcher, by):
    patcher = patcher.clone()
    patcher.set_model_unet_function_wrapper(
        lambda call, args: call(args["input"], args["timestep"], **args["c"]) * by
    )
    return patcher


def wrapped(patcher, by):
    patcher = patcher.clone()
    kind = comfy.patcher_extension.WrappersMP.APPLY_MODEL
    patcher.add_wrapper_with_key(kind, f"by {by}", lambda executor, *args, **kw: executor(*args, **kw) * by)
    return patcher


def options_wrapped(patcher, by):
    """As nodes that write into the model's options, not on the patcher."""
    patcher, kind = patcher.clone(), comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL
    comfy.patcher_extension.add_wrapper_with_key(
        kind,
        f"by {by}",
        lambda executor, *args, **kw: executor(*args, **kw) * by,
        patcher.model_options,
        is_model_options=True,
    )
    return patcher


def injected(patcher, key):
    """As Load LoRA (Bypass): functions that were made for the network of this patcher."""
    injection = comfy.patcher_extension.PatcherInjection(lambda patcher: None, lambda patcher: None)
    patcher = patcher.clone()
    patcher.set_injections(key, [*patcher.injections.get(key, ()), injection])
    return patcher


def computed_in(patcher, dtype):
    return sampling_nodes.ModelComputeDtype().patch(patcher, dtype)[0]


PATCHES = [lora, guidance_scaled, call_scaled, wrapped, options_wrapped]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.__name__)
@pytest.mark.parametrize("strengths", [(0.9, None), (None, 0.9), (0.9, 1.2)])
def test_a_patch_in_front_acts_in_its_own_model(wans, pair, patch, strengths):
    patched = [p if s is None else patch(p, s) for p, s in zip(pair, strengths)]
    expected = two_samplers(patched, wans)
    assert not torch.equal(expected, two_samplers(pair, wans)), "the patch does something"
    assert torch.equal(handed_over(join(*patched), pair, wans), expected)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.__name__)
def test_a_patch_behind_acts_in_both(wans, pair, patch):
    expected = two_samplers([patch(p, 0.9) for p in pair], wans)
    assert torch.equal(handed_over(patch(join(*pair), 0.9), pair, wans), expected)
    own = [patch(p, by) for p, by in zip(pair, (0.8, 1.1))]
    expected = two_samplers([patch(p, 0.9) for p in own], wans)
    assert torch.equal(handed_over(patch(join(*own), 0.9), pair, wans), expected), "behind what each has"


@pytest.mark.parametrize("behind", [True, False])
def test_a_compute_dtype_is_boths(wans, pair, behind):
    expected = two_samplers([computed_in(p, "bf16") for p in pair], wans)
    joined = join(*pair) if behind else join(*(computed_in(p, "bf16") for p in pair))
    found = handed_over(computed_in(joined, "bf16") if behind else joined, pair, wans)
    assert torch.equal(found, expected) and not torch.equal(found, two_samplers(pair, wans))


def test_a_compute_dtype_in_front_is_its_own_models(wans, pair):
    own = [computed_in(pair[0], "bf16"), pair[1]]
    expected = two_samplers([lora(p, 0.9) for p in own], wans)
    assert torch.equal(handed_over(lora(join(*own), 0.9), pair, wans), expected)


def test_a_shift_behind_is_boths_and_the_samplers(wans):
    plain = [model.patcher for model in wans]
    in_front = join(*(shifted(patcher, 3.0) for patcher in plain))
    assert torch.equal(run(shifted(join(*plain), 3.0), wans[0]), run(in_front, wans[0]))


@pytest.mark.parametrize("text", [None, DRAFT])
def test_a_scheduled_lora_of_the_conditioning_is_at_its_keyframe_in_both(wans, pair, apply, text):
    """A hook that ends within the low expert's part, in both passes: as with weights changed by hand."""

    def hooked(strengths):
        hook = comfy.hooks.WeightHook(strength_model=1.0, strength_clip=1.0)
        shape = wans[0].model.state_dict()[WEIGHT].shape
        hook.weights = {WEIGHT: ("diff", (torch.full(shape, 0.2),))}
        hook.need_weight_init = False
        group = comfy.hooks.HookGroup()
        group.add(hook)
        keyframes = comfy.hooks.HookKeyframeGroup()
        for start, strength in strengths:
            keyframes.add(comfy.hooks.HookKeyframe(strength=strength, start_percent=start))
        group.set_keyframes_on_hooks(keyframes)
        return comfy.hooks.set_hooks_for_conditioning(wans[0].positive, group)

    def drawn(strengths):
        patcher = join(*pair) if text is None else apply(join(*pair), text)
        return run(patcher, wans[0], positive=hooked(strengths), cfg=1.0)

    always, never = drawn([(0.0, 1.0)]), drawn([(0.0, 0.0)])
    plain = join(*pair) if text is None else apply(join(*pair), text)
    assert torch.equal(never, run(plain, wans[0], cfg=1.0))
    by_hand = [p.clone() for p in pair]
    for patcher in by_hand:
        shape = wans[0].model.state_dict()[WEIGHT].shape
        patcher.add_patches({WEIGHT: ("diff", (torch.full(shape, 0.2),))}, 1.0)
    joined = join(*by_hand) if text is None else apply(join(*by_hand), text)
    assert torch.allclose(always, run(joined, wans[0], cfg=1.0), atol=1e-5)
    first, second = drawn([(0.0, 1.0), (0.6, 0.0)]), drawn([(0.0, 1.0), (0.6, 0.0)])
    assert torch.equal(first, second) and not torch.equal(first, always) and not torch.equal(first, never)


FAILURES = [RuntimeError, comfy.model_management.InterruptProcessingException, KeyboardInterrupt]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", [2, 6])
@pytest.mark.parametrize("text", [None, DRAFT])
def test_an_error_or_interrupt_in_either_leaves_nothing(wans, pair, apply, failure, call, text):
    patched = [lora(pair[0], 0.9), wrapped(pair[1], 1.1)]
    joined = join(*patched) if text is None else apply(join(*patched), text)
    guiders, counted = [], [0]
    original = comfy.samplers.CFGGuider.sample

    def fail(_network, _args):
        counted[0] += 1
        if counted[0] >= call:  # in full as well, where a coarse look is made again
            raise failure()

    def watched(guider, *args, **kwargs):
        guiders.append((guider, guider.model_patcher, guider.model_options))
        return original(guider, *args, **kwargs)

    expected = run(joined, wans[0])
    handles = [model.model.diffusion_model.register_forward_pre_hook(fail) for model in wans]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy.samplers.CFGGuider, "sample", watched)
        try:
            with pytest.raises(failure):
                run(joined, wans[0])
        finally:
            [handle.remove() for handle in handles]
    (guider, patcher, options) = guiders[0]
    assert guider.model_patcher is patcher is joined and guider.model_options is options
    assert "fresco_experts" not in options["transformer_options"]
    assert all(model.model.current_patcher is None for model in wans)
    assert torch.equal(run(joined, wans[0]), expected)
    one = run(pair[1], wans[1])
    assert torch.equal(one, run(pair[1].clone(), wans[1]))


def test_a_pair_of_one_checkpoint_with_two_loras(wans, pair):
    """The host patches its weights anew at the switch, and takes them back."""
    high, low = lora(pair[0], 0.9), lora(pair[0], -0.5)
    same = [wans[0], wans[0]]
    expected = two_samplers([high, low], same)
    assert torch.equal(handed_over(join(high, low), pair, same), expected)


def test_image_to_video_with_a_mask(apply):
    """The picture of the first frame reaches both."""
    models = [tiny.build("wan_i2v", seed=seed, size=(32, 32), frames=2) for seed in (0, 5)]
    pair = [shifted(model.patcher) for model in models]
    mask = torch.ones(1, 1, 32, 32)
    mask[..., :16] = 0.3
    latent = torch.randn(models[0].latent["samples"].shape, generator=torch.Generator().manual_seed(2))
    for settings in ({}, {"noise_mask": mask, "latent": latent}):
        if not settings:
            assert torch.equal(handed_over(join(*pair), pair, models), two_samplers(pair, models))
        assert torch.isfinite(run(apply(join(*pair), DRAFT), models[0], **settings)).all()


def test_a_controlnet_reaches_both(apply):
    models = [tiny.build("flux", seed=seed, size=(16, 16)) for seed in (0, 5)]
    pair = [shifted(model.patcher) for model in models]
    control = tiny_control.flux_controlnet()
    positive, negative = tiny_control.with_control_pair(
        models[0].positive, models[0].negative, control, tiny_control.hint_image((16, 16)), end=0.5
    )
    shared = {"positive": positive, "negative": negative}
    expected = two_samplers(pair, models, **shared)
    assert torch.equal(handed_over(join(*pair), pair, models, **shared), expected)
    assert not torch.equal(expected, two_samplers(pair, models))
    with tiny_control.count_control_calls(control) as calls, both_called(models) as asked:
        run(apply(join(*pair), DRAFT), models[0], **shared)
    assert {(8, 8), (16, 16)} <= set(calls) and {which for which, _ in asked} == {0, 1}


def test_models_that_are_no_flows_count_with_their_share_of_noise():
    models = [tiny.build("sdxl", seed=seed) for seed in (0, 5)]
    sigmas = torch.tensor([14.0, 8.0, 7.0, 6.9, 2.0, 0.0])  # 7 / (1 + 7) = 0.875
    with both_called(models) as calls:
        found = run(join(*(model.patcher for model in models)), models[0], sigmas=sigmas, cfg=1.0)
    assert [which for which, _ in calls] == [0, 0, 0, 1, 1] and torch.isfinite(found).all()


@pytest.mark.parametrize("text", [None, DRAFT])
@pytest.mark.parametrize("kind", ["cfg", "basic", "dual"])
def test_any_guider(wans, pair, apply, kind, text):
    joined = join(*pair) if text is None else apply(join(*pair), text)
    positive, negative = wans[0].positive, wans[0].negative
    node, args = {
        "cfg": (custom_nodes.CFGGuider, (positive, negative, 3.0)),
        "basic": (custom_nodes.BasicGuider, (positive,)),
        "dual": (custom_nodes.DualCFGGuider, (positive, positive, negative, 3.0, 2.0, "regular")),
    }[kind]
    guider = node.execute(joined, *args).args[0]
    latent = wans[0].latent["samples"]
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(7))
    with both_called(wans) as calls, torch.inference_mode():
        found = guider.sample(noise, latent, comfy.samplers.sampler_object("euler"), sigmas_of(pair[0]))
    assert torch.isfinite(found).all()
    assert all(which == int(sigma < 0.875 - 1e-5) for which, sigma in calls)
    assert {which for which, _ in calls} == {0, 1}


@pytest.fixture
def dual():
    """dual(patcher, negative's patcher, cfg=3.0) samples with the host's guider of two models."""
    guider_node = getattr(custom_nodes, "DualModelGuider", None)
    if guider_node is None:
        pytest.skip("this host has no DualModelGuider")

    def call(model, patcher, other, cfg=3.0):
        guider = guider_node.execute(patcher, model.positive, cfg, other, model.negative).args[0]
        latent, euler = model.latent["samples"], comfy.samplers.sampler_object("euler")
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(7))
        with torch.inference_mode():
            return guider.sample(noise, latent, euler, sigmas_of(patcher))

    return call


@pytest.mark.parametrize("own", ["experts", "drafted", "one"])
def test_as_a_guiders_second_model_it_is_refused_before_loading(wans, pair, apply, dual, own):
    """The host asks that one past the run's own model, at every sigma the same network."""
    joined = join(*pair)
    patcher = {"experts": joined, "drafted": apply(joined, DRAFT), "one": pair[0]}[own]
    with loads() as asked, pytest.raises(ValueError, match="Fresco Experts: .*model_negative.*one of the"):
        dual(wans[0], patcher, join(*pair))
    assert not asked
    alone = dual(wans[0], patcher, join(*pair), cfg=1.0)
    assert torch.isfinite(alone).all(), "without guidance nothing is asked of it"


def test_one_model_beside_it_answers_at_every_sigma(wans, pair, dual):
    with both_called(wans) as calls:
        dual(wans[0], join(*pair), pair[1])
    sigmas = sigmas_of(pair[0])[:-1].tolist()
    own = [0] * switch_step(pair[0]) + [1] * (len(sigmas) - switch_step(pair[0]))
    assert [which for which, _ in calls] == [which for expert in own for which in (expert, 1)]


def test_a_bridge_loads_the_expert_that_is_asked_next(apply):
    """The demo model twice stands for two experts; behind the VAE only the refine pass's is loaded."""
    import comfy.sd
    from fresco_pack.fresco_core.demo.weights import FOLDER, VAE
    from fresco_pack.nodes.engine.run import Bridge

    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(FOLDER / VAE)))
    model, _ = mixed_models.demo_model()
    pair = [model.patcher, model.patcher.clone()]
    traces, patchers = [], []
    dressed = apply(
        join(*pair, 0.7), "draft 1/2 x4; refine 0.6 via pixels x3", traces=traces, bridge=Bridge(vae)
    )
    original = comfy.model_management.load_models_gpu
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            comfy.model_management,
            "load_models_gpu",
            lambda models, *a, **k: (patchers.append(models[0]), original(models, *a, **k))[1],
        )
        found = tiny.sample(dressed, model, sigmas=torch.linspace(1.0, 0.0, 8))
    assert torch.isfinite(found).all() and traces[0].crossings
    sampled = [p for p in patchers if p is not vae.patcher]
    assert sampled[0] is dressed and sampled[1].parent is pair[1] and sampled[2] is sampled[1]
    assert len(sampled) == 3, "high and low for the draft, low alone behind the VAE"


@pytest.mark.parametrize("kind", ["EasyCacheNode", "LazyCacheNode"])
def test_a_step_cache_behind_begins_anew_with_the_low_expert(wans, pair, kind):
    """It would answer for every step from the second on, if it may; one network's rate is not the other's.
    LazyCache answers in front of the guider, so that neither expert is asked where it does."""
    import comfy_extras.nodes_easycache as easycache

    cached = getattr(easycache, kind).execute(join(*pair), 1e6, 0.0, 1.0, False).args[0]
    with tiny.count_image_tokens(wans[0]) as high, tiny.count_image_tokens(wans[1]) as low:
        found = run(cached, wans[0], cfg=1.0)
    assert torch.isfinite(found).all()
    assert len(high) < switch_step(pair[0]), "the cache answers for the last of the high expert's steps"
    assert 2 <= len(low) < 8 - switch_step(pair[0])


def joined_or_words(high, low):
    with pytest.raises(ValueError, match="Fresco Experts") as raised:
        join(high, low)
    return str(raised.value)


def test_what_cannot_be_one_model_is_refused_in_words(wans, pair, apply):
    i2v, flux = tiny.build("wan_i2v"), tiny.build("flux")
    assert "shifts 5.0 and 8.0" in joined_or_words(pair[0], shifted(wans[1].patcher, 8.0))
    assert "WAN21" in joined_or_words(pair[0], shifted(flux.patcher))
    assert "in_dim is 16" in joined_or_words(pair[0], shifted(i2v.patcher))
    eps = sampling_nodes.ModelSamplingDiscrete().patch(wans[1].patcher, "eps", False)[0]
    assert "ModelSamplingDiscreteFlow with CONST" in joined_or_words(pair[0], eps)
    assert "'fresco' of high_noise" in joined_or_words(apply(pair[0], DRAFT), pair[1])
    assert "'fresco_experts' of low_noise" in joined_or_words(pair[0], join(*pair))


def test_what_belongs_to_one_network_is_refused_behind(wans, pair):
    joined = join(*pair)
    replaced = joined.clone()
    block = wans[0].model.diffusion_model.blocks[0]
    replaced.add_object_patch("diffusion_model.blocks.0.forward", block.forward)
    compiled = joined.clone()
    kind = comfy.patcher_extension.WrappersMP.APPLY_MODEL
    compiled.add_wrapper_with_key(kind, "torch.compile", lambda executor, *args, **kw: executor(*args, **kw))
    hooked = [injected(patcher, "forward of high") for patcher in (joined, pair[0])]
    more = injected(join(hooked[1], pair[1]), "forward of high")
    elsewhere = joined.clone()
    elsewhere.load_device = torch.device("meta")
    for patcher, word in (
        (replaced, "blocks.0.forward"),
        (compiled, "torch.compile"),
        (hooked[0], "forward of high"),
        (more, "forward of high"),
        (elsewhere, "load_device"),
    ):
        with pytest.raises(ValueError, match=f"{word}.*in front of Fresco Experts"):
            run(patcher, wans[0])
    assert torch.equal(run(join(hooked[1], pair[1]), wans[0]), run(joined, wans[0])), "in front it may be"
    own = pair[0].clone()
    own.add_object_patch("diffusion_model.blocks.0.forward", block.forward)
    assert torch.equal(run(join(own, pair[1]), wans[0]), run(joined, wans[0])), "in front it may be"


def test_only_the_asked_one_is_loaded(wans, pair):
    patched = lora(join(*pair), 0.9)
    with loads() as asked:
        run(patched, wans[0])
        run(patched, wans[0])
    assert asked == [model.model for model in wans] * 2
