"""Mixed sequences through the adapters of the host's families, on tiny models and on the demo model."""

import logging

import comfy.samplers
import pytest
import tiny
import torch

ADAPTED = ["flux", "flux_kontext", "flux_inpaint", "flux2"]
WITHOUT = ["qwen_image", "wan", "z_image", "sd3", "sdxl"]


def random_layout(batch, rows, columns, count, seed=0):
    from fresco_pack.fresco_core import mixed_layout

    score = torch.rand(batch, rows * columns, generator=torch.Generator().manual_seed(seed))
    mask = torch.zeros_like(score, dtype=torch.bool).scatter(1, score.argsort(1)[:, :count], True)
    return mixed_layout(mask.reshape(batch, 1, rows, columns), count)


@pytest.fixture
def predict(apply, monkeypatch):
    """predict(model, look, cfg=1.0, ...) -> the prediction of one evaluation at sigma 0.6.

    A look is a schedule's word for the step, or the layout that a mixed step is given.
    """
    from fresco_pack.fresco_core import Promoter

    def call(model, look, cfg=1.0, patcher=None, clock="native", detail="smooth", **options):
        words = look if isinstance(look, str) else "mixed 50%"
        schedule = "full" if words == "full" else f"{words} x1, full x1"
        if not isinstance(look, str):
            monkeypatch.setattr(Promoter, "layout", lambda *_: look)
        found = []

        def one(denoise, x, sigmas, extra_args, **_):
            found.append(denoise(x, sigmas[0].expand(x.shape[0]), **extra_args))
            return x

        patched = apply(patcher or model.patcher, schedule, detail, clock=clock)
        sampler, sigmas = comfy.samplers.KSAMPLER(one), torch.tensor([0.6, 0.3, 0.0])
        tiny.sample(patched, model, sampler=sampler, sigmas=sigmas, cfg=cfg, **options)
        return found[0].clone()

    return call


