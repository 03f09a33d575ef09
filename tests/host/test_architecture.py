"""The configuration that nodes read from a loaded model costs what a FLOP counter counts in that model."""

from dataclasses import replace
from math import log2

import pytest
import tiny
import torch
from meta_models import META_MODELS, counted_flops
from tiny_families import SPECS


def spent(model):
    """FLOPs and image tokens of the network's first call in a run of one step."""
    seen = []
    network = model.model.diffusion_model
    original = network.forward

    def forward(*args, **kwargs):
        seen.append((counted_flops(original, *args, **kwargs), args[0].shape[0]))
        return original(*args, **kwargs)

    network.forward = forward
    try:
        with tiny.count_image_tokens(model) as tokens:
            tiny.sample(model.patcher, model, steps=1)
    finally:
        del network.forward
    return seen[0], tokens[0]


@pytest.mark.parametrize("family", tiny.available())
def test_the_configuration_read_from_a_model_costs_what_is_counted(family):
    from fresco_pack.nodes.families import architecture_of

    model = tiny.build(family, size=(24, 16), batch=2)
    architecture = architecture_of(model.model)
    if family == "wan_i2v":
        pytest.skip("without an image encoder's features the host attends to the text twice")
    if family in ("sdxl", "sd15"):
        assert architecture is None
        return
    (flops, batch), (tokens, _) = spent(model)
    text = 512 if family == "flux2" else SPECS[family].tokens  # the host pads FLUX.2's text
    assert architecture.step_flops(tokens, batch, text, vision_tokens=0) == pytest.approx(flops, rel=0.01)


@pytest.mark.parametrize("name", META_MODELS)
def test_published_models_are_read_as_they_are_registered(name):
    from types import SimpleNamespace

    from fresco_pack.fresco_core.cost.registry import MODELS
    from fresco_pack.nodes.families import architecture_of

    network = META_MODELS[name].build()
    if network is None:
        pytest.skip(f"this host has no {META_MODELS[name].module}")
    read, known = architecture_of(SimpleNamespace(diffusion_model=network)), MODELS[name].architecture
    for tokens, text in ((1024, 77), (4096, 512)):
        assert read.step_flops(tokens, 1, text) == known.step_flops(tokens, 1, text)


@pytest.mark.parametrize(
    "name,form",
    [
        ("flux.1-dev", "Flux"),
        ("flux.2-dev", "Flux2"),
        ("hunyuan-video", "HunyuanVideo"),
        ("hunyuan-video-1.5", "HunyuanVideo15"),
        ("wan-14b", "Wan21"),
        ("ltx-video-2b", "LTXV"),
        ("ltx-2", "LTXAV"),
        ("minimax-h3", "MiniMaxH3AV"),
    ],
)
def test_published_models_are_known_with_their_trained_sizes(name, form):
    from types import SimpleNamespace

    import comfy.latent_formats
    from fresco_pack.fresco_core.cost.registry import MODELS
    from fresco_pack.nodes.families import canvas_of

    if not hasattr(comfy.latent_formats, form):
        pytest.skip(f"this host has no {form}")
    latent = getattr(comfy.latent_formats, form)()
    model = SimpleNamespace(diffusion_model=META_MODELS[name].build(), latent_format=latent)
    known = MODELS[name].canvas(1280, 704, 33 if MODELS[name].frames else 1)
    frames = (known.frames,) if latent.latent_dimensions == 3 else ()
    read = canvas_of(model, (1, latent.latent_channels, *frames, known.height, known.width))
    assert replace(read, packing=1) == known and read.packing == (2 if form == "Flux2" else 1)
    assert read.trained == known.trained and known.trained[0] > 0


DERIVED = {  # classes of the host's models: the family that they are derived from
    "WAN21_Vace": "Wan",
    "WAN21_Camera": "Wan",
    "WAN22_Animate": "Wan",
    "WAN22_S2V": "Wan",
    "WAN21_HuMo": "Wan",
    "WAN22_T2V": "Wan",
    "Flux": "FLUX",
    "Flux2": "FLUX.2",
    "LongCatImage": "FLUX",
    "Chroma": "Chroma",
    "ChromaRadiance": "Chroma",
    "HunyuanVideo15": "HunyuanVideo",
    "HunyuanVideoI2V": "HunyuanVideo",
    "ZImage": "Lumina",
    "SDXL": "SDXL",
    "SD15": "Stable Diffusion",
    "AuraFlow": None,
    "LTXV": "LTX-Video",
    "HiDream": None,
    "Omnigen2": None,
    "CosmosT2IPredict2": None,
}


