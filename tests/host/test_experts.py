"""Fresco Experts: two networks that divide a run's sigmas, against the two-sampler graph and against one
network that holds both."""

import copy

import comfy.model_patcher
import pytest
import torch
from two_experts import (
    BOUNDARY,
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

DRAFT, MIXED = "draft 1/2 x4; refine 0.9 x4", "1/2 40%, mixed 50% high 40%, full"


class Either(torch.nn.Module):
    """Two networks in one module: what the joined model must be to every sampler."""

    def __init__(self, high, low, boundary):
        super().__init__()
        self.high, self.low, self.boundary = high, low, boundary

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("high"), name)

    def forward(self, x, timestep, *args, **kwargs):
        asked = self.high if float(timestep.max()) / 1000 >= self.boundary else self.low
        return asked(x, timestep, *args, **kwargs)


def one_network(wans, boundary=BOUNDARY):
    """A patcher whose only network holds both experts'."""
    model = copy.copy(wans[0].model)
    model._modules = dict(model._modules)
    networks = (wan.model.diffusion_model for wan in wans)
    model._modules["diffusion_model"] = Either(*networks, boundary)
    cpu = torch.device("cpu")
    return shifted(comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu))


SAMPLERS = ["euler", "ddim", "dpm_2", "heun", "dpmpp_2m", "res_multistep", "uni_pc", "dpmpp_sde"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_every_sampler_sees_one_network_that_holds_both(wans, pair, sampler, cfg):
    expected = run(one_network(wans), wans[0], sampler=sampler, cfg=cfg)
    with both_called(wans) as calls:
        found = run(join(*pair), wans[0], sampler=sampler, cfg=cfg)
    assert torch.equal(found, expected)
    assert {which for which, _ in calls} == {0, 1}
    assert all(which == int(sigma < BOUNDARY) for which, sigma in calls)


@pytest.mark.parametrize("sampler", ["euler", "ddim", "dpmpp_2m", "res_multistep"])
@pytest.mark.parametrize("text", [None, "off", "full"])
def test_the_two_sampler_graph_bit_for_bit(wans, pair, apply, sampler, text):
    """Begun anew at the switch, one sampler over the joined model is the official graph."""
    joined = join(*pair) if text is None else apply(join(*pair), text)
    anew = handing_over(sampler, switch_step(pair[0]))
    found = run(joined, wans[0], sampler=anew, sigmas=sigmas_of(pair[0]))
    assert torch.equal(found, two_samplers(pair, wans, sampler))


@pytest.mark.parametrize("sampler", ["euler", "ddim"])
def test_samplers_without_memory_differ_by_the_hand_over_alone(wans, pair, sampler):
    """In one run nothing is rounded at the switch: it is as far away as a split run of one model is from a
    whole one."""
    found, expected = run(join(*pair), wans[0], sampler=sampler), two_samplers(pair, wans, sampler)
    assert torch.allclose(found, expected, atol=1e-4)
    one = run(pair[0], wans[0], sampler=sampler)
    two = two_samplers([pair[0]] * 2, [wans[0]] * 2, sampler)
    assert not torch.equal(one, two) and torch.allclose(one, two, atol=1e-4)


def test_a_second_order_step_over_the_boundary_ends_with_the_low_expert(wans, pair):
    """Heun's second evaluation of that step lies below the boundary. Two samplers give it to the high expert:
    all that differs."""
    asked = []
    for sample in (lambda **k: run(join(*pair), wans[0], **k), lambda **k: two_samplers(pair, wans, **k)):
        with both_called(wans) as calls:
            sample(sampler="heun", cfg=1.0)
        asked.append(list(calls))
    assert [s for _, s in asked[0]] == pytest.approx([s for _, s in asked[1]])
    differing = [(a, b) for a, b in zip(*asked) if a[0] != b[0]]
    boundary = pytest.approx(float(sigmas_of(pair[0])[switch_step(pair[0])]))
    assert differing == [((1, boundary), (0, boundary))]


def test_sigmas_on_the_boundary_are_the_high_experts(wans, pair):
    """0.9 in a widget is more than 0.9 in a sampler's float32."""
    sigmas = torch.tensor([1.0, 0.9, 0.89999, 0.5, 0.0])
    with both_called(wans) as calls:
        run(join(*pair, 0.9), wans[0], sigmas=sigmas, cfg=1.0)
    assert [which for which, _ in calls] == [0, 0, 1, 1]


@pytest.mark.parametrize("boundary, which", [(0.0, 0), (1.0, None), (0.999, None)])
def test_one_expert_alone(wans, pair, boundary, which):
    """A boundary at 0, and stages on one side of it."""
    joined = join(*pair, boundary)
    shared = {"positive": wans[0].positive, "negative": wans[0].negative}
    if which == 0:
        with both_called(wans) as calls, loads() as asked:
            found = run(joined, wans[0])
        assert torch.equal(found, run(pair[0], wans[0])) and {w for w, _ in calls} == {0}
        assert asked == [wans[0].model]
    latent = torch.randn(wans[0].latent["samples"].shape, generator=torch.Generator().manual_seed(3))
    late = torch.tensor([0.8, 0.5, 0.2, 0.0])
    with both_called(wans) as calls, loads() as asked:
        found = run(joined, wans[0], sigmas=late, latent=latent)
    used = 0 if which == 0 else 1
    assert torch.equal(found, run(pair[used], wans[used], sigmas=late, latent=latent, **shared))
    assert {w for w, _ in calls} == {used} and asked == [wans[used].model]


def test_each_is_loaded_once_in_a_pass(wans, pair, apply):
    models = [wan.model for wan in wans]
    with loads() as asked:
        run(join(*pair), wans[0])
    assert asked == models
    with loads() as asked:
        run(apply(join(*pair), DRAFT), wans[0])
    assert asked == [*models, *models], "high and low for the draft, high and low to refine it"


@pytest.mark.parametrize("sampler", ["euler", "res_multistep", "heun"])
@pytest.mark.parametrize("text", [DRAFT, "1/2 x4, full x4", MIXED, "draft 1/2 x3; refine x5"])
def test_every_look_asks_the_expert_for_the_sigma_that_it_shows(wans, pair, apply, sampler, text):
    """A draft's coarse looks are at lower sigmas than the canvas: the low expert draws there earlier."""
    traces = []
    with both_called(wans) as calls:
        found = run(apply(join(*pair), text, traces=traces), wans[0], sampler=sampler, cfg=1.0)
    assert torch.isfinite(found).all()
    evaluations = traces[0].evaluations
    assert len(calls) == len(evaluations) and any(e.level for e in evaluations)
    assert all(which == int(sigma < BOUNDARY - 1e-5) for which, sigma in calls)
    if "mixed" in text:
        return
    for (which, shown), evaluation in zip(calls, evaluations):
        canvas = float(evaluation.sigma)
        sigma = canvas / (2**evaluation.level * (1 - canvas) + canvas)  # the flow's shift by 2^-k
        assert shown == pytest.approx(sigma, abs=1e-5)
        assert which == int(sigma < BOUNDARY - 1e-5)
    assert {which for which, _ in calls} == {0, 1}
    if text == "1/2 x4, full x4":
        between = [w for (w, s), e in zip(calls, evaluations) if float(e.sigma) > BOUNDARY > s + 1e-5]
        assert between and set(between) == {1}, "canvas above the boundary, level below"


@pytest.mark.parametrize("text", [DRAFT, "1/2 x3, full x5"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_a_coarse_run_is_that_of_one_network_that_holds_both(wans, pair, apply, text, sampler):
    expected = run(apply(one_network(wans), text), wans[0], sampler=sampler)
    assert torch.equal(run(apply(join(*pair), text), wans[0], sampler=sampler), expected)


@pytest.mark.parametrize("text,level_changes", [(None, 0), (DRAFT, 2)])
def test_an_evaluation_reads_its_sigma_once(wans, pair, apply, monkeypatch, text, level_changes):
    from fresco_pack.nodes.engine.experts import RunningExperts

    asked, inner = [], RunningExperts.asked_at
    monkeypatch.setattr(
        RunningExperts, "asked_at", lambda self, sigma: asked.append(sigma) or inner(self, sigma)
    )
    joined = join(*pair) if text is None else apply(join(*pair), text)
    with both_called(wans) as calls:
        run(joined, wans[0], sampler="euler", cfg=1.0)
    assert len(calls) + 1 <= len(asked) <= len(calls) + 1 + level_changes, "and once for the first to load"
