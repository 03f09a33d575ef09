"""The nodes called directly: what the server tests do not reach."""

import base64
import json

import numpy as np
import pytest
import tiny
import torch


def video_trace(frames=21, height=90, width=160, evaluations=4, batch=1):
    from fresco_pack.fresco_core import Canvas, Trace

    trace = Trace(batch, Canvas(height, width, frames), 2)
    for index in range(evaluations):
        values = None if index == 0 else torch.rand(batch, frames, -(-height // 4), -(-width // 4)) + 0.001
        trace.add(0, torch.tensor([0.5]), 1, values)
    return trace.finish()


def codes_of(maps):
    """The values (steps, batch, rows, columns) that the node's ui output carries as text."""
    codes = np.frombuffer(base64.b64decode(maps["values"]), "<u2").reshape(maps["shape"])
    return 10.0 ** (maps["lowest"] + maps["span"] * codes / 65535.0)


def test_heatmaps_of_a_video_are_one_bounded_picture_a_step():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    output = FrescoConvergence.execute(video_trace(), legend=False)
    images, mask, overlays, promotion = output.args
    assert images.shape == (3, 90 * 3, 160 * 3, 3), "512 pixels at the most"
    assert mask.shape == (21, 720, 1280), "the mask has the video's own frames and size"
    assert promotion.shape == images[:1].shape
    assert "connect image" in overlays.message
    assert len(output.ui["images"]) == 3 and len(output.ui["evaluations"][0]) == 4


def test_a_strip_of_a_video_with_pictures_below_it():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    output = FrescoConvergence.execute(
        video_trace(), image=torch.rand(81, 72, 128, 3), frames="strip", steps="0, -1", legend=False
    )
    assert output.args[0].shape == output.args[2].shape == (2, 270, 8 * 480, 3)
    assert len(output.ui["images"]) == 2 and len(output.ui["picture"]) == 1
    with pytest.raises(ValueError, match="holds 4 frames of each video and the strip shows 8"):
        FrescoConvergence.execute(video_trace(), image=torch.rand(4, 72, 128, 3), frames="strip")


def test_the_legend_lies_below_the_picture_and_leaves_it_as_it_is():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    trace = video_trace(1, 24, 24)
    plain = FrescoConvergence.execute(trace, legend=False).args
    labelled = FrescoConvergence.execute(trace).args
    for without, with_it in ((plain[0], labelled[0]), (plain[3], labelled[3])):
        height = without.shape[1]
        assert torch.equal(with_it[:, :height], without) and 20 < with_it.shape[1] - height < 80
        assert float(with_it[:, height:].std()) > 0.1, "something is written"


@pytest.mark.parametrize("width", range(40, 640, 23))
def test_legends_of_one_batch_are_of_one_size_however_long_their_captions_are(width):
    from fresco_pack.nodes.legend import with_legends

    captions = [
        "step 1",
        "step 11   sigma 0.0125   level 1/2",
        "a caption that only a wide picture has room for",
    ]
    groups = [torch.full((2, 8, width, 3), value) for value in (0.1, 0.2, 0.3)]
    labelled = with_legends(groups, captions, [(0.0, "0"), (1.0, "19 (sigma 0.05)")])
    assert labelled.shape[0] == 6 and labelled.shape[2] == width
    assert torch.equal(labelled[:, :8], torch.cat(groups))
    assert torch.equal(labelled[0, 8:], labelled[1, 8:]) and not torch.equal(labelled[0, 8:], labelled[2, 8:])


def test_overlays_are_decoded_from_the_samples():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    class Vae:
        def decode(self, latent):
            return torch.full((latent.shape[0], 192, 192, 3), 0.25)

    trace, latent = video_trace(1, 24, 24), torch.randn(1, 16, 24, 24)
    trace.sign(latent)
    overlays = FrescoConvergence.execute(
        trace, samples={"samples": latent}, vae=Vae(), opacity=0.0, legend=False
    ).args[2]
    assert overlays.shape == (3, 192, 192, 3)
    torch.testing.assert_close(overlays, torch.full_like(overlays, 0.25))
    with pytest.raises(ValueError, match="holds 3 pictures and the trace is of 2"):
        FrescoConvergence.execute(video_trace(1, 24, 24, batch=2), image=torch.rand(3, 8, 8, 3))


def test_masks_of_a_step():
    from fresco_pack.nodes.convergence_node import CHANGE, CONVERGED, REFINED, mask_of

    trace = video_trace(1, 24, 24)
    trace.evaluations[-1].level = 0
    values = trace.evaluations[1].convergence
    assert float(mask_of(trace, CONVERGED, 0, 0.5).mean()) == pytest.approx(
        float((values < 0.5).float().mean())
    )
    assert (
        float(mask_of(trace, REFINED, 0, 0.5).max()) == 0.0
        and float(mask_of(trace, REFINED, -1, 0).min()) == 1
    )
    change = mask_of(trace, CHANGE, 0, 0.5)
    assert change.shape == (1, 192, 192) and 0.0 <= float(change.min()) < float(change.max()) <= 1.0


def test_numbers_travel_with_the_ui_output():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    trace = video_trace(21, 90, 160)
    numbers = json.loads(json.dumps({**FrescoConvergence.execute(trace, tau=0.5, legend=False).ui}))
    rows, maps = numbers["evaluations"][0], numbers["maps"][0]
    assert [row["step"] for row in rows] == [None, 0, 1, 2]
    assert rows[0]["converged"] is None and 0.3 < rows[1]["converged"] < 0.7 and rows[1]["refined"] == 0.0
    expected = trace.evaluations[2].convergence.mean(dim=1)
    assert maps["shape"] == [3, 1, 23, 40] and maps["block"] == 32 and maps["fine"] is None
    np.testing.assert_allclose(codes_of(maps)[1], expected, rtol=1e-3)


def test_large_traces_are_sent_with_larger_blocks_and_mixed_ones_with_their_masks():
    from fresco_pack.nodes.readout import MOST_CODES, maps

    trace = video_trace(1, 1022, 1024, evaluations=9)
    trace.evaluations[3].fine = torch.zeros(1, 1, 256, 256, dtype=torch.bool)
    trace.evaluations[3].fine[..., 5, 7] = True
    sent = maps(trace, "inferno")
    assert sent["shape"] == [8, 1, 128, 128] and sent["block"] == 64 and np.prod(sent["shape"]) <= MOST_CODES
    fine = np.frombuffer(base64.b64decode(sent["fine"]), np.uint8).reshape(sent["shape"])
    assert fine.sum() == 1 and fine[2, 0, 2, 3] == 1


@pytest.mark.parametrize(
    "text,steps",
    [("all", [0, 1, 2, 3, 4]), ("", [0, 1, 2, 3, 4]), ("every 2", [0, 2, 4]), ("3, 0-1, -1", [3, 0, 1, 4])],
)
def test_steps_are_chosen_in_words(text, steps):
    from fresco_pack.nodes.steps import chosen_steps

    assert chosen_steps(text, 5) == steps


@pytest.mark.parametrize(
    "text,message",
    [("first", "'first'; expected 'all'"), ("5", "steps 0 to 4"), ("3-1", "names no step"), ("1,", "has ''")],
)
def test_steps_that_are_not_there_are_named(text, message):
    from fresco_pack.nodes.steps import chosen_steps

    with pytest.raises(ValueError, match=message):
        chosen_steps(text, 5)


@pytest.mark.parametrize(
    "step,message", [(3, "has values for steps 0 to 2"), (99, "has values for steps 0 to 2")]
)
def test_a_step_that_the_trace_has_not(step, message):
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    with pytest.raises(ValueError, match=message):
        FrescoConvergence.execute(video_trace(), step=step)


def test_traces_without_values_and_of_other_runs_are_refused():
    from fresco_pack.fresco_core import Canvas, Trace
    from fresco_pack.nodes.convergence_node import check_trace

    with pytest.raises(ValueError, match="holds 0 evaluations and no convergence value"):
        check_trace(Trace(1, Canvas(8, 8), 2), None)
    with pytest.raises(ValueError, match="expected the trace of a Fresco KSampler"):
        check_trace("trace", None)
    trace, latent = video_trace(1, 16, 16), torch.randn(1, 16, 16, 16)
    trace.sign(latent)
    check_trace(trace, {"samples": latent.clone()})
    with pytest.raises(ValueError, match="another run than the latent"):
        check_trace(trace, {"samples": latent * 1.001})
    with pytest.raises(ValueError, match="recorded 1 latents of 16x16"):
        check_trace(trace, {"samples": torch.zeros(1, 16, 8, 8)})


def test_the_schedule_node_describes_what_will_run_and_what_will_not():
    from fresco_pack.fresco_core import ScheduleError
    from fresco_pack.nodes.schedule_node import FrescoSchedule

    model = tiny.build("flux", size=(32, 32))

    def words(preset="balanced", text="", steps=20, **connected):
        output = FrescoSchedule.execute(preset, text, "1/4", 0.5, 0.8, steps, "simple", **connected)
        assert output.ui["text"][0] == output.args[2]
        return output.args

    schedule, sigmas, text = words(model=model.patcher, latent=model.latent)
    assert str(schedule) == "draft ~1/4 50%; refine 50% min x3" and len(sigmas) == 21
    assert "half of 256x256 is 128x128, below the 0.22 megapixels that FLUX is trained for" in text
    assert "connect" not in text
    large = {"samples": torch.zeros(1, 16, 256, 256)}
    assert "10 at 1/4 resolution (1024 tokens)" in words(model=model.patcher, latent=large)[2]
    assert "connect model and latent for yours" in words()[2]
    assert str(words("from numbers")[0]) == "draft 1/4 50%; refine 0.8 50%"
    assert "sets 30 steps, but the sampler has 20" in words("from text", "draft 1/2 x18; refine 0.75 x12")[2]
    audio = words(model=model.patcher, latent={"samples": torch.zeros(1, 64, 1024)})[2]
    assert "runs plain" in audio and "neither pictures nor video" in audio
    with pytest.raises(ScheduleError, match="unknown word"):
        words("from text", "half, full")


def test_ksampler_without_a_step_returns_the_latent_and_an_empty_trace():
    from fresco_pack.nodes.ksampler_node import FrescoKSampler

    model = tiny.build("flux")
    latent = {"samples": torch.randn(1, 16, 16, 16)}
    output = FrescoKSampler.execute(
        model.patcher, 1, 20, 1.0, "euler", "simple", model.positive, model.negative, latent, denoise=0.0
    )
    assert torch.equal(output.args[0]["samples"], latent["samples"]) and output.args[1].evaluations == []


@pytest.mark.parametrize(
    "version,allowed", [("0.9.1", False), ("0.3.64", False), ("0.9.2", True), ("0.38.0-dev", True)]
)
def test_hosts_that_are_too_old_get_a_message(monkeypatch, version, allowed):
    import comfyui_version
    from fresco_pack.nodes.compat import check_host

    monkeypatch.setattr(comfyui_version, "__version__", version)
    if allowed:
        check_host()
    else:
        with pytest.raises(
            ImportError, match=f"needs ComfyUI 0.9.2 or newer and found {version}: update ComfyUI"
        ):
            check_host()


def test_the_schedule_node_predicts_the_gain_over_equal_steps_and_over_the_baseline():
    from fresco_pack.nodes.schedule_node import FrescoSchedule

    output = FrescoSchedule.execute("balanced", "", "1/4", 0.5, 0.8, 20, "simple", baseline_steps=50)
    assert "74.38 TFLOPs a full step" in output.args[2] and "FLUX.1-dev" in output.args[2]
    assert "x less than 20 full steps, " in output.args[2] and "x less than 50" in output.args[2]
    inputs = [i.id for i in FrescoSchedule.define_schema().inputs]
    assert inputs[-1] == "baseline_steps"
    unet = tiny.build("sd15", size=(128, 128))
    words = FrescoSchedule.execute(
        "balanced", "", "1/4", 0.5, 0.8, 20, "simple", unet.patcher, unet.latent, 50
    ).args[2]
    assert "image tokens instead of" in words and "FLOPs" not in words, "unknown networks: tokens only"
    assert "10 at 1/2 resolution" in words


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("family", ["flux", "flux_kontext", "qwen_image", "z_image"])
def test_the_trace_knows_what_the_networks_calls_cost(family, cfg, caplog, monkeypatch):
    from fresco_pack.fresco_core.cost.plan_cost import in_words
    from fresco_pack.nodes import compat
    from fresco_pack.nodes.architecture import architecture_of
    from fresco_pack.nodes.ksampler_node import FrescoKSampler

    model = tiny.build(family, size=(24, 16))
    told = []
    monkeypatch.setattr(compat, "show_text", lambda node, text: told.append(text))
    with caplog.at_level("INFO"), tiny.count_image_tokens(model) as seen:
        _, trace = FrescoKSampler.execute(
            model.patcher,
            1,
            5,
            cfg,
            "euler",
            "simple",
            model.positive,
            model.negative,
            model.latent,
            baseline_steps=50,
        ).args
    architecture = architecture_of(model.model)
    text = tiny.SPECS[family].tokens
    assert trace.flops == sum(architecture.step_flops(tokens, batch, text, 0) for tokens, batch in seen)
    assert trace.full_flops == 5 * architecture.step_flops(seen[-1][0], 1 if cfg == 1.0 else 2, text, 0)
    step = architecture.step_flops(trace.canvas.tokens(0), 1, text)
    assert len(told) == 1 and f"{in_words(step)} a full step" in told[0] and "x less than 50" in told[0]
    said = [r.message for r in caplog.records if r.message.startswith("Fresco: ")]
    assert len(said) == 1 and "FLOPs instead of" in said[0] and "less than 50 full steps" in said[0]
    added = [i.id for i in FrescoKSampler.define_schema().inputs[-2:]]
    assert added == ["baseline_steps", "live_heatmap"], "saved workflows go by position"
