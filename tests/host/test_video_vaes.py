"""Drafts of videos through the host's own VAEs: causal packing in time both ways, odd packings in space."""

import comfy.model_management
import comfy.samplers
import comfy.sd
import comfy.utils
import pytest
import test_all_models
import tiny
import torch
from test_lifecycle import state_of
from tiny_vaes import VAES
from torch.utils.flop_counter import FlopCounterMode

TEXT = "draft 1/2 x3; refine 0.6 via pixels x3"
SEED = 7


@pytest.fixture(scope="module", params=VAES)
def video_vae(request):
    """(what it is, the host's VAE)."""
    spec = VAES[request.param]
    return request.param, spec.build()


def model_of(name, frames=3, batch=1):
    """The diffusion model that draws latents of a VAE, and what to sample it with."""
    if name != "ltx":
        size = (4, 6) if name == "hunyuan_video15" else (8, 12)
        return tiny.build(name, size=size, frames=frames, batch=batch)
    model = test_all_models.dressed("LTXV", test_all_models.built("LTXV"), 0)
    model.latent = {"samples": torch.zeros(batch, 128, frames, 4, 6)}
    return model


def run(vae, model, traces=None, **settings):
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.engine.run import Bridge
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    patched = apply_fresco(model.patcher, parse(TEXT), traces, bridge=Bridge(vae))
    return tiny.sample(patched, model, steps=6, seed=SEED, **settings)


@pytest.mark.parametrize("frames, batch", ((3, 1), (1, 2)))
def test_a_draft_is_what_the_hosts_own_calls_make_of_it(video_vae, frames, batch, monkeypatch):
    """Decoded, enlarged and encoded by hand: the second pass begins from that and the run's own noise."""
    name, vae = video_vae
    spec, model, steps, decoded = VAES[name], model_of(name, frames, batch), [], []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda latent: decoded.append(decode(latent)) or decoded[-1])
    traces = []
    out = run(
        vae, model, traces, callback=lambda step, x0, x, total: steps.append((x0.clone(), x.clone()))
    )
    assert out.shape == model.latent["samples"].shape and torch.isfinite(out).all()
    assert [e.level for e in traces[0].evaluations] == [1] * 3 + [0] * 3
    rows, columns = (side // 2 * spec.scale for side in out.shape[-2:])
    assert [tuple(d.shape) for d in decoded] == [(1, spec.frames(frames), rows, columns, 3)] * batch

    draft, form = steps[2][0], model.model.latent_format  # the last step of a draft ends at its prediction
    low = draft.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2)).mean((-3, -1))
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(SEED)  # LTX-Video's decodes from some noise
        videos = torch.cat([decode(sample) for sample in form.process_out(low).split(1)])
        pictures = videos.movedim(-1, 2).flatten(0, 1)
        size = 2 * rows, 2 * columns
        large = torch.nn.functional.interpolate(pictures, size, mode="bicubic", antialias=True).clamp(0, 1)
        videos = large.movedim(1, -1).unflatten(0, (batch, -1))
        bridged = form.process_in(torch.cat([vae.encode(video) for video in videos]))
    sigma, noise = traces[0].plan.passes[1].sigmas[0], steps[0][1]  # the first state is the noise itself
    wanted = (1.0 - sigma) * bridged + sigma * noise
    torch.testing.assert_close(steps[3][1], wanted, rtol=1e-3, atol=1e-4 * float(wanted.std()))
    copied = (1.0 - sigma) * draft + sigma * noise
    assert float((steps[3][1] - copied).std()) > 0.1 * float(copied.std())


def test_it_repeats_and_leaves_nothing(video_vae):
    name, vae = video_vae
    model, network = model_of(name), vae.first_stage_model
    noise = comfy.sample.prepare_noise(model.latent["samples"], SEED)
    weights = {key: value.clone() for key, value in network.state_dict().items()}

    def state():
        caches = [getattr(part, "temporal_cache_state", {}) for part in network.modules()]
        return state_of(model.patcher), sorted(vars(vae)), [len(cache) for cache in caches]

    before, outs = state(), []
    for other in (1, 2):  # whatever was drawn before it
        torch.manual_seed(other)
        generator = torch.get_rng_state()
        outs.append(run(vae, model, noise=noise))
        assert torch.equal(torch.get_rng_state(), generator)
    assert torch.equal(*outs)
    assert state() == before
    for key, value in network.state_dict().items():  # what is never drawn nor used may be no number
        assert torch.equal(weights[key].nan_to_num(), value.nan_to_num()), key