def blocks_of(model):
    height, width = (-(-n // (2 * model.patch)) for n in model.latent["samples"].shape[-2:])
    return height, width


@pytest.mark.parametrize("clock", ["native", "shared"])
@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("family", ADAPTED)
def test_every_block_fine_is_the_hosts_own_forward(predict, family, cfg, clock):
    model = tiny.build(family, batch=2)
    rows, columns = blocks_of(model)
    plain = predict(model, "full", cfg)
    ours = predict(model, random_layout(2, rows, columns, rows * columns), cfg, clock=clock)
    torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("family", ["flux", "flux_inpaint", "flux2"])
def test_every_block_coarse_is_the_coarse_look(predict, family, cfg):
    model = tiny.build(family, batch=2)
    rows, columns = blocks_of(model)
    for detail in ("zero", "smooth"):
        dense = predict(model, "1/2", cfg, detail=detail)
        ours = predict(model, random_layout(2, rows, columns, 0), cfg, detail=detail)
        torch.testing.assert_close(ours, dense, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ADAPTED)
def test_cond_and_uncond_together_or_apart_and_pictures_one_by_one(predict, family):
    model = tiny.build(family, batch=2)
    rows, columns = blocks_of(model)
    layout = random_layout(2, rows, columns, rows * columns // 2)
    noise = torch.randn(model.latent["samples"].shape, generator=torch.Generator().manual_seed(3))
    together = predict(model, layout, 3.0, noise=noise)
    positive = predict(model, layout, 1.0, noise=noise)
    negative = predict(model, layout, 1.0, noise=noise, positive=model.negative)
    torch.testing.assert_close(together, negative + 3.0 * (positive - negative), atol=5e-5, rtol=1e-4)
    from fresco_pack.fresco_core import mixed_layout

    for i in range(2):
        alone = predict(
            model,
            mixed_layout(layout.mask[i : i + 1], layout.fine_blocks),
            noise=noise[i : i + 1],
            latent=model.latent["samples"][i : i + 1],
        )
        torch.testing.assert_close(positive[i : i + 1], alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("clock", ["native", "shared"])
@pytest.mark.parametrize("count", [1, 9, 30])
def test_the_demo_model_mixes_as_its_own_code_does(predict, clock, count):
    """A random mask through the adapter against the same model in plain torch, whose attention and
    modulation are written out token by token."""
    import comfy.sd
    from fresco_pack.fresco_core import Canvas, Margin, mixed_look
    from fresco_pack.fresco_core.demo.subjects import PromptedDenoiser
    from fresco_pack.fresco_core.demo.weights import FOLDER, TRANSFORMER, load_demo

    demo = load_demo()
    context, pooled = demo.prompt.encode(["a frog top left, a robot right, on blue dots"])
    patcher = comfy.sd.load_diffusion_model(str(FOLDER / TRANSFORMER), {"dtype": torch.float32})
    latent = {"samples": torch.zeros(2, 16, 24, 24)}
    model = tiny.Tiny("flux", patcher, latent, 2, [[context, {"pooled_output": pooled}]])
    model.negative = model.positive
    layout = random_layout(2, 6, 6, count)
    noise = torch.randn(2, 16, 24, 24, generator=torch.Generator().manual_seed(3))
    ours = predict(model, layout, clock=clock, noise=noise)
    denoise = PromptedDenoiser(demo.transformer, context, pooled)
    expected = mixed_look(
        denoise,
        0.6 * noise,
        torch.full((2,), 0.6),
        layout,
        Canvas(24, 24),
        margin=Margin(),
        last=torch.zeros(2, 16, 24, 24),
        clock=clock,
    )
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (18, 22)])
@pytest.mark.parametrize("family", ADAPTED)
def test_the_model_sees_the_tokens_that_the_trace_counts(apply, family, size):
    model = tiny.build(family, batch=2, size=size)
    traces = []
    schedule = "draft 1/2 x2, mixed 25%..75% x3; refine 0.8 mixed 50% x1, full x2"
    patched = apply(model.patcher, schedule, traces=traces)
    with tiny.count_image_tokens(model) as seen:
        ours = tiny.sample(patched, model, steps=8, cfg=2.0)
    assert torch.isfinite(ours).all()
    assert torch.equal(ours, tiny.sample(patched, model, steps=8, cfg=2.0))
    references = seen[-1][0] - traces[0].evaluations[-1].tokens
    counted = [tokens for tokens, _ in seen]
    mixed = [i for i, e in enumerate(traces[0].evaluations) if e.fine is not None]
    assert mixed == [2, 3, 4, 5]
    for i in mixed:
        assert counted[i] == traces[0].evaluations[i].tokens + references
    assert "4 mixed" in traces[0].summary()


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m_sde", "lcm", "dpm_fast"])
def test_other_samplers_run_the_progressive_preset(apply, sampler):
    from fresco_pack.fresco_core import PRESETS

    model = tiny.build("flux", batch=2)
    traces = []
    patched = apply(model.patcher, PRESETS["progressive"], traces=traces)
    ours = tiny.sample(patched, model, sampler=sampler, steps=10)
    assert torch.isfinite(ours).all() and any(e.fine is not None for e in traces[0].evaluations)


def test_weights_and_blocks_patched_by_other_packs_still_act(predict):
    model = tiny.build("flux", batch=2)
    layout = random_layout(2, 4, 4, 7)
    plain = predict(model, layout)
    lora = model.patcher.clone()
    key = "diffusion_model.double_blocks.0.img_attn.qkv.weight"
    lora.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.02),))}, 1.0)
    assert not torch.allclose(predict(model, layout, patcher=lora), plain, atol=1e-3)

    seen = []

    def replacement(args, extra):
        seen.append((args["img"].shape[1], args["txt"].shape[1] if "txt" in args else 0))
        return extra["original_block"](args)

    other = model.patcher.clone()
    other.set_model_patch_replace(replacement, "dit", "double_block", 1)
    other.set_model_patch_replace(replacement, "dit", "single_block", 1)
    for clock in ("native", "shared"):
        assert torch.equal(
            predict(model, layout, patcher=other, clock=clock), predict(model, layout, clock=clock)
        )
    assert seen == [(layout.tokens, 8), (layout.tokens + 8, 0)] * 2


