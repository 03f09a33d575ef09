"""Where coarse tokens cannot have a clock of their own, and what is said then."""

import logging

import pytest
import tiny
import torch
from mixed_models import model_of


@pytest.mark.parametrize("family", ["krea2_edit", "qwen_edit"])
def test_a_clock_that_was_asked_for_by_name_is_missed_aloud(apply, family, caplog):
    """Reference pictures at timestep zero leave coarse tokens no clock of their own."""
    model = model_of(family)
    text, extra = model.positive[0]
    at_zero = [[text, {**extra, "reference_latents_method": "index_timestep_zero"}]]

    def run(words, **chosen):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            out = tiny.sample(
                apply(model.patcher, f"mixed 50%{words}, full", **chosen), model, positive=at_zero
            )
        return out, [r.message for r in caplog.records if "the clock 'shared'" in r.message]

    shared, told = run(" shared")
    assert not told
    for words, chosen, times in (("", {}, 0), (" native", {}, 1), ("", {"clock": "native"}, 1)):
        ours, told = run(words, **chosen)
        assert torch.equal(ours, shared) and len(told) == times


@pytest.mark.parametrize(
    ("family", "part"),
    [
        ("qwen_image", "transformer_blocks.1"),
        ("krea2", "blocks.1"),
        ("chroma", "single_blocks.1"),
        ("hunyuan_video", "double_blocks.1"),
        ("lumina2", "noise_refiner.0"),
        ("z_image", "final_layer"),
    ],
)
def test_hosts_whose_blocks_know_one_clock_are_met_with_one(monkeypatch, family, part):
    from fresco_pack.nodes.families import adapter_of

    network = model_of(family).model.diffusion_model
    assert adapter_of(network)[0].one_clock(network, {}) is None
    monkeypatch.setattr(network.get_submodule(part), "forward", lambda x, vec: x)
    adapter, _ = adapter_of(network)
    assert "ranges of tokens" in adapter.one_clock(network, {})


def test_mean_flow_models_have_one_clock(monkeypatch):
    from fresco_pack.nodes.families import adapter_of

    network = model_of("hunyuan_image").model.diffusion_model
    monkeypatch.setattr(network, "time_r_in", torch.nn.Identity())
    adapter, _ = adapter_of(network)
    assert "mean-flow" in adapter.one_clock(network, {})
