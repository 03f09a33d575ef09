"""Mixed sequences through the adapters of the host's families, on tiny models and on the demo model."""

import logging
from contextlib import nullcontext
from dataclasses import replace

import comfy.samplers
import pytest
import tiny
import torch
from mixed_models import (
    BY_HAND,
    EDITS,
    FAMILIES,
    FROM,
    HOST,
    PADDED,
    WITHOUT,
    built,
    demo_model,
    model_of,
    one_clock,
    random_canvas,
    random_layout,
)
from mixed_reference import conditions, prediction_by_hand
from tiny_families import SPECS

OWN_CLOCK = pytest.mark.parametrize("own_clock", [True, False], ids=["own clock", "one clock"])

pytestmark = pytest.mark.usefixtures("any_start")


@pytest.fixture
def predict(apply, monkeypatch):
    """predict(model, look, cfg=1.0, ...) -> the prediction of one evaluation at sigma 0.6.

    A look is a schedule's word for the step, or the layout that a mixed step is given. own_clock: whether
    coarse tokens may have one, where the family has it.
    """
    from fresco_pack.fresco_core import Promoter

    def call(model, look, cfg=1.0, patcher=None, own_clock=True, **options):
        words = look if isinstance(look, str) else "mixed 50%"
        schedule = "full" if words == "full" else f"{words} x1, full x1"
        if not isinstance(look, str):
            monkeypatch.setattr(Promoter, "layout", lambda *_: look)
        found = []

        def one(denoise, x, sigmas, extra_args, **_):
            found.append(denoise(x, sigmas[0].expand(x.shape[0]), **extra_args))
            return x

        patched = apply(patcher or model.patcher, schedule)
        sampler, sigmas = comfy.samplers.KSAMPLER(one), torch.tensor([0.6, 0.3, 0.0])
        with nullcontext() if own_clock else one_clock():
            tiny.sample(patched, model, sampler=sampler, sigmas=sigmas, cfg=cfg, **options)
        return found[0].clone()

    return call


@pytest.mark.parametrize(("cfg", "own_clock"), [(1.0, False), (3.0, True)])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_block_fine_is_the_hosts_own_forward(predict, family, cfg, own_clock):
    model = model_of(family)
    plain = predict(model, "full", cfg)
    ours = predict(model, random_layout(model, 1.0), cfg, own_clock=own_clock)
    torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in EDITS])
