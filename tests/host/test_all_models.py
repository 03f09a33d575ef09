"""Every picture and video class of the host: a coarse look is the model's own run at half or three quarters
of its size, or the run is plain and says so."""

import dataclasses
from types import SimpleNamespace

import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models
import comfy.supported_models_base
import pytest
import tiny
import torch
from host_models import NO_PICTURES, NOT_BUILT, ROWS, Fields

COARSE = 3  # steps of the run at half resolution, before one at full
OF_THREE_QUARTERS = {"WAN22_WanDancer": "hears its music in groups of 8 tokens a frame"}  # why they are plain


def classes():
    """Names of the host's own classes of models."""
    found = vars(comfy.supported_models)
    base = comfy.supported_models_base.BASE
    return {
        name
        for name, value in found.items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == comfy.supported_models.__name__
    }


AVAILABLE = [name for name in ROWS if name in classes()]


def test_every_class_of_the_host_is_told():
    told = set(ROWS) | set(NOT_BUILT) | NO_PICTURES
    assert not classes() - told, "classes that this host has and host_models.py does not tell"


def built(name):
    row = ROWS[name]
    torch.manual_seed(0)
    config = getattr(comfy.supported_models, row.config)(dict(row.unet))
    small = {name: size for name, size in row.unet.items() if name in config.unet_config}
    config.unet_config |= small  # some classes put sizes of their own over what they are given
    config.set_inference_dtype(torch.float32, None)
    with torch.no_grad():
        model = config.get_model(row.get or {}, device=torch.device("cpu"))
    tiny.fill(model.diffusion_model, 0)
    if name == "SD3":
        row.fix(model)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def level_of(part):
    """The level of a look by its name."""
    from fresco_pack.fresco_core.canvas.levels import THREE_QUARTERS

    return {"1/2": 1, "3/4": THREE_QUARTERS, "1/4": 2}[part]


def dressed(name, patcher, level):
    """The model with an empty latent at the level and the same conditioning."""
    from fresco_pack.fresco_core.canvas.levels import side_at

    row = ROWS[name]
    shape = (*row.shape[:-2], *(side_at(side, level) for side in row.shape[-2:]))
    model = tiny.Tiny(name, patcher, {"samples": torch.zeros(shape)}, 2)

    def cond(seed):
        generator = torch.Generator().manual_seed(seed)
        text = torch.randn(1, *row.text, generator=generator)
        pooled = torch.randn(1, row.pooled, generator=generator) if row.pooled else None
        return [[text, {"pooled_output": pooled, **row.extra(Fields(row.shape, level))}]]

    model.positive, model.negative = cond(1), cond(2)
    return model


def predictions(patcher, model, sigmas, noise, **settings):
    """The clean prediction of every step, as the host's callback gets it."""
    seen = []
    given = {"cfg": 2.0, "callback": lambda step, x0, x, total: seen.append(x0.clone())} | settings
    tiny.sample(patcher, model, sigmas=sigmas, noise=noise, **given)
    return seen


def merged(patcher, tensor, level=1):
    from fresco_pack.fresco_core import merge
    from fresco_pack.fresco_core.canvas.haar import pack_channels, unpack_channels
    from fresco_pack.nodes.families import canvas_of

    packing = canvas_of(patcher.model, tuple(tensor.shape)).packing
    return pack_channels(merge(unpack_channels(tensor, packing), level), packing)


def native_run(patcher, small, sigmas, noise, level=1, **settings):
    """The clean predictions of the host's own run at a level's size, from what the level shows of the state
    that `noise` makes, over the noise levels behind it. settings: what is given at that size besides."""
    from fresco_pack.nodes.host.model import parameterisation_of

    sampling = patcher.get_model_object("model_sampling")
    parameterisation = parameterisation_of(sampling)
    level_sigmas = parameterisation.level_sigma(sigmas[: COARSE + 1], level)
    begin = comfy.samplers.KSAMPLER(None).max_denoise(SimpleNamespace(inner_model=patcher.model), sigmas)
    state = sampling.noise_scaling(sigmas[0], noise, torch.zeros_like(noise), begin)
    state = merged(patcher, state, level) * parameterisation.state_scale(sigmas[0], level)
    one, zero = torch.ones(1), torch.zeros(1)
    noise = state / sampling.noise_scaling(level_sigmas[0], one, zero)
    native = predictions(patcher, small, level_sigmas, noise, **settings)
    assert len(native) == COARSE
    return native


