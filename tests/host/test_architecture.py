"""The configuration that nodes read from a loaded model costs what a FLOP counter counts in that model."""

import pytest
import tiny
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
    from fresco_pack.nodes.architecture import architecture_of

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

    from fresco_pack.fresco_core.cost import MODELS
    from fresco_pack.nodes.architecture import architecture_of

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
    ],
)
def test_published_models_are_known_with_their_trained_sizes(name, form):
    from types import SimpleNamespace

    import comfy.latent_formats
    from fresco_pack.fresco_core.cost import MODELS
    from fresco_pack.nodes.architecture import trained_canvas

    latent = getattr(comfy.latent_formats, form)()
    model = SimpleNamespace(diffusion_model=META_MODELS[name].build(), latent_format=latent)
    known = MODELS[name].canvas(1280, 704, 33 if MODELS[name].frames else 1)
    frames = (known.frames,) if latent.latent_dimensions == 3 else ()
    read = trained_canvas(model, (1, latent.latent_channels, *frames, known.height, known.width))
    assert read == known and read.trained == known.trained and known.trained[0] > 0


def test_other_networks_are_not_guessed_at():
    from types import SimpleNamespace

    from fresco_pack.nodes.architecture import architecture_of

    assert architecture_of(SimpleNamespace(diffusion_model=object())) is None
    named = type("Flux", (), {})()
    assert architecture_of(SimpleNamespace(diffusion_model=named)) is None


def test_the_demo_model_is_read_with_its_short_prompts():
    from fresco_pack.nodes.architecture import architecture_of
    from fresco_pack.nodes.demo_node import FrescoDemoLoader

    model, _, positive, _ = FrescoDemoLoader.execute("a frog top left, a robot right, on blue dots").args
    assert architecture_of(model.model).text_tokens == positive[0][0].shape[1]
