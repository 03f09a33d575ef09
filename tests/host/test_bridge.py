"""Drafts that cross resolutions in pixels, through the host's own VAE."""

import re
import sys
from types import SimpleNamespace

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.utils
import mixed_models
import pytest
import tiny
import torch
from test_lifecycle import state_of
from torch.utils.flop_counter import FlopCounterMode

TEXT = "draft 1/2 x6; refine 0.6 via pixels x2"


@pytest.fixture(scope="module")
def vae():
    from fresco_pack.fresco_core.demo.weights import FOLDER, VAE

    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(FOLDER / VAE)))


@pytest.fixture
def demo():
    return mixed_models.demo_model()[0]


def patched(model, text, vae, traces=None, upscale_model=None, **options):
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.engine.run import Bridge
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    bridge = None if vae is None else Bridge(vae, upscale_model)
    return apply_fresco(model.patcher, parse(text), traces, bridge=bridge, **options)


def test_it_is_the_cores_bridge(vae, demo):
    """The host's run and the core's, on one noise: the same picture but for the rounding of the VAE's
    range."""
    from fresco_pack.fresco_core import Canvas, make_plan, parse, sample
    from fresco_pack.fresco_core.demo.autoencoder import PictureCodec
    from fresco_pack.fresco_core.demo.weights import load_demo

    model, denoise = mixed_models.demo_model()
    noise = comfy.sample.prepare_noise(model.latent["samples"], 3)
    sigmas = torch.linspace(1.0, 0.0, 9)
    traces, told = [], []
    ours = tiny.sample(patched(model, TEXT, vae, traces, tell=told.append), model, noise=noise, sigmas=sigmas)
    plan = make_plan(parse(TEXT), sigmas.tolist(), Canvas(24, 24), autoencoder=True)
    codec = PictureCodec(load_demo().autoencoder)
    theirs = sample(denoise, noise, plan, autoencoder=codec)
    scaled = model.model.process_latent_in(ours)
    assert torch.allclose(scaled, theirs, atol=5e-3), float((scaled - theirs).abs().max())
    copied = tiny.sample(
        patched(model, TEXT.replace(" via pixels", ""), None), model, noise=noise, sigmas=sigmas
    )
    assert float((ours - copied).abs().max()) > 0.1
    assert [(e.pass_index, e.level) for e in traces[0].evaluations] == [(0, 1)] * 6 + [(1, 0)] * 2
    assert any("carrying the draft over pixels, from 96x96" in words for words in told)
    assert any("for the VAE" in words for words in told)
    assert list(traces[0].crossings) == [1] and traces[0].crossings[1] > 0.0


def test_behind_apply_the_sampler_node_that_is_executed_says_so(vae, demo, monkeypatch):
    """The host enters a node's context around its call; in scripts there is none, and no server either."""
    from comfy_execution.utils import CurrentNodeContext

    texts = []
    server = SimpleNamespace(
        send_progress_text=lambda text, node_id: texts.append((node_id, text)), client_id=None
    )
    tiny.sample(patched(demo, TEXT, vae), demo, steps=8)  # without a server
    monkeypatch.setitem(
        sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=server))
    )
    tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
    assert texts == []
    with CurrentNodeContext("prompt", "5:12"):
        tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
        tiny.sample(patched(demo, TEXT.replace(" via pixels", ""), vae), demo, steps=8)
    assert [node for node, _ in texts] == ["5:12"] * 2
    assert texts[0][1] == "Fresco: carrying the draft over pixels, from 96x96"
    assert texts[1][1].startswith("Fresco: the draft went over pixels in ")


def test_it_repeats_and_leaves_nothing(vae, demo):
    model = patched(demo, TEXT, vae)
    before, vae_before = state_of(demo.patcher), sorted(vars(vae))
    weights = {name: value.clone() for name, value in vae.first_stage_model.state_dict().items()}
    first, second = (tiny.sample(model, demo, steps=8) for _ in range(2))
    assert torch.equal(first, second)
    assert state_of(demo.patcher) == before and sorted(vars(vae)) == vae_before
    assert all(torch.equal(weights[n], v) for n, v in vae.first_stage_model.state_dict().items())


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral", "uni_pc"])
def test_samplers_go_on_from_it(vae, demo, sampler):
    out = tiny.sample(
        patched(demo, "draft 1/2 x6; refine 0.6 via pixels x3", vae), demo, sampler=sampler, steps=9
    )
    assert torch.isfinite(out).all() and float(out.std()) > 0.3


