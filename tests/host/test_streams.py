"""Sound and video in one latent: coarse looks are the video's alone, the sound's clock is the canvas's."""

import pytest
import tiny
import tiny_streams
import torch
from stream_runs import ANY, SIGMAS, close, drawn, half, held_plain, level_sigma, native, run
from tiny_streams import AVAILABLE, SPECS, nested

pytestmark = ANY


@pytest.fixture(params=list(SPECS))
def model(request):
    """A tiny model of each kind."""
    if request.param not in AVAILABLE:
        pytest.skip(f"this host has no {request.param}")
    return tiny_streams.build(request.param)


def test_a_coarse_evaluation_is_the_networks_own_of_half_the_video_with_the_same_sound(model, apply):
    _, seen = run(apply(model.patcher, "1/2 x3, full x2"), model)
    spec = SPECS[model.name]
    assert [tuple(x[0].shape[-2:]) for x, *_ in seen.calls] == [
        tuple(side // 2 for side in spec.video[-2:]),
        *[tuple(side // 2 for side in spec.video[-2:])] * 2,
        *[spec.video[-2:]] * 2,
    ]
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        video, audio = native(model, seen, index, sigma)
        got_video, got_audio = seen.steps[index][1]
        assert float(video.std()) > 1e-3 and float(audio.std()) > 1e-3
        close(half(got_video), video)
        assert torch.equal(got_video, half(got_video).repeat_interleave(2, -2).repeat_interleave(2, -1))
        close(got_audio, audio)


def test_three_quarters_of_the_video_have_the_same_sound(model, apply):
    from fresco_pack.fresco_core import merge
    from fresco_pack.fresco_core.canvas.levels import THREE_QUARTERS

    def smaller(video):
        return merge(video, THREE_QUARTERS)

    _, seen = run(apply(model.patcher, "3/4 x3, full x2"), model)
    spec = SPECS[model.name]
    assert [tuple(x[0].shape[-2:]) for x, *_ in seen.calls] == [
        *[tuple(side * 3 // 4 for side in spec.video[-2:])] * 3,
        *[spec.video[-2:]] * 2,
    ]
    for index, sigma in enumerate(SIGMAS[:3].tolist()):
        video, audio = native(model, seen, index, sigma, (), smaller, 0.75)
        got_video, got_audio = seen.steps[index][1]
        close(smaller(got_video), video)
        close(got_audio, audio)


def test_the_sounds_noise_level_inside_the_network_is_the_plain_runs(model, apply):
    _, plain = run(model.patcher, model)
    _, ours = run(apply(model.patcher, "1/2 x3, full x2"), model)
    assert len(ours.clocks) == len(plain.clocks) == 5
    for index, sigma in enumerate(SIGMAS[:5].tolist()):
        seen = ours.clocks[index]
        torch.testing.assert_close(seen["audio"], plain.clocks[index]["audio"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(plain.clocks[index]["video"].flatten()[0], torch.tensor(sigma))
        wanted = level_sigma(sigma) if index < 3 else sigma
        torch.testing.assert_close(seen["video"].flatten()[0], torch.tensor(wanted), rtol=1e-5, atol=1e-6)


def test_off_is_the_hosts_own_run(model, apply):
    plain, _ = run(model.patcher, model, cfg=3.0)
    for patcher in (apply(model.patcher, "off"), apply(model.patcher, "full x5", traces=[])):
        ours, _ = run(patcher, model, cfg=3.0)
        assert all(torch.equal(a, b) for a, b in zip(ours, plain))


def test_what_a_call_costs_is_what_is_counted(model, apply, monkeypatch):
    """FLOPs of the trace against a counter around the network, coarse and full, with references."""
    from meta_models import counted_flops

    spec, network, spent, traces = SPECS[model.name], model.model.diffusion_model, [], []
    extra = {}
    if model.name == "MiniMaxH3":
        picture, sound = drawn((1, 24, 1, 4, 6), 9), drawn((1, 32, 2, 3), 9)
        kinds = {"latent_h": 4, "latent_w": 6, "latent_t": 1, "ref_audio_t": 3}
        extra = {"minimax_refs": [{"kind": "video_audio", "latent": picture, "audio_latent": sound} | kinds]}
    forward = network.forward

    def counted(*args, **kwargs):
        spent.append(counted_flops(forward, *args, **kwargs))
        return forward(*args, **kwargs)

    monkeypatch.setattr(network, "forward", counted)
    told, positive = [], tiny_streams.text(spec, 1, **extra)
    patcher = apply(model.patcher, "1/2 x3, full x2", traces=traces, tell=told.append)
    tiny.sample(patcher, model, sigmas=SIGMAS, positive=positive)
    assert len(spent) == 5 and spent[0] < spent[4]
    rel = 0.02 if extra else 0.01  # given pictures have a noise level of their own: visible in a tiny model
    assert [e.flops for e in traces[0].evaluations] == pytest.approx(spent, rel=rel)
    if not extra:
        share = sum(spent) / 1e9
        assert f"{share:.3g}"[:3] in told[0].split("full step, ")[1]


def test_two_passes_refine_both(model, apply):
    traces, told = [], []
    patched = apply(model.patcher, "draft 1/2 x3; refine 0.75 x2", traces=traces, tell=told.append)
    out, seen = run(patched, model, cfg=2.0)
    spec = SPECS[model.name]
    assert [tuple(part.shape) for part in out] == [spec.video, spec.audio]
    assert all(torch.isfinite(part).all() for part in out)
    trace = traces[0]
    full = trace.canvas.tokens(0)
    assert trace.plan.reason is None and len(trace.plan.passes) == 2
    assert [e.level for e in trace.evaluations] == [1, 1, 1, 0, 0]
    assert [n for p in trace.plan.passes for n in p.tokens(trace.canvas)] == [full // 4] * 3 + [full] * 2
    assert "refined with the video" in told[0].replace("\n", " ")
    # the second pass begins from both streams of the draft, each with the noise that the run began with
    sigma = trace.plan.passes[1].sigmas[0]
    begin = seen.steps[0][0]
    for draft, noise, state in zip(seen.steps[2][1], begin, seen.steps[3][0]):
        close(state, (1.0 - sigma) * draft + sigma * noise)


def test_sound_that_is_kept_stays_the_drafts_and_the_video_hears_it(model, apply):
    """Held against the host's own second sampler, which inpaints the draft with a mask over its sound."""
    traces, told, spec = [], [], SPECS[model.name]
    text = "draft 1/2 x3; refine 0.75 keep sound x2"
    patched = apply(model.patcher, text, traces=traces, tell=told.append)
    out, seen = run(patched, model)
    video, sound = seen.steps[2][1]
    carried = 4.0 if model.name == "MiniMaxH3" else 1.0  # of clean sound, its sampler carries that much
    draft, noise = nested(video, sound / carried), nested(*seen.steps[0][0])
    mask = nested(torch.ones(1, 1, *spec.video[2:]), torch.zeros(1, 1, *spec.audio[2:]))
    sigmas = torch.tensor(traces[0].plan.passes[1].sigmas)
    settings = {"latent": draft, "noise": noise, "sigmas": sigmas, "noise_mask": mask}
    theirs, alone = run(model.patcher, model, **settings)
    assert len(alone.clocks) == 2
    for ours, wanted in zip(seen.clocks[3:], alone.clocks):
        torch.testing.assert_close(ours["audio"], wanted["audio"])
        torch.testing.assert_close(ours["video"].expand_as(wanted["video"]), wanted["video"])
    for ours, wanted in zip(out, theirs):
        close(ours, wanted)
    close(out[1], sound / carried)
    assert float((out[0] - video).std()) > 1e-3, "the video is refined"
    assert "pass 2: keeping the sound, sigma" in told[0] and "kept as it is in pass 2" in told[0]


def test_where_there_is_no_sound_the_word_changes_nothing(apply):
    flux, told = tiny.build("flux"), []
    with_word = apply(flux.patcher, "draft 1/2 x3; refine 0.9 keep sound x2", tell=told.append)
    without = apply(flux.patcher, "draft 1/2 x3; refine 0.9 x2")
    assert torch.equal(*(tiny.sample(patcher, flux, steps=5) for patcher in (with_word, without)))
    assert "there is no sound to keep" in told[0]


def test_the_nodes_take_both(model, apply, tmp_path, monkeypatch):
    import folder_paths
    from fresco_pack.nodes.convergence import FrescoConvergence
    from node_runs import ksampled

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    spec = SPECS[model.name]
    inputs = {"steps": 4, "live_heatmap": True, "schedule": "1/2 x2, full x2"}
    latent, trace = ksampled(model, **inputs)
    assert [tuple(part.shape) for part in latent["samples"].unbind()] == [spec.video, spec.audio]
    assert all(torch.isfinite(part).all() for part in latent["samples"].unbind())
    assert (trace.canvas.frames, trace.canvas.height, trace.canvas.width) == spec.video[2:]
    assert [e.level for e in trace.evaluations] == [1, 1, 0, 0]
    assert trace.evaluations[-1].convergence.shape == (1, spec.video[2], 2, spec.video[4] // 4)
    heatmaps = FrescoConvergence.execute(trace, legend=False, samples=latent)
    assert len(heatmaps.args[0]) == 3 and "note" not in heatmaps.ui


class Mosaic:
    """Stands for a video's VAE: pixels are the mean colours of a latent's first channels."""

    latent_dim = 3

    def __init__(self, channels, scale):
        self.latent_channels, self.scale = channels, scale
        self.first_stage_model = torch.nn.Linear(1, 1)

    def decode(self, latent):
        pixels = latent[:, :3].sigmoid().repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)
        return pixels.movedim(1, -1)

    def encode(self, frames):
        pixels = frames.movedim(-1, 0).unsqueeze(0).clamp(0.01, 0.99)
        pixels = torch.nn.functional.avg_pool3d(pixels, (1, self.scale, self.scale)).logit()
        return pixels.repeat(1, -(-self.latent_channels // 3), 1, 1, 1)[:, : self.latent_channels]


def test_a_draft_goes_over_pixels_without_its_sound(model, apply):
    from fresco_pack.nodes.engine.run import Bridge

    spec, traces = SPECS[model.name], []
    vae = Mosaic(spec.video[1], 32 if model.name == "LTXAV" else 16)
    text = "draft 1/2 x3; refine 0.75 via pixels x2"
    out, seen = run(apply(model.patcher, text, traces=traces, bridge=Bridge(vae)), model)
    assert [tuple(part.shape) for part in out] == [spec.video, spec.audio]
    assert len(traces[0].crossings) == 1 and [e.level for e in traces[0].evaluations] == [1, 1, 1, 0, 0]
    sigma = traces[0].plan.passes[1].sigmas[0]
    (_, noise), (_, draft), (_, state) = seen.steps[0][0], seen.steps[2][1], seen.steps[3][0]
    close(state, (1.0 - sigma) * draft + sigma * noise)


def test_a_latent_of_both_is_compared_by_its_video(model):
    from fresco_pack.nodes.compare import FrescoCompare

    vae = Mosaic(SPECS[model.name].video[1], 32)
    a, b = ({"samples": nested(torch.zeros(SPECS[model.name].video), drawn((1, 2), seed))} for seed in (1, 2))
    result = FrescoCompare.execute(latent_a=a, latent_b=b, vae=vae)
    assert result.args[3] == pytest.approx(1.0) and result.args[4].endswith("without their sound")
    pictures = vae.decode(a["samples"].unbind()[0]).flatten(0, 1)
    told = FrescoCompare.execute(image_a=pictures, latent_a=a, image_b=pictures).args[4]
    assert "sound" not in told


def test_a_network_whose_clocks_nobody_has_told_runs_plain(model, apply, monkeypatch, caplog):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "_CLOCKS", {})
    held_plain(model, apply, "takes no clock of its own for each of the streams", caplog)


@pytest.mark.parametrize(
    "cond, words",
    (
        ({"control": object()}, "ControlNets see several streams"),
        ({"area": (4, 4, 0, 0)}, "areas cut several streams"),
        ({"mask": torch.ones(1, 8, 8)}, "masks of a prompt lie on several streams"),
        ({"model_conds": {"latent_shapes": [], "c_concat": object()}}, "what is concatenated to several"),
        ({"model_conds": {}}, "the network is not told what its one latent is made of"),
    ),
)
def test_what_the_host_lays_over_all_streams_at_once_is_told(cond, words):
    from fresco_pack.nodes.engine.streams import ALONE, Streams, bound_together

    streams = Streams.of([(1, 128, 3, 8, 12), (1, 8, 11, 16)])
    fine = {"model_conds": {"latent_shapes": []}}
    assert bound_together(streams, {"positive": [fine]}, {}) is None
    assert words in bound_together(streams, {"positive": [fine, fine | cond]}, {})
    assert bound_together(ALONE, {"positive": [fine | cond]}, {}) is None


def test_noise_levels_that_are_no_plain_flows_are_told():
    import comfy.model_sampling as host
    from fresco_pack.nodes.engine.streams import inseparable
    from fresco_pack.nodes.host.model import parameterisation_of

    class Flow(host.ModelSamplingDiscreteFlow, host.CONST):
        pass

    class Noisy(host.ModelSamplingDiscrete, host.EPS):
        pass

    class Clean(Flow):
        def calculate_denoised(self, sigma, model_output, model_input):
            return model_output

    class Bent(Flow):
        def timestep(self, sigma):
            return sigma**2

    for kind, fits in ((Flow, True), (Noisy, False), (Clean, False), (Bent, False)):
        sampling = kind()
        reason = inseparable(sampling, parameterisation_of(sampling))
        assert reason is None if fits else "not those of a plain flow" in reason
