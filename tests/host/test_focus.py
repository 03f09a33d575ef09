"""Focus steps through the adapters of the host's families, on tiny models and on the demo model."""

import functools
import logging

import comfy.model_management
import comfy.samplers
import pytest
import tiny
import torch
from focus_reference import KeptByHand
from meta_models import FUSED
from mixed_models import FAMILIES, FROM, HOST, PADDED, WITHOUT, demo_model, model_of, random_canvas
from test_lifecycle import state_of
from torch.utils.flop_counter import FlopCounterMode

SIGMA = 0.6
SIZE = (14, 22)  # 7 x 11 tokens: no whole number of blocks, and padding where the host pads
EVEN = ("hunyuan_video",)  # families whose sides are whole tokens
TWO_PASS = "draft 1/2 60%; refine 0.9 focus 50% 20%, full 20%"

pytestmark = pytest.mark.usefixtures("any_start")


def focus_layout(model, share, seed=0):
    """A layout that queries `share` of the tokens, other ones in every sample and frame."""
    from fresco_pack.fresco_core import mixed_layout

    shape = model.latent["samples"].shape
    grid = (shape[2] if len(shape) == 5 else 1, *(-(-n // model.patch) for n in shape[-2:]))
    scores = torch.rand(shape[0], grid[0] * grid[1] * grid[2], generator=torch.Generator().manual_seed(seed))
    count = round(share * scores.shape[1])
    mask = torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.topk(count).indices, True)
    return mixed_layout(mask.reshape(shape[0], *grid), count, level=0)


def queried(model, layout):
    """Where the canvas's pixels are queried."""
    like = model.latent["samples"]
    return layout.fine_pixels(model.patch, 1, like).expand_as(like)


@pytest.fixture
def looks(apply, monkeypatch):
    """looks(model, [(canvas, layout), ...], ...) -> the predictions of evaluations at sigma 0.6, one after
    the other; without layouts those of the plain sampler."""
    from fresco_pack.fresco_core import Promoter

    def call(model, evaluations, cfg=1.0, patcher=None, **options):
        layouts = iter([layout for _, layout in evaluations])
        monkeypatch.setattr(Promoter, "layout", lambda *_: next(layouts))
        found = []

        def evaluate(denoise, x, sigmas, extra_args, **_):
            for canvas, _ in evaluations:
                found.append(denoise(canvas, sigmas[0].expand(x.shape[0]), **extra_args).clone())
            return x

        schedule = "full" if evaluations[0][1] is None else "focus 50% x1, full x1"
        patched = apply(patcher or model.patcher, schedule)
        sampler, sigmas = comfy.samplers.KSAMPLER(evaluate), torch.tensor([SIGMA, 0.3, 0.0])
        tiny.sample(patched, model, sampler=sampler, sigmas=sigmas, cfg=cfg, **options)
        return found

    return call


@pytest.mark.parametrize("size", [(16, 16), SIZE, (15, 18)])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_tokens_queried_are_the_hosts_own_forward(looks, family, size):
    if size[0] % 2 and family in EVEN:
        pytest.skip(f"the host's {family} takes whole tokens only")
    model = model_of(family, size=size)
    x = random_canvas(model)
    (plain,) = looks(model, [(x, None)], cfg=3.0)
    (ours,) = looks(model, [(x, focus_layout(model, 1.0))], cfg=3.0)
    torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("family", FAMILIES)
def test_of_an_unchanged_canvas_what_is_kept_gives_the_hosts_own_prediction(looks, family, share):
    model = model_of(family, size=SIZE)
    x, layout = random_canvas(model), focus_layout(model, share)
    (plain,) = looks(model, [(x, None)], cfg=3.0)
    with tiny.count_image_tokens(model) as seen:
        first, again = looks(model, [(x, focus_layout(model, 1.0)), (x, layout)], cfg=3.0)
    torch.testing.assert_close(again, plain, atol=1e-4, rtol=1e-4)
    here = queried(model, layout)
    assert torch.equal(again[~here], first[~here]), "the others keep the prediction before"
    whole, part = (
        -(-n // PADDED.get(family, 1)) * PADDED.get(family, 1)
        for n in (layout.mask[0].numel(), layout.tokens)
    )
    assert seen[0][0] - seen[1][0] == whole - part


@pytest.mark.parametrize("family", FAMILIES)
def test_of_a_canvas_that_has_changed_the_queried_see_the_others_as_they_were(looks, family):
    model = model_of(family, size=SIZE)
    layouts = [focus_layout(model, share, seed) for share, seed in ((1.0, 0), (0.5, 1), (0.3, 2), (0.5, 3))]
    canvases = [random_canvas(model, seed) for seed in range(4)]
    by_hand, expected = KeptByHand(model), None
    for ours, x, layout in zip(looks(model, list(zip(canvases, layouts))), canvases, layouts):
        found, here = by_hand.look(x, layout.mask, SIGMA), queried(model, layout)
        expected = found if expected is None else torch.where(here, found, expected)
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def demo():
    return demo_model()


def test_the_demo_model_focuses_as_its_own_code_does(looks, demo):
    from fresco_pack.fresco_core import Canvas, KeyValues, focus_look

    model, denoise = demo
    layouts = [focus_layout(model, share, seed) for share, seed in ((1.0, 0), (0.5, 1), (0.2, 2))]
    canvases = [random_canvas(model, seed) for seed in range(3)]
    memory = KeyValues()
    expected, sigma = torch.zeros(2, 16, 24, 24), torch.full((2,), SIGMA)
    for ours, x, layout in zip(looks(model, list(zip(canvases, layouts))), canvases, layouts):
        expected = focus_look(denoise, x, sigma, layout, Canvas(24, 24), memory, expected)
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_cond_and_uncond_together_or_apart_and_pictures_one_by_one(looks, family, monkeypatch):
    from fresco_pack.fresco_core import mixed_layout
    from fresco_pack.nodes import compat

    model = model_of(family, size=SIZE)
    layouts = [focus_layout(model, share, seed) for share, seed in ((1.0, 0), (0.5, 1), (0.5, 2))]
    evaluations = [(random_canvas(model, seed), layout) for seed, layout in enumerate(layouts)]
    together = looks(model, evaluations, 3.0)[-1]
    with monkeypatch.context() as patch:
        patch.setattr(compat, "free_bytes", lambda *_: float("inf"))
        patch.setattr(model.model, "memory_required", lambda *_, **__: float("inf"))
        with tiny.count_image_tokens(model) as seen:
            apart = looks(model, evaluations, 3.0)[-1]
        assert len(seen) == 6 and seen[2][0] < seen[0][0]
    torch.testing.assert_close(apart, together, atol=1e-4, rtol=1e-4)
    alone = [(x[1:], mixed_layout(layout.mask[1:], layout.fine_blocks, level=0)) for x, layout in evaluations]
    last = looks(model, alone, 3.0, latent=model.latent["samples"][1:])[-1]
    torch.testing.assert_close(last, together[1:], atol=1e-4, rtol=1e-4)


def test_where_the_host_batches_otherwise_than_before_all_tokens_are_queried(looks, monkeypatch):
    from fresco_pack.nodes import compat
    from fresco_pack.nodes.focus import FocusMemory

    model, began, begun = model_of("flux", size=SIZE), FocusMemory.begin, []
    canvases = [random_canvas(model, seed) for seed in range(4)]
    layouts = [focus_layout(model, share) for share in (1.0, 0.5, 0.5, 0.5)]

    def required(*_, **__):
        return 0.0 if len(begun) < 3 else float("inf")

    monkeypatch.setattr(FocusMemory, "begin", lambda self: (begun.append(self), began(self)))
    monkeypatch.setattr(compat, "free_bytes", lambda *_: float("inf"))
    monkeypatch.setattr(model.model, "memory_required", required)
    with tiny.count_image_tokens(model) as seen:
        found = looks(model, list(zip(canvases, layouts)), 3.0)
    tokens, half = layouts[0].tokens, layouts[1].tokens
    assert seen == [(tokens, 4), (half, 4), (tokens, 2), (tokens, 2), (half, 2), (half, 2)]
    (plain,) = looks(model, [(canvases[2], None)], 3.0)
    torch.testing.assert_close(found[2], plain, atol=2e-5, rtol=1e-5)


def test_a_further_call_in_each_evaluation_has_a_memory_of_its_own(looks):
    """As skip-layer guidance and its like make."""
    model, calls = model_of("flux", size=SIZE), []
    layouts = [focus_layout(model, share) for share in (1.0, 0.5, 0.5)]
    evaluations = [(random_canvas(model, seed), layout) for seed, layout in enumerate(layouts)]

    def once_more(args):
        options = args["model_options"]
        (other,) = comfy.samplers.calc_cond_batch(
            args["model"], [args["cond"]], args["input"] + len(calls), args["sigma"], options
        )
        calls.append(other)
        return args["denoised"]

    patcher = model.patcher.clone()
    patcher.set_model_sampler_post_cfg_function(once_more)
    with tiny.count_image_tokens(model) as seen:
        ours = looks(model, evaluations, patcher=patcher)
    for mine, theirs in zip(ours, looks(model, evaluations)):
        assert torch.equal(mine, theirs)
    assert [n for n, _ in seen] == [n for layout in layouts for n in (layout.tokens,) * 2]
    shifted = [(x + step, layout) for step, (x, layout) in enumerate(evaluations)]
    for mine, theirs in zip(calls, looks(model, shifted)):
        torch.testing.assert_close(mine, theirs, atol=2e-5, rtol=1e-5)


@pytest.fixture
def memories(monkeypatch):
    """A list of every run's memory, from here on."""
    from fresco_pack.nodes.focus import FocusMemory

    made, init = [], FocusMemory.__init__
    monkeypatch.setattr(FocusMemory, "__init__", lambda self: (init(self), made.append(self))[0])
    return made


@pytest.mark.parametrize(
    "family", ["flux", "flux_kontext", "wan", "hunyuan_video", "z_image", "lumina2", "krea2"]
)
def test_a_run_counts_its_tokens_and_keeps_what_was_told(apply, family, memories):
    from fresco_pack.nodes.architecture import architecture_of

    model, traces, kept = model_of(family, size=SIZE), [], []
    patched = apply(model.patcher, TWO_PASS, traces=traces)
    with tiny.count_image_tokens(model) as seen:
        ours = tiny.sample(
            patched, model, steps=30, cfg=3.0, callback=lambda *_: kept.append(memories[0].nbytes)
        )
    (trace,) = traces
    tokens, half = trace.canvas.tokens(0), trace.canvas.mixed_tokens(0, 0.5)
    assert torch.isfinite(ours).all() and "4 focused" in trace.summary()
    expected = [e.tokens for e in trace.evaluations]
    assert expected[18:] == [tokens, half, half, half, tokens, half, *[tokens] * 6]
    assert expected == list(sum((p.tokens(trace.canvas) for p in trace.plan.passes), ()))
    multiple, references = PADDED.get(family, 1), tokens if family == "flux_kontext" else 0
    assert [n - references for n, _ in seen[18:]] == [-(-n // multiple) * multiple for n in expected[18:]]
    architecture = architecture_of(model.model)
    most = architecture.key_value_bytes(-(-tokens // multiple) * multiple, batch=4, itemsize=4)
    assert kept == [0] * 18 + [most] * 6 + [0] * 6 and memories[0].nbytes == 0
    flops, text = [e.flops for e in trace.evaluations[18:]], model.positive[0][0].shape[1]
    assert flops[0] == flops[-1] == trace.evaluations[-1].full_flops
    assert flops[1] == architecture.step_flops(references + half, 4, text, kept_tokens=tokens - half)
    assert torch.equal(ours, tiny.sample(patched, model, steps=30, cfg=3.0))


@pytest.mark.parametrize("family", ["flux", "wan", "z_image"])
def test_in_half_precision_half_as_much_is_kept(apply, family, memories):
    if family not in tiny.available() or FROM.get(family, HOST) > HOST:
        pytest.skip("this host has no such family")
    model, most = tiny.build(family), []
    network, patched = model.model.diffusion_model, apply(model.patcher, "focus 50% x3, full x1")
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        network.to(dtype)
        network.dtype = dtype
        if hasattr(network, "patch_embedding"):
            network.patch_embedding.float()  # as Wan's class makes it
        kept = []
        ours = tiny.sample(patched, model, callback=lambda *_, kept=kept: kept.append(memories[-1].nbytes))
        assert torch.isfinite(ours).all()
        most.append(max(kept))
    assert most[0] == 2 * most[1] == 2 * most[2] > 0


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m_sde", "res_multistep", "dpm_fast"])
def test_other_samplers(apply, sampler):
    model, traces = model_of("flux"), []
    patched = apply(model.patcher, TWO_PASS, traces=traces)
    assert torch.isfinite(tiny.sample(patched, model, sampler=sampler, steps=20)).all()
    assert any(e.level == 0 and e.tokens < 64 for e in traces[0].evaluations)


def test_beside_mixed_steps(apply):
    model, traces = model_of("flux"), []
    patched = apply(model.patcher, "1/2 x2, mixed 50% x1, focus 50% x2, full x1", traces=traces)
    assert torch.isfinite(tiny.sample(patched, model, steps=6)).all()
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0, 0]
    assert [e.tokens for e in traces[0].evaluations] == [16, 16, 40, 64, 32, 64]


@pytest.mark.parametrize(
    "failure", [RuntimeError, comfy.model_management.InterruptProcessingException, KeyboardInterrupt]
)
def test_an_error_or_interrupt_leaves_nothing(apply, failure, memories):
    model = tiny.build("flux")
    patched = apply(model.patcher, "focus 50% x4, full x1")
    good = tiny.sample(patched, model, steps=5)
    before, patched_before, calls = state_of(model.patcher), state_of(patched), []

    def fail(*_):
        calls.append(memories[-1].nbytes)
        if len(calls) == 3:
            raise failure()

    handle = model.model.diffusion_model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(failure):
            tiny.sample(patched, model, steps=5)
    finally:
        handle.remove()
    assert calls[0] == 0 < calls[1] and all(memory.nbytes == 0 for memory in memories)
    assert state_of(model.patcher) == before and state_of(patched) == patched_before
    assert torch.equal(tiny.sample(patched, model, steps=5), good)


@pytest.mark.parametrize("family", WITHOUT)
def test_families_without_an_adapter_take_focus_steps_at_full_resolution(apply, family, caplog):
    model = model_of(family)
    with caplog.at_level(logging.WARNING):
        ours = tiny.sample(apply(model.patcher, "1/2 x2, focus 50% x3, full x1"), model, steps=6)
    assert torch.equal(ours, tiny.sample(apply(model.patcher, "1/2 x2, full x4"), model, steps=6))
    assert "takes focus steps at full resolution" in caplog.text


def test_areas_run_focus_steps_at_full_resolution(apply, caplog):
    model = model_of("flux")
    area = [[model.positive[0][0], {**model.positive[0][1], "area": (8, 8, 0, 0)}]]
    with caplog.at_level(logging.WARNING):
        tiny.sample(apply(model.patcher, "focus 50% x3, full x1"), model, positive=[*model.positive, *area])
    assert "takes focus steps at full resolution: areas are bound to the whole grid" in caplog.text


def test_an_attention_mask_of_another_pack_is_told(looks):
    model = model_of("flux", size=SIZE)
    x, patcher = random_canvas(model), model.patcher.clone()

    def masked(args, extra):
        length = args["img"].shape[1] + args["txt"].shape[1]
        return extra["original_block"]({**args, "attn_mask": torch.zeros(1, 1, length, length)})

    patcher.set_model_patch_replace(masked, "dit", "double_block", 1)
    whole = (x, focus_layout(model, 1.0))
    looks(model, [whole], patcher=patcher)
    with pytest.raises(ValueError, match="an attention mask has come to a focus step"):
        looks(model, [whole, (x, focus_layout(model, 0.5))], patcher=patcher)


def test_what_does_not_fit_into_the_memory_is_taken_at_full_resolution(apply, caplog, monkeypatch):
    from fresco_pack.nodes.architecture import architecture_of

    model, schedule = model_of("wan"), "1/2 x2, mixed 50% x1, focus 50% x2, full x1"
    one = architecture_of(model.model).key_value_bytes(3 * 64, itemsize=4)
    needed = model.model.memory_required(list(model.latent["samples"].shape))
    for cfg, short in ((3.0, 0), (1.0, 0), (3.0, 1), (1.0, 1)):
        kept = one * (2 if cfg == 1.0 else 4)
        free = functools.partial(lambda found, *_, **__: found, kept + needed - short)
        monkeypatch.setattr(comfy.model_management, "get_free_memory", free)
        traces = []
        with caplog.at_level(logging.WARNING):
            tiny.sample(apply(model.patcher, schedule, traces=traces), model, steps=6, cfg=cfg)
        assert [e.tokens for e in traces[0].evaluations][3:] == [192, 192 if short else 96, 192]
        assert ("at full resolution: they would keep 0.0 GiB of keys and values" in caplog.text) == bool(
            short
        )
        assert [e.fine is not None for e in traces[0].evaluations] == [False] * 2 + [True] + [False] * 3


@pytest.mark.parametrize("family", ["flux", "qwen_image", "wan", "hunyuan_video", "z_image"])
def test_the_cost_is_what_the_host_spends(apply, family):
    """In what a focus step costs less than one that queries all tokens. FLUX's first and last layer, small in
    a large model, see the whole canvas in both."""
    model, traces, counted = model_of(family), [], []

    def evaluate(denoise, x, sigmas, extra_args, **_):
        for sigma in sigmas[:2]:
            with FlopCounterMode(display=False, custom_mapping=FUSED) as counter:
                denoise(x, sigma.expand(x.shape[0]), **extra_args)
            counted.append(counter.get_total_flops())
        return x

    patched = apply(model.patcher, "focus 50% x2, full x1", traces=traces)
    sampler, sigmas = comfy.samplers.KSAMPLER(evaluate), torch.tensor([0.9, 0.6, 0.3, 0.0])
    tiny.sample(patched, model, sampler=sampler, sigmas=sigmas)
    told = [e.flops for e in traces[0].evaluations]
    assert told[0] - told[1] == pytest.approx(counted[0] - counted[1], rel=0.06 if family == "flux" else 0.01)


def test_a_whole_run_of_the_demo_model_is_that_of_the_core(apply, demo):
    from fresco_pack.fresco_core import Canvas, flow_sigmas, make_plan, parse
    from fresco_pack.fresco_core.sampling import sample

    model, denoise = demo
    sigmas, noise = flow_sigmas(20), random_canvas(model)
    plan = make_plan(parse(TWO_PASS), sigmas, Canvas(24, 24))
    expected = sample(denoise, noise, plan, prior="zero")
    ours = tiny.sample(
        apply(model.patcher, TWO_PASS), model, sigmas=torch.tensor(sigmas), noise=noise, sampler="euler"
    )
    torch.testing.assert_close(model.model.process_latent_in(ours), expected, atol=2e-3, rtol=1e-3)