@pytest.mark.parametrize("name", DERIVED)
def test_trained_sizes_go_with_the_family_along_the_bases_of_its_classes(name):
    from fresco_pack.nodes.families import canvas_of
    from host_models import ROWS
    from test_all_models import AVAILABLE, built

    if name not in AVAILABLE:
        pytest.skip(f"this host has no {name}")
    model = built(name).model
    canvas = canvas_of(model, ROWS[name].shape)
    fewest = canvas.trained[0] * canvas.scale**2
    assert canvas.scale == {"ChromaRadiance": 1, "LTXV": 32, "WAN22_T2V": 16, "Flux2": 16}.get(
        name, 16 if name == "HunyuanVideo15" else 8
    )
    if DERIVED[name] is None:
        assert canvas.unknown and canvas.family == type(model.diffusion_model).__name__
        assert 250_000 <= fewest < 250_000 + canvas.scale**2 and canvas.trained[1] is None
    else:
        assert not canvas.unknown and canvas.family == DERIVED[name] and fewest >= 170_000


def test_one_missing_attribute_does_not_lose_the_trained_sizes(monkeypatch):
    from fresco_pack.nodes.families import architecture_of, canvas_of

    model = tiny.build("flux").model
    known = canvas_of(model, (1, 16, 128, 128))
    monkeypatch.delattr(model.diffusion_model, "params")
    assert architecture_of(model) is None
    found = canvas_of(model, (1, 16, 128, 128))
    assert found.trained == known.trained and found.trained[0] > 0 and not found.unknown


def test_a_wrapper_around_the_network_has_its_trained_sizes_and_patch():
    """nunchaku's holds its own transformer as `model` and the host's configuration as a dict."""
    from types import SimpleNamespace

    from fresco_pack.nodes.families import canvas_of

    class FluxTransformer2DModel(torch.nn.Module):  # of diffusers; its tokens are packed before it sees them
        config = SimpleNamespace(patch_size=1)

    class NunchakuFluxTransformer2dModel(FluxTransformer2DModel):
        pass

    class ComfyFluxWrapper(torch.nn.Module):
        def __init__(self, model, config):
            super().__init__()
            self.model, self.config, self.dtype = model, config, torch.bfloat16

    flux, shape = tiny.build("flux").model, (1, 16, 128, 128)
    known = canvas_of(flux, shape)
    for inner in (NunchakuFluxTransformer2dModel(), torch.nn.Identity(), flux.diffusion_model):
        for config in ({}, {"patch_size": 2}):
            model = type(flux).__new__(type(flux))
            torch.nn.Module.__init__(model)
            model.latent_format = flux.latent_format
            model.diffusion_model = ComfyFluxWrapper(inner, config)
            found = canvas_of(model, shape)
            assert found == known and found.trained == known.trained and not found.unknown
    stranger = SimpleNamespace(latent_format=flux.latent_format, diffusion_model=None)
    stranger.diffusion_model = ComfyFluxWrapper(NunchakuFluxTransformer2dModel(), {})
    assert canvas_of(stranger, shape).trained == known.trained


