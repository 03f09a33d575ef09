"""Where coarse tokens cannot have a clock of their own: the family decides."""

import pytest
import tiny
import torch
from mixed_models import model_of, one_clock


@pytest.mark.parametrize("family", ["krea2_edit", "qwen_edit"])
def test_reference_pictures_at_timestep_zero_leave_coarse_tokens_the_clock_of_fine_ones(apply, family):
    model = model_of(family)
    text, extra = model.positive[0]
    at_zero = [[text, {**extra, "reference_latents_method": "index_timestep_zero"}]]
    patched = apply(model.patcher, "mixed 50% x2, full x2")
    ours, as_the_host_has_them = (tiny.sample(patched, model, positive=p) for p in (at_zero, model.positive))
    with one_clock():
        assert torch.equal(ours, tiny.sample(patched, model, positive=at_zero))
        assert not torch.equal(as_the_host_has_them, tiny.sample(patched, model))


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
