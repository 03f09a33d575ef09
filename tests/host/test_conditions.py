"""What a coarse look does to each conditioning, by its name: every name that the host's models give is told,
and those that have to do with the grid end up as the host would make them at the level's size."""

import ast
import inspect

import comfy.conds
import comfy.model_base
import pytest
import tiny
import torch
from host_models import ROWS
from test_all_models import AVAILABLE, built, dressed

TWO_PASS = "draft 1/2 x2; refine 0.9 x2"


def names_given():
    """The names of conditionings that any class of comfy/model_base.py gives: constant keys of `out`, and
    those of HiDream O1, which a loop copies."""
    tree = ast.parse(inspect.getsource(comfy.model_base))
    found = {
        target.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript)
        and getattr(target.value, "id", None) == "out"
        and isinstance(target.slice, ast.Constant)
        and isinstance(target.slice.value, str)
    }
    try:
        from comfy.ldm.hidream_o1 import conditioning
    except ImportError:
        return found
    text = inspect.getsource(conditioning.build_extra_conds)
    return found | {line.split('"')[1] for line in text.splitlines() if line.strip().startswith('out["')}


def test_every_conditioning_of_the_host_is_told():
    from fresco_pack.nodes.families import CONDITIONS

    told = {name.split(".")[-1] for name in CONDITIONS}
    assert len(names_given()) > 30 and names_given() <= told


def test_untold_names_are_left_as_they_are_unless_the_host_says_that_they_are_maps(apply, monkeypatch):
    model = tiny.build("flux")
    original = type(model.model).extra_conds
    fields = torch.randn(1, 3, 16, 16)

    def with_more(self, **kwargs):
        more = {"aura": comfy.conds.CONDRegular(fields), "veil": comfy.conds.CONDNoiseShape(fields)}
        return {**original(self, **kwargs), **more}

    monkeypatch.setattr(type(model.model), "extra_conds", with_more)
    seen = []

    def note(module, args, kwargs):
        seen.append((args[0].shape[-1], kwargs["aura"].shape[-1], kwargs["veil"].shape[-1]))

    handle = model.model.diffusion_model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        tiny.sample(apply(model.patcher, TWO_PASS), model, steps=4)
    finally:
        handle.remove()
    assert seen == [(8, 16, 8)] * 2 + [(16, 16, 16)] * 2


@pytest.mark.parametrize("side", [32, 64, 128])
def test_the_face_video_of_wan_animate_is_never_taken_for_a_map(apply, side, monkeypatch):
    """The host makes it 512x512 pixels on every canvas: as large as one of 512x512, half of one of 1024."""
    if "WAN22_Animate" not in AVAILABLE:
        pytest.skip("this host has no Wan 2.2 Animate")
    import dataclasses

    import test_all_models

    row = dataclasses.replace(ROWS["WAN22_Animate"], shape=(1, 16, 2, side, side))
    monkeypatch.setitem(test_all_models.ROWS, "WAN22_Animate", row)
    patcher = built("WAN22_Animate")
    model = dressed("WAN22_Animate", patcher, 0)
    for _, extra in (*model.positive, *model.negative):
        extra["face_video_pixels"] = torch.zeros(1, 3, 1, 512, 512)
    seen = []

    def called(x, t, context, **kwargs):
        seen.append((x.shape[-1], tuple(kwargs["face_pixel_values"].shape), kwargs["pose_latents"].shape[-1]))
        return torch.zeros_like(x[:, :16])

    monkeypatch.setattr(patcher.model.diffusion_model, "forward", called)
    tiny.sample(apply(patcher, TWO_PASS), model, steps=4)
    face = model.positive[0][1]["face_video_pixels"].shape
    assert face[-2:] == (512, 512)
    assert seen == [(side // 2, face, side // 2)] * 2 + [(side, face, side)] * 2


@pytest.mark.parametrize("size", [(52, 30), (60, 104)])
def test_wandancer_hears_its_music_or_runs_plain(apply, caplog, size, monkeypatch):
    """Its music goes to a frame's tokens in groups of eight: 26x15 of them are not such groups."""
    if "WAN22_WanDancer" not in AVAILABLE:
        pytest.skip("this host has no WanDancer")
    import dataclasses

    import test_all_models

    row = dataclasses.replace(ROWS["WAN22_WanDancer"], shape=(1, 16, 1, size[0] * 2, size[1] * 2))
    monkeypatch.setitem(test_all_models.ROWS, "WAN22_WanDancer", row)
    patcher = built("WAN22_WanDancer")
    model = dressed("WAN22_WanDancer", patcher, 0)
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, "1/2 x1, full x1"), model, steps=2)
    said = [r.message for r in caplog.records if "Fresco" in r.message]
    rows, columns = -(-size[0] // 2), -(-size[1] // 2)
    if rows * columns % 8 == 0:
        assert torch.isfinite(ours).all() and not said
    else:
        assert torch.equal(ours, tiny.sample(patcher, model, steps=2))
        assert len(said) == 1 and f"has {rows * columns}" in said[0] and "groups of 8" in said[0]


def test_hidream_o1_has_its_tokens_places_made_anew_or_runs_plain_with_references(apply, caplog, monkeypatch):
    if "HiDreamO1" not in AVAILABLE:
        pytest.skip("this host has no HiDream O1")
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    patcher = built("HiDreamO1")
    model = dressed("HiDreamO1", patcher, 0)
    names, seen = ("position_ids", "vinput_mask", "input_ids"), []

    def note(module, args, kwargs):
        seen.append((args[0].shape[-1], {name: kwargs[name].clone() for name in names}))

    handle = patcher.model.diffusion_model.register_forward_pre_hook(note, with_kwargs=True)
    tiny.sample(apply(patcher, TWO_PASS), model, steps=4)
    coarse = dict(seen[0][1])
    assert [side for side, _ in seen] == [64, 64, 128, 128]
    seen.clear()
    tiny.sample(patcher, dressed("HiDreamO1", patcher, 1), steps=1)
    handle.remove()
    assert all(torch.equal(coarse[name], seen[0][1][name]) for name in names), (
        "those of the host at half size"
    )

    model.positive[0][1]["reference_latents"] = [torch.rand(1, 64, 64, 3)]
    told = []

    def plain(x, t, **kwargs):
        return torch.zeros_like(x)

    monkeypatch.setattr(patcher.model.diffusion_model, "forward", plain)
    with caplog.at_level("WARNING"):
        tiny.sample(apply(patcher, TWO_PASS, tell=told.append), model, steps=4)
    assert "'ref_patches' is bound to the full grid" in told[0]


def test_an_attention_mask_over_flux_text_and_image_runs_plain(apply, caplog):
    model = tiny.build("flux")
    tokens = model.positive[0][0].shape[1] + 64
    mask = torch.zeros(1, 1, tokens, tokens)
    extra = {"attention_mask": mask, "attention_mask_img_shape": (8, 8)}
    positive = [[model.positive[0][0], model.positive[0][1] | extra]]
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, TWO_PASS), model, steps=4, positive=positive)
    assert torch.equal(ours, tiny.sample(model.patcher, model, steps=4, positive=positive))
    said = [r.message for r in caplog.records if "Fresco" in r.message]
    assert said == ["Fresco runs plain: the conditioning 'attention_mask' is bound to the full grid"]
