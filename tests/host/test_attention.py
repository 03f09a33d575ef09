"""The promotion order `attention` on the host: what the prompt pays attention to."""

import logging

import pytest
import tiny
import torch
from mixed_models import model_of, random_canvas
from test_focus import demo  # noqa: F401 - a fixture

FAMILIES = ("flux", "flux2", "chroma", "krea2", "qwen_image", "hunyuan_video", "hunyuan_image")
SCHEDULE = "1/2 x2, mixed 50% attention x2, full x1"

pytestmark = pytest.mark.usefixtures("any_start")


@pytest.fixture
def observed(monkeypatch):
    """A list that gets the attention of each evaluation."""
    from fresco_pack.fresco_core import Promoter

    seen, observe = [], Promoter.observe

    def watch(self, prediction, variance=None, attention=None):
        seen.append(attention)
        observe(self, prediction, variance, attention)

    monkeypatch.setattr(Promoter, "observe", watch)
    return seen


def test_the_demo_model_is_run_as_the_core_runs_it(apply, demo, observed):  # noqa: F811
    from fresco_pack.fresco_core import Canvas, flow_sigmas, make_plan, parse
    from fresco_pack.fresco_core.sampling import sample

    model, denoise = demo
    sigmas, noise = flow_sigmas(5), random_canvas(model)
    expected = sample(denoise, noise, make_plan(parse(SCHEDULE), sigmas, Canvas(24, 24)), prior="zero")
    theirs = [shares for shares in observed if shares is not None]
    observed.clear()
    patched = apply(model.patcher, SCHEDULE)
    ours = tiny.sample(patched, model, sigmas=torch.tensor(sigmas), noise=noise, sampler="euler", cfg=3.0)
    mine = [shares for shares in observed if shares is not None]
    assert len(mine) == len(theirs) == 5
    for ours_, theirs_ in zip(mine, theirs):
        torch.testing.assert_close(ours_, theirs_, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(model.model.process_latent_in(ours), expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_observed_is_the_last_blocks_attention(apply, family, observed):
    """In a coarse, a mixed and a full step; written out as a matrix where all tokens have one frame."""
    model, matrices, ends = model_of(family), [], []

    def attend(func, q, k, v, *args, **kwargs):
        matrices.append((q, k))
        return func(q, k, v, *args, **kwargs)

    other = model.patcher.clone()
    other.model_options["transformer_options"]["optimized_attention_override"] = attend
    tiny.sample(apply(other, SCHEDULE), model, steps=5, callback=lambda *_: ends.append(len(matrices)))
    for step in (0, 4):
        q, k = matrices[ends[step] - 1]
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        grid = observed[step].shape[1:]
        text = q.shape[2] - grid.numel()
        expected = weights[:, :, :text, text:].mean(dim=(1, 2)).unflatten(1, grid)
        torch.testing.assert_close(observed[step], expected, atol=1e-6, rtol=1e-3)
    assert observed[2].shape == observed[0].shape != observed[4].shape
    assert (observed[2].sum(dim=(1, 2, 3)) < 1.0).all() and observed[2].min() > 0.0


def test_of_a_negative_prompt_nothing_is_observed(apply, observed, monkeypatch):
    model = model_of("flux")
    patched = apply(model.patcher, SCHEDULE)
    for cfg in (1.0, 3.0):
        tiny.sample(patched, model, steps=5, cfg=cfg)
    monkeypatch.setattr(model.model, "memory_required", lambda *_, **__: float("inf"))
    tiny.sample(patched, model, steps=5, cfg=3.0)
    alone, together, apart = observed[0], observed[5], observed[10]
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(apart, alone, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("flux_kontext", "where attention goes is not told beside references"),
        ("wan", "this family does not tell where attention goes"),
    ],
)
def test_where_attention_is_not_told_mixed_steps_are_full(apply, family, words, caplog):
    model = model_of(family)
    with caplog.at_level(logging.WARNING):
        tiny.sample(apply(model.patcher, SCHEDULE), model, steps=5)
    assert words in caplog.text
