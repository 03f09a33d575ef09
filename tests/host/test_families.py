"""Every family's tiny model looks at coarse levels, with the token counts its own blocks see."""

import pytest
import tiny
import torch

TWO_PASS = "draft 1/2 x3; refine 0.75 x2"


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("schedule", [TWO_PASS, "1/2 until 0.6, full"])
@pytest.mark.parametrize("family", tiny.available())
def test_family_runs_dense_levels(apply, family, schedule, cfg):
    model = tiny.build(family, size=(16, 16))
    with tiny.count_image_tokens(model) as full:
        plain = tiny.sample(model.patcher, model, steps=5, cfg=cfg)
    traces = []
    patched = apply(model.patcher, schedule, traces=traces)
    with tiny.count_image_tokens(model) as seen:
        ours = tiny.sample(patched, model, steps=5, cfg=cfg)
    assert ours.shape == plain.shape and torch.isfinite(ours).all()
    assert torch.equal(ours, tiny.sample(patched, model, steps=5, cfg=cfg))
    assert not torch.equal(ours, plain)
    full_tokens, last = full[0][0], seen[-1][0]
    assert last == full_tokens and traces[0].evaluations[-1].level == 0
    coarse = seen[0][0]
    if family == "z_image":  # the host pads sequences to multiples of 32
        assert coarse == 32
    else:
        assert coarse * 4 == full_tokens
    assert {e.level for e in traces[0].evaluations} == {0, 1}
    if family not in ("z_image", "flux_kontext", "qwen_edit", "krea2_edit"):
        assert [e.tokens for e in traces[0].evaluations if e.level] == [coarse] * sum(
            e.level for e in traces[0].evaluations
        )
    # still the same kind of picture: the spread of the latent stays near the plain sampler's
    assert 0.4 < float(ours.std() / plain.std()) < 2.5


@pytest.mark.parametrize("size", [(18, 14), (17, 19), (13, 16)])
@pytest.mark.parametrize(
    "family", ["flux", "qwen_image", "wan", "lumina2", "z_image", "sd3", "sdxl", "flux2"]
)
def test_odd_sizes(apply, family, size):
    if family not in tiny.available():
        pytest.skip(f"this host has no {family}")
    model = tiny.build(family, size=size, batch=2)
    schedules = (TWO_PASS, "3/4 until 0.8, full", "1/4 until 0.9, 1/2 until 0.6, full")
    for schedule in schedules if min(size) >= 16 else schedules[:2]:
        ours = tiny.sample(apply(model.patcher, schedule), model, steps=5, cfg=2.0)
        assert ours.shape == model.latent["samples"].shape and torch.isfinite(ours).all()


def test_flux2_looks_at_the_pixels_packed_into_its_channels(apply):
    """The coarse state of packed latents is the packed coarse state of the pixels, not the mean of packed
    tokens."""
    from fresco_pack.fresco_core import DenseLook, merge
    from fresco_pack.fresco_core.canvas.haar import pack_channels, unpack_channels
    from fresco_pack.nodes.engine.run import Settings
    from fresco_pack.nodes.engine.wrappers import open_run

    model = tiny.build("flux2")
    x = torch.randn(1, 128, 16, 16)
    view = open_run(Settings(None), model.patcher, x, 0).view
    view.look = DenseLook(1)
    state, sigma = view.coarse(x, torch.tensor([0.5]), {})
    expected = pack_channels(merge(unpack_channels(x, 2), 1), 2) / 0.75
    torch.testing.assert_close(state, expected)
    assert float(sigma) == pytest.approx(0.5 / 1.5)
    torch.testing.assert_close(
        view.on_canvas(view.condition(x, x), (16, 16)).mean(), x.mean(), atol=1e-5, rtol=1e-3
    )