def plain_by(name, monkeypatch, caplog, apply, **said):
    """What is warned of where the class `name` with something said besides runs as plain does."""
    from fresco_pack.nodes import families

    if name not in AVAILABLE:
        pytest.skip(f"this host has no {name}")
    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    patcher = built(name)
    model = dressed(name, patcher, 0)
    for side in (model.positive, model.negative):
        side[0][1].update(said)
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, "1/2 x3, full x1"), model, steps=4)
    assert torch.equal(ours, tiny.sample(patcher, model, steps=4))
    return [r.message for r in caplog.records if r.message.startswith("Fresco")]


@pytest.mark.parametrize("name", ["HunyuanVideo15_SR_Distilled", "HunyuanImage21Refiner", "SD_X4Upscaler"])
def test_noise_beside_the_state_is_not_averaged_away(apply, name, monkeypatch, caplog):
    assert plain_by(name, monkeypatch, caplog, apply, noise_augmentation=0.7) == [
        "Fresco runs plain: the picture beside the latent holds noise of its own (noise_augmentation 0.7)"
    ]


@pytest.mark.parametrize("part", ["1/2", "3/4", "1/4"])
def test_a_pose_half_as_fine_stays_so_on_a_canvas_that_the_level_continues(apply, part, monkeypatch):
    from fresco_pack.nodes import families

    if "WAN21_SCAIL" not in AVAILABLE:
        pytest.skip("this host has no WAN21_SCAIL")
    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    monkeypatch.setitem(
        ROWS, "WAN21_SCAIL", dataclasses.replace(ROWS["WAN21_SCAIL"], shape=(1, 16, 1, 20, 28))
    )
    patcher = built("WAN21_SCAIL")
    model, seen = dressed("WAN21_SCAIL", patcher, 0), []
    network = patcher.model.diffusion_model
    forward = network.forward

    def watched(x, *args, **kwargs):
        seen.append((x.shape[-2:], kwargs["pose_latents"].shape[-2:]))
        return forward(x, *args, **kwargs)

    monkeypatch.setattr(network, "forward", watched)
    monkeypatch.setattr(
        families, "family_of", lambda model: dataclasses.replace(families.wan.WAN, trained=(0, None))
    )
    tiny.sample(apply(patcher, f"{part} x1, full x1"), model, steps=2, cfg=1.0)
    assert len(seen) == 2 and seen[0] != seen[1]
    assert all(state == (2 * pose[0], 2 * pose[1]) for state, pose in seen)


@pytest.mark.parametrize("part", ["1/2", "3/4"])
@pytest.mark.parametrize("name", AVAILABLE)
def test_a_coarse_look_is_the_models_own_run_at_its_size(apply, name, part, monkeypatch, caplog):
    from fresco_pack.nodes import families

    level = level_of(part)
    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))
    row, patcher = ROWS[name], built(name)
    full = dressed(name, patcher, 0)
    sampling = patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", COARSE + 1)
    noise = comfy.sample.prepare_noise(full.latent["samples"], 7)
    with caplog.at_level("WARNING"):
        ours = predictions(apply(patcher, f"{part} x{COARSE}, full x1"), full, sigmas, noise)
    said = [r.message for r in caplog.records if r.message.startswith("Fresco")]
    assert len(ours) == COARSE + 1 and all(torch.isfinite(x).all() for x in ours)
    reason = OF_THREE_QUARTERS.get(name, row.plain) if part == "3/4" else row.plain
    if reason is not None:
        assert len(said) == 1 and reason in said[0]
        plain = predictions(patcher, full, sigmas, noise)
        assert all(torch.equal(a, b) for a, b in zip(ours, plain))
        return
    assert said == []
    for coarse, alone in zip(ours, native_run(patcher, dressed(name, patcher, level), sigmas, noise, level)):
        low = merged(patcher, coarse, level)
        assert float(alone.std()) > 1e-4
        if row.differs is None:
            torch.testing.assert_close(low, alone, rtol=1e-3, atol=1e-3 * float(alone.std()))