@pytest.mark.parametrize("frames", (3, 1))
def test_its_cost_counts_its_frames(video_vae, frames):
    from fresco_pack.fresco_core import Canvas
    from fresco_pack.nodes.host.vae import flops

    name, vae = video_vae
    spec, network, counter = VAES[name], vae.first_stage_model, FlopCounterMode(display=False)
    side, made = 2 * spec.scale, spec.frames(frames)
    with counter, torch.no_grad():
        network.decode(torch.zeros(1, spec.channels, frames, 2, 2))
        network.encode(torch.zeros(1, 3, made, 2 * side, 2 * side))
    counted = flops(vae, Canvas(4, 4, frames, scale=spec.scale), 1, 0)
    assert counted and abs(counted / counter.get_total_flops() - 1.0) < 0.02


def crossed(vae, model, samples, behind=0):
    """A draft at half size brought over pixels as a run does it."""
    from types import SimpleNamespace

    from fresco_pack.nodes.engine.crossing import cross
    from fresco_pack.nodes.engine.run import Bridge
    from fresco_pack.nodes.families import canvas_of

    canvas = canvas_of(model.model, tuple(samples.shape))
    run = SimpleNamespace(
        settings=SimpleNamespace(bridge=Bridge(vae), tell=lambda words: None),
        trace=SimpleNamespace(canvas=canvas, crossings={}),
        target=SimpleNamespace(model=model.model),
        course=SimpleNamespace(look=SimpleNamespace(halvings=0)),
        view=SimpleNamespace(given=SimpleNamespace(behind=behind)),
        plan=None,
    )
    guider = comfy.samplers.CFGGuider(model.patcher)
    guider.conds = {}
    with torch.inference_mode():
        return cross(run, 1, (1, 0), samples, guider, SEED)


@pytest.fixture
def quiet(monkeypatch):
    """A bridge outside a run says nothing and loads nothing back."""
    from fresco_pack.nodes.engine import crossing

    monkeypatch.setattr(crossing, "tell", lambda run, words: None)
    monkeypatch.setattr(crossing, "reload", lambda guider, shape: None)


def test_guides_behind_a_video_are_no_part_of_its_clip(quiet):
    vae, model = VAES["ltx"].build(), model_of("ltx", 4)
    video = torch.randn(1, 128, 3, 4, 6, generator=torch.Generator().manual_seed(1))
    outs = [
        crossed(vae, model, torch.cat((video, torch.full((1, 128, 1, 4, 6), value)), 2), behind=1)
        for value in (0.0, 3.0)
    ]
    alone = crossed(vae, model, video)
    for out, value in zip(outs, (0.0, 3.0), strict=True):
        assert torch.equal(out[:, :, :3], alone), "what is shown beside it does not show in it"
        assert torch.equal(out[:, :, 3:], torch.full((1, 128, 1, 4, 6), value))


def test_layers_of_a_picture_are_pictures_of_their_own(quiet):
    vae, model = VAES["wan"].build(), tiny.build("qwen_image", size=(8, 12))
    layers = torch.randn(2, 16, 3, 8, 12, generator=torch.Generator().manual_seed(1))
    out = crossed(vae, model, layers)
    assert out.shape == layers.shape
    for index in range(3):
        alone = crossed(vae, model, layers[:, :, index : index + 1])
        torch.testing.assert_close(out[:, :, index : index + 1], alone, rtol=1e-3, atol=1e-4)


def test_pictures_of_a_video_vae_stay_pictures():
    qwen = tiny.build("qwen_image", size=(8, 12), batch=2)
    out = run(VAES["wan"].build(), qwen)
    assert out.shape == qwen.latent["samples"].shape and torch.isfinite(out).all()


@pytest.mark.parametrize("name, batch", [("flux", 1), ("flux", 2), ("wan", 1), ("qwen_image", 1)])
def test_a_vae_of_another_kind_is_refused_before_loading(name, batch, monkeypatch):
    from fresco_pack.fresco_core import ScheduleError
    from fresco_pack.fresco_core.demo.weights import FOLDER, VAE

    found, wanted = (3, 2) if name == "flux" else (2, 3)
    vae = VAES["wan"].build()
    if found == 2:
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(FOLDER / VAE)))
    model, loaded = tiny.build(name, size=(16, 16), batch=batch), []
    monkeypatch.setattr(comfy.model_management, "load_models_gpu", lambda *a, **k: loaded.append(a))
    with pytest.raises(ScheduleError, match=f"the VAE has {found} latent dimensions and the model {wanted}"):
        run(vae, model)
    assert not loaded


@pytest.mark.parametrize("name", ["wan", "qwen_image", "hunyuan_video"])
def test_small_video_vaes_suit_models_of_video_latents(name):
    from comfy.taesd.taehv import TAEHV
    from fresco_pack.nodes.host.vae import unsuited

    model = tiny.build(name, size=(8, 12)).model.latent_format
    vae = comfy.sd.VAE(sd=TAEHV(latent_channels=16).state_dict())
    assert unsuited(vae, model.latent_channels, model.latent_dimensions) is None