def test_every_block_coarse_is_the_coarse_look(predict, family):
    model = model_of(family)
    dense = predict(model, "1/2", 3.0)
    ours = predict(model, random_layout(model, 0.0), 3.0)
    torch.testing.assert_close(ours, dense, atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("family", BY_HAND)
def test_every_block_coarse_is_the_hosts_own_forward_at_half_resolution(predict, family):
    """With one clock for all, what the host sees is no coarse look: its tokens carry the canvas's noise."""
    from fresco_pack.fresco_core import expand
    from fresco_pack.fresco_core.look.mixed import level_state

    model, last = model_of(family), random_canvas(model_of(family), 5)
    noise = random_canvas(model)
    ours = predict(model, random_layout(model, 0.0), noise=noise, latent=last, own_clock=False)
    sigma = torch.tensor([0.6, 0.6])
    last = model.model.process_latent_in(last)
    state, _ = level_state(0.4 * last + 0.6 * noise, sigma, 1, False, prediction=last)
    with torch.inference_mode():
        low = model.model.apply_model(state, sigma, **conditions(model, 2))
    torch.testing.assert_close(ours, expand(low), atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@OWN_CLOCK
@pytest.mark.parametrize("family", (*BY_HAND, *EDITS))
def test_a_random_mask_is_the_hosts_forward_on_tokens_made_one_by_one(predict, family, own_clock, share):
    model = model_of(family)
    last, noise, layout = random_canvas(model, 5), random_canvas(model), random_layout(model, share)
    ours = predict(model, layout, noise=noise, latent=last, own_clock=own_clock)
    last = model.model.process_latent_in(last)
    for i, mask in enumerate(layout.mask):
        canvas = 0.4 * last[i] + 0.6 * noise[i]
        expected = prediction_by_hand(model, canvas, last[i], mask, 0.6, own_clock)
        torch.testing.assert_close(ours[i], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_cond_and_uncond_together_or_apart_and_pictures_one_by_one(predict, family):
    from fresco_pack.fresco_core import mixed_layout

    model = model_of(family)
    layout, noise = random_layout(model, 0.5), random_canvas(model)
    together = predict(model, layout, 3.0, noise=noise)
    positive = predict(model, layout, 1.0, noise=noise)
    negative = predict(model, layout, 1.0, noise=noise, positive=model.negative)
    torch.testing.assert_close(together, negative + 3.0 * (positive - negative), atol=1e-4, rtol=1e-4)
    alone = predict(
        model,
        mixed_layout(layout.mask[1:], layout.fine_blocks),
        noise=noise[1:],
        latent=model.latent["samples"][1:],
    )
    torch.testing.assert_close(positive[1:], alone, atol=2e-5, rtol=1e-4)


@OWN_CLOCK
@pytest.mark.parametrize("share", [0.03, 0.25, 0.8])
def test_the_demo_model_mixes_as_its_own_code_does(predict, own_clock, share):
    """A random mask through the adapter against the same model in plain torch, whose attention and
    modulation are written out token by token."""
    from fresco_pack.fresco_core import Canvas, Margin, mixed_look

    model, denoise = demo_model()
    layout = random_layout(model, share)
    noise = torch.randn(2, 16, 24, 24, generator=torch.Generator().manual_seed(3))
    ours = predict(model, layout, own_clock=own_clock, noise=noise)
    expected = mixed_look(
        replace(denoise, own_clock=own_clock),
        0.6 * noise,
        torch.full((2,), 0.6),
        layout,
        Canvas(24, 24),
        margin=Margin(),
        last=torch.zeros(2, 16, 24, 24),
    )
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (18, 22)])
@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("flux2", "flux_inpaint", "wan_i2v")])
def test_the_model_sees_the_tokens_that_the_trace_counts(apply, family, size):
    model = model_of(family, size=size)
    traces = []
    schedule = "draft 1/2 x2, mixed 25%..75% x2; refine 0.8 mixed 50% x1, full x1"
    patched = apply(model.patcher, schedule, traces=traces)
    with tiny.count_image_tokens(model) as seen:
        ours = tiny.sample(patched, model, steps=6)
    from fresco_pack.fresco_core.text.in_words import trace_in_words

    assert torch.isfinite(ours).all() and "3 mixed" in trace_in_words(traces[0])
    trace, multiple = traces[0], PADDED.get(family, 1)
    counted = [-(-e.tokens // multiple) * multiple for e in trace.evaluations]
    references = seen[-1][0] - counted[-1]
    mixed = [i for i, e in enumerate(trace.evaluations) if e.fine is not None]
    assert mixed == [2, 3, 4]
    assert [seen[i][0] for i in mixed] == [counted[i] + references for i in mixed]
    assert torch.equal(ours, tiny.sample(patched, model, steps=6))


def test_the_schedule_names_the_order(apply):
    from fresco_pack.fresco_core import ORDERS

    model = model_of("flux")

    def run(words, **chosen):
        return tiny.sample(apply(model.patcher, f"1/2 x2, mixed 50%{words} x1, full x1", **chosen), model)

    named = run(" low")
    assert torch.equal(named, run("", order=ORDERS["low"]))
    assert torch.equal(named, run(" low", order=ORDERS["high"])), "the schedule's own comes first"
    assert torch.equal(run(""), run(" high")) and not torch.equal(named, run(" high"))


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m_sde", "lcm", "dpm_fast"])
def test_other_samplers_run_the_progressive_preset(apply, sampler):
    from fresco_pack.fresco_core import PRESETS

    model = model_of("flux")
    traces = []
    patched = apply(model.patcher, PRESETS["progressive"], traces=traces)
    ours = tiny.sample(patched, model, sampler=sampler, steps=10)
    assert torch.isfinite(ours).all() and any(e.fine is not None for e in traces[0].evaluations)


@pytest.mark.parametrize("family", [f for f in BY_HAND if f != "z_image"])
def test_weights_and_attention_patched_by_other_packs_still_act(predict, family):
    model = model_of(family)
    layout = random_layout(model, 0.4)
    plain = predict(model, layout)
    lora = model.patcher.clone()
    block = f"diffusion_model.{SPECS[family].block.split('.')[0]}."
    weights = {k: v for k, v in model.model.state_dict().items() if k.startswith(block) and v.ndim == 2}
    key, weight = next(iter(weights.items()))
    assert lora.add_patches({key: ("diff", (torch.full_like(weight, 0.02),))}, 1.0) == [key]
    assert not torch.allclose(predict(model, layout, patcher=lora), plain, atol=1e-3)

    lengths = []

    def override(func, q, k, v, *args, **kwargs):
        lengths.append(q.shape[2] if q.ndim == 4 else q.shape[1])
        return func(q, k, v, *args, **kwargs)

    other = model.patcher.clone()
    other.model_options["transformer_options"]["optimized_attention_override"] = override
    text = 0 if family == "wan" else model.positive[0][0].shape[1]
    assert torch.equal(predict(model, layout, patcher=other), plain)
    assert layout.tokens + text in lengths


@pytest.mark.parametrize("family", ["flux", "chroma", "qwen_image", "hunyuan_video", "wan"])
def test_blocks_replaced_by_other_packs_see_the_sequence(predict, family):
    model, seen = model_of(family), []
    layout = random_layout(model, 0.4)

    def replacement(args, extra):
        seen.append(args["img"].shape[1])
        return extra["original_block"](args)

    other = model.patcher.clone()
    other.set_model_patch_replace(replacement, "dit", "double_block", 1)
    other.set_model_patch_replace(replacement, "dit", "single_block", 1)
    for clock in ({}, {"own_clock": False}):
        assert torch.equal(predict(model, layout, patcher=other, **clock), predict(model, layout, **clock))
    single = () if family in ("qwen_image", "wan") else (layout.tokens + model.positive[0][0].shape[1],)
    assert seen == [layout.tokens, *single] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_stays_finite_and_costs_no_more_than_in_a_full_look(predict, family):
    model = model_of(family)
    looks = ("full", random_layout(model, 0.5))
    exact = [predict(model, look) for look in looks]
    network = model.model.diffusion_model
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        for dtype in (torch.float16, torch.bfloat16):
            network.to(dtype)
            network.dtype = dtype
            if hasattr(network, "patch_embedding"):
                network.patch_embedding.float()  # as Wan's class makes it
            ours = [predict(model, look) for look in looks]
            assert torch.isfinite(ours[1]).all()
            full, mixed = (float((a - b).std() / b.std()) for a, b in zip(ours, exact))
            assert mixed < 1.5 * full
    finally:
        network.float().load_state_dict(kept)
        network.dtype = torch.float32


@pytest.mark.parametrize("family", WITHOUT)
def test_families_without_an_adapter_take_mixed_steps_at_full_resolution(apply, family, caplog):
    model = model_of(family)
    traces = []
    with caplog.at_level(logging.WARNING):
        mixed = tiny.sample(
            apply(model.patcher, "1/2 x2, mixed 50% x2, full x2", traces=traces), model, steps=6
        )
    assert torch.equal(mixed, tiny.sample(apply(model.patcher, "1/2 x2, full x4"), model, steps=6))
    assert [e.level for e in traces[0].evaluations] == [1, 1, 0, 0, 0, 0]
    told = [r.message for r in caplog.records if "takes no mixed sequences" in r.message]
    assert len(told) == 1 and "at full resolution" in told[0]


@pytest.mark.parametrize("family", [f for f in BY_HAND if f != "z_image"])
def test_a_host_that_has_changed_is_met_with_full_steps(monkeypatch, family):
    from fresco_pack.nodes.families import adapter_of

    network = model_of(family).model.diffusion_model
    with monkeypatch.context() as patch:
        for name in ("_forward", "forward_orig", "rope_encode", "embed_all"):
            patch.setattr(network, name, lambda latent: None, raising=False)
        adapter, reason = adapter_of(network)
    assert adapter is None and "than this version of Fresco knows" in reason
    assert adapter_of(network)[1] is None


def test_references_at_timestep_zero_run_full_steps(monkeypatch):
    from fresco_pack.nodes.families import adapter_of

    network = model_of("flux2").model.diffusion_model
    monkeypatch.setattr(network.params, "default_ref_method", "index_timestep_zero", raising=False)
    assert "references at timestep zero" in adapter_of(network)[1]


@pytest.mark.parametrize("family", [family for family, since in FROM.items() if since > HOST])
def test_hosts_that_make_positions_otherwise_run_full_steps(apply, family, caplog):
    model = built(family)
    with caplog.at_level(logging.WARNING):
        mixed = tiny.sample(apply(model.patcher, "mixed 50%, full"), model)
    assert torch.equal(mixed, tiny.sample(model.patcher, model))
    assert "takes mixed steps at full resolution" in caplog.text


def test_what_the_family_does_not_know_is_met_with_full_steps(apply, caplog):
    model = model_of("wan")
    reference = torch.zeros(1, 16, 1, 16, 16)
    known = [[text, {**extra, "reference_latents": [reference]}] for text, extra in model.positive]
    with caplog.at_level(logging.WARNING):
        tiny.sample(apply(model.patcher, "mixed 50%, full"), model, positive=known)
    assert "the conditioning 'reference_latent' is bound to the whole grid" in caplog.text


def test_inpainting_that_shows_what_it_keeps_runs_mixed_steps_at_full_resolution(apply, caplog):
    model = model_of("hunyuan_video")
    mask = torch.ones(1, 1, 3, 16, 16)
    mask[:, :, :1] = 0.0
    with caplog.at_level(logging.WARNING):
        tiny.sample(apply(model.patcher, "mixed 50%, full"), model, noise_mask=mask)
    assert "what inpainting keeps is bound to the whole grid" in caplog.text


def test_areas_run_mixed_steps_at_full_resolution(apply, caplog):
    model = model_of("flux")
    area = [[model.positive[0][0], {**model.positive[0][1], "area": (8, 8, 0, 0)}]]
    with caplog.at_level(logging.WARNING):
        out = tiny.sample(
            apply(model.patcher, "mixed 50%, full"), model, steps=4, positive=[*model.positive, *area]
        )
    assert torch.isfinite(out).all() and "areas are bound to the whole grid" in caplog.text