def test_without_or_with_another_models_vae_it_is_refused_before_loading(demo, monkeypatch):
    from fresco_pack.fresco_core import ScheduleError

    loaded = []
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", lambda *a, **k: loaded.append(a))
    with pytest.raises(ScheduleError, match="no autoencoder: connect the model's VAE"):
        tiny.sample(patched(demo, TEXT, None), demo, steps=8)

    class Other:
        latent_channels = 4

    with pytest.raises(ScheduleError, match="4 latent channels and the model 16"):
        tiny.sample(patched(demo, TEXT, Other()), demo, steps=8)
    assert loaded == []


def test_what_a_mask_keeps_comes_from_the_latent(vae, demo):
    given = torch.randn(demo.latent["samples"].shape, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 12:] = 1.0
    out = tiny.sample(patched(demo, TEXT, vae), demo, steps=8, latent=given, noise_mask=mask)
    assert torch.allclose(out[..., :12], given[..., :12], atol=1e-4)
    assert not torch.allclose(out[..., 12:], given[..., 12:], atol=0.1)


@pytest.mark.parametrize("differential", (False, True))
def test_a_soft_mask_is_laid_over_once(vae, demo, differential, monkeypatch):
    """With a bridge that loses nothing the run is that without one, whatever the mask keeps in part."""
    from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
    from fresco_pack.nodes.engine import passes

    monkeypatch.setattr(passes, "cross", lambda run, index, levels, samples, *rest: samples)
    if differential:
        demo.patcher = DifferentialDiffusion.execute(demo.patcher).args[0]
    given = torch.randn(demo.latent["samples"].shape, generator=torch.Generator().manual_seed(2))
    mask = torch.linspace(0.0, 1.0, 24).expand(1, 1, 24, 24).clone()
    over, copied = (
        tiny.sample(patched(demo, text, vae), demo, steps=8, latent=given, noise_mask=mask)
        for text in (TEXT, TEXT.replace(" via pixels", ""))
    )
    assert torch.allclose(over, copied, atol=1e-4 * float(copied.std()))
    assert not torch.allclose(over, given, atol=0.1)


def test_a_host_that_keeps_pictures_in_fp16_is_met(vae, demo, monkeypatch):
    whole, decode = tiny.sample(patched(demo, TEXT, vae), demo, steps=8), vae.decode
    monkeypatch.setattr(vae, "decode", lambda latent: decode(latent).half())
    out = tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
    assert torch.allclose(out, whole, atol=0.05 * float(whole.std()))


def test_an_interrupt_stops_it(vae, demo, monkeypatch):
    decode = vae.decode

    def interrupted(*args, **kwargs):
        comfy.model_management.interrupt_current_processing(True)
        return decode(*args, **kwargs)

    monkeypatch.setattr(vae, "decode", interrupted)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
    assert not comfy.model_management.processing_interrupted()


def test_the_model_is_loaded_once_where_both_have_room(vae, demo, monkeypatch):
    loads = []
    load = comfy.model_patcher.ModelPatcher.load

    def counted(self, *args, **kwargs):
        loads.append(self.model is demo.model)
        return load(self, *args, **kwargs)

    monkeypatch.setattr(comfy.model_patcher.ModelPatcher, "load", counted)
    comfy.model_management.unload_all_models()
    loads.clear()
    tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
    assert sum(loads) <= 1, "the diffusion model is not loaded again for the second pass"


def test_a_vae_that_loses_its_numbers_makes_the_run_plain(vae, demo, monkeypatch, caplog):
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: encode(pixels) * torch.nan)
    ours = tiny.sample(patched(demo, TEXT, vae), demo, steps=8)
    assert torch.equal(ours, tiny.sample(demo.patcher, demo, steps=8))
    said = [r.message for r in caplog.records if r.message.startswith("Fresco runs plain")]
    assert len(said) == 1
    assert re.search(r"the draft behind the VAE has .* NaN .*half precision", said[0])


def test_steps_and_previews_go_on_counting(vae, demo):
    steps = []
    tiny.sample(
        patched(demo, TEXT, vae),
        demo,
        steps=8,
        callback=lambda step, x0, x, total: steps.append((step, total)),
    )
    assert steps == [(n, 8) for n in range(8)]