def test_an_attention_override_of_another_pack_is_called_for_both_frames(predict):
    model = tiny.build("flux")
    layout = random_layout(1, 4, 4, 7)
    lengths = []

    def override(func, q, k, v, *args, **kwargs):
        lengths.append((q.shape[2], k.shape[2]))
        return func(q, k, v, *args, **kwargs)

    other = model.patcher.clone()
    other.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.equal(predict(model, layout, patcher=other), predict(model, layout))
    assert set(lengths) == {(9, 8 + 16), (8 + 28, 8 + 37)}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", ADAPTED)
def test_half_precision_stays_finite_and_costs_no_more_than_in_a_full_look(predict, family, dtype):
    model = tiny.build(family, batch=2)
    rows, columns = blocks_of(model)
    looks = ("full", random_layout(2, rows, columns, rows * columns // 2))
    exact = [predict(model, look) for look in looks]
    network = model.model.diffusion_model
    network.to(dtype)
    network.dtype = dtype
    ours = [predict(model, look) for look in looks]
    assert torch.isfinite(ours[1]).all()
    full, mixed = (float((a - b).std() / b.std()) for a, b in zip(ours, exact))
    assert mixed < 1.5 * full


@pytest.mark.parametrize("family", WITHOUT)
def test_families_without_an_adapter_take_mixed_steps_at_full_resolution(apply, family, caplog):
    if family not in tiny.available():
        pytest.skip(f"this host has no {family}")
    model = tiny.build(family)
    traces = []
    with caplog.at_level(logging.WARNING):
        mixed = tiny.sample(
            apply(model.patcher, "1/2 x2, mixed 50% x2, full x2", traces=traces), model, steps=6
        )
    assert torch.equal(mixed, tiny.sample(apply(model.patcher, "1/2 x2, full x4"), model, steps=6))
    assert [e.level for e in traces[0].evaluations] == [1, 1, 0, 0, 0, 0]
    told = [r.message for r in caplog.records if "takes no mixed sequences" in r.message]
    assert len(told) == 1 and "at full resolution" in told[0]


def test_a_host_that_has_changed_is_met_with_full_steps(apply, monkeypatch, caplog):
    model = tiny.build("flux")
    network = model.model.diffusion_model

    def other(x, timesteps, context):
        raise AssertionError("not called: it only shows its signature")

    with monkeypatch.context() as patch:
        patch.setattr(network, "_forward", other)
        from fresco_pack.nodes.families import adapter_of

        adapter, reason = adapter_of(network)
    assert adapter is None and "takes other arguments" in reason
    assert adapter_of(network)[1] is None


def test_areas_run_mixed_steps_at_full_resolution(apply, caplog):
    model = tiny.build("flux")
    area = [[model.positive[0][0], {**model.positive[0][1], "area": (8, 8, 0, 0)}]]
    with caplog.at_level(logging.WARNING):
        out = tiny.sample(
            apply(model.patcher, "mixed 50%, full"), model, steps=4, positive=[*model.positive, *area]
        )
    assert torch.isfinite(out).all() and "areas are bound to the whole grid" in caplog.text


def test_focus_steps_run_at_full_resolution_beside_mixed_ones(apply, caplog):
    model = tiny.build("flux")
    traces = []
    with caplog.at_level(logging.WARNING):
        ours = tiny.sample(
            apply(model.patcher, "1/2 x2, mixed 50% x1, focus 50% x2, full x1", traces=traces), model, steps=6
        )
    assert torch.equal(
        ours, tiny.sample(apply(model.patcher, "1/2 x2, mixed 50% x1, full x3"), model, steps=6)
    )
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0, 0]
    assert "takes focus steps at full resolution" in caplog.text