def test_weights_in_blocks_of_bytes_change_neither_the_trained_sizes_nor_the_run(apply):
    """GGUF keeps the host's class and gives it layers of its own, whose weights have other shapes."""
    from fresco_pack.nodes.families import canvas_of

    class Bytes(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight.view(torch.float16).float(), self.bias)

    def quantise(module):
        for name, layer in module.named_modules():
            if isinstance(layer, torch.nn.Linear) and name != "img_in":  # files leave the first as it is
                halves = layer.weight.data.half()
                layer.weight.data.copy_(halves.float())
                yield layer, halves.view(torch.uint8)

    schedule = "draft 1/2 x3; refine 0.9 x3"
    model = tiny.fresh("flux")
    layers = list(quantise(model.model.diffusion_model))
    expected = tiny.sample(apply(model.patcher, schedule), model, steps=6)
    known = canvas_of(model.model, (1, 16, 128, 128))
    for layer, packed in layers:
        layer.__class__ = Bytes
        layer.weight = torch.nn.Parameter(packed, requires_grad=False)
    found = canvas_of(model.model, (1, 16, 128, 128))
    assert len(layers) > 20 and layers[0][0].weight.shape[1] == 2 * layers[0][0].in_features
    assert found == known and found.trained == known.trained and not found.unknown
    ours = tiny.sample(apply(model.patcher, schedule), model, steps=6)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_width_says_nothing():
    from types import SimpleNamespace

    from fresco_pack.nodes.families import canvas_of

    flux = tiny.build("flux").model
    params = SimpleNamespace(hidden_size=3072, depth=19, depth_single_blocks=38)
    network = type("Another", (), {"params": params, "patch_size": 2})()
    model = SimpleNamespace(latent_format=flux.latent_format, diffusion_model=network)
    found = canvas_of(model, (1, 16, 128, 128))
    assert found.unknown and found.family == "Another" and found.trained == (3907, None)


DEMOS = pytest.mark.parametrize("demo,side,smallest", [("detailed", 24, 6), ("short", 32, 16)])


@DEMOS
def test_a_demo_model_keeps_the_sizes_that_it_was_trained_for(demo, side, smallest):
    from fresco_pack.fresco_core import PRESETS, flow_sigmas, make_plan, parse
    from fresco_pack.nodes.demo import FrescoDemoLoader
    from fresco_pack.nodes.families import canvas_of

    model = FrescoDemoLoader.execute("a frog top left, a robot right, on blue dots", demo).args[0].model
    canvas = canvas_of(model, (1, 16, side, side))
    plan = make_plan(parse(PRESETS["balanced"]), flow_sigmas(20), canvas)
    level = round(log2(side / smallest))
    assert {level for p in plan.passes for level in p.levels} == {level, 0} and not canvas.unknown
    smaller = canvas_of(model, (1, 16, side // 2, side // 2))
    assert smaller.suits(level - 1) and not smaller.suits(level)


@pytest.mark.parametrize("side,levels", [(1024, {1, 0}), (896, {log2(4 / 3), 0}), (512, {0})])
def test_the_editor_draws_what_a_model_of_an_unknown_class_is_held_to(side, levels):
    import json

    from fresco_pack.fresco_core import FLOW, flow_sigmas
    from fresco_pack.nodes.families import canvas_of
    from fresco_pack.nodes.server.plan_preview import answer, known_setting
    from strangers import Spatial, stranger

    model = stranger(Spatial, 8, 4, side_pixels=side)
    canvas = canvas_of(model.model, tuple(model.latent["samples"].shape))
    known = json.loads(json.dumps(known_setting(canvas, flow_sigmas(20), FLOW, 1.0, None)))
    drawn = answer({"preset": "from text", "text": "draft 1/4; refine 0.9", "steps": 20, "known": known})
    assert {step["level"] for step in drawn["steps"]} == levels
    if levels == {0}:
        assert drawn["reason"] == canvas.too_small() and f"3/4 of {side}x{side}" in drawn["reason"]


def test_other_networks_are_not_guessed_at():
    from types import SimpleNamespace

    from fresco_pack.nodes.families import architecture_of

    assert architecture_of(SimpleNamespace(diffusion_model=object())) is None
    named = type("Flux", (), {})()
    assert architecture_of(SimpleNamespace(diffusion_model=named)) is None


@DEMOS
def test_a_demo_model_is_read_with_its_short_prompts(demo, side, smallest):
    from fresco_pack.nodes.demo import FrescoDemoLoader
    from fresco_pack.nodes.families import architecture_of

    prompt = "a frog top left, a robot right, on blue dots"
    model, _, positive, _ = FrescoDemoLoader.execute(prompt, demo).args
    assert architecture_of(model.model).text_tokens == positive[0][0].shape[1]