class Enlarger(torch.nn.Module):
    """Stands for an UPSCALE_MODEL of factor 3."""

    scale = 3

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(1, 1)
        self.weight = torch.nn.Parameter(torch.ones(1))
        cpu = torch.device("cpu")
        self.patcher = comfy.model_patcher.ModelPatcher(
            torch.nn.Linear(1, 1), load_device=cpu, offload_device=cpu
        )
        self.calls = 0

    def to(self, *_):
        return self

    def forward(self, pixels):
        self.calls += 1
        return pixels.repeat_interleave(3, dim=-1).repeat_interleave(3, dim=-2)


def test_an_upscale_model_of_any_factor_enlarges(vae, demo):
    enlarger = Enlarger()
    ours = tiny.sample(patched(demo, TEXT, vae, upscale_model=enlarger), demo, steps=8)
    assert enlarger.calls
    assert torch.isfinite(ours).all()
    assert not torch.equal(ours, tiny.sample(patched(demo, TEXT, vae), demo, steps=8))


def test_its_cost_is_that_of_the_vaes_own_layers(vae):
    from fresco_pack.fresco_core import Canvas
    from fresco_pack.nodes.host.vae import flops

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        vae.first_stage_model.decode(torch.zeros(1, 16, 12, 12))
        vae.first_stage_model.encode(torch.zeros(1, 3, 192, 192))
    counted = flops(vae, Canvas(24, 24, scale=8), 1, 0)
    assert counted and abs(counted / counter.get_total_flops() - 1.0) < 0.02


def test_its_cost_is_counted_once(vae, monkeypatch):
    from fresco_pack.fresco_core import Canvas
    from fresco_pack.nodes.host import vae as module

    canvas, counted = Canvas(24, 24, scale=8), []
    known = module.flops(vae, canvas, 1, 0)
    monkeypatch.setattr(module, "_counted", lambda *args: counted.append(args) or 1)
    assert module.flops(vae, canvas, 1, 0) == known and not counted
    assert module.flops(vae, Canvas(32, 24, scale=8), 1, 0) == 1 and len(counted) == 1


def test_its_cost_is_not_counted_where_layers_bring_their_weights_from_elsewhere(vae, monkeypatch):
    """The host would keep a buffer without values for them."""
    from fresco_pack.fresco_core import Canvas
    from fresco_pack.nodes.host.vae import flops

    layer = next(m for m in vae.first_stage_model.modules() if isinstance(m, torch.nn.Conv2d))
    monkeypatch.setattr(layer, "comfy_cast_weights", True, raising=False)
    assert flops(vae, Canvas(24, 24, scale=8), 1, 0) is None


class Packed:
    """Stands for FLUX.2's VAE: 2x2 pixels of its latents in the channels, 16 pixels a latent pixel. Decodes
    the mean of a patch's channels to grey."""

    latent_channels, latent_dim = 128, 2
    decoded: list

    def __init__(self):
        self.decoded = []

    def decode(self, latent):
        self.decoded.append(tuple(latent.shape))
        grey = torch.nn.functional.pixel_shuffle(latent, 2).mean(dim=1, keepdim=True)
        return (
            (grey.repeat_interleave(8, -1).repeat_interleave(8, -2) * 0.1 + 0.5)
            .expand(-1, 3, -1, -1)
            .movedim(1, -1)
        )

    def encode(self, pixels):
        grey = (pixels[..., :3].movedim(-1, 1).mean(dim=1, keepdim=True) - 0.5) * 10.0
        means = torch.nn.functional.avg_pool2d(grey, 8)
        return torch.nn.functional.pixel_unshuffle(means.expand(-1, 32, -1, -1), 2)


def test_packed_latents_cross_at_their_own_scale():
    flux2 = tiny.build("flux2", size=(16, 12))
    stand_in = Packed()
    out = tiny.sample(patched(flux2, "draft 1/2 x3; refine 0.6 via pixels x3", stand_in), flux2, steps=6)
    assert stand_in.decoded == [(1, 128, 8, 6)]
    assert out.shape == flux2.latent["samples"].shape and torch.isfinite(out).all()


def test_both_models_of_the_hosts_guider_of_two_are_brought_back(demo, flux, monkeypatch):
    from fresco_pack.nodes.host.loading import reload

    loaded = []
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", lambda models, **_: loaded.append(models))
    guider = SimpleNamespace(model_patcher=demo.patcher, loaded_models=["c"], conds={"positive": []})
    guider.uncond_model_patcher, guider.uncond_loaded, guider.uncond_inner = flux.patcher, ["d"], None
    reload(guider, (1, 16, 16, 16))
    guider.uncond_inner = flux.model
    reload(guider, (1, 16, 16, 16))
    assert loaded == [[demo.patcher, "c"], [demo.patcher, "c", flux.patcher, "d"]]
