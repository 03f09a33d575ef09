"""The nodes called directly: what the server tests do not reach."""

import pytest
import tiny
import torch


def video_trace(frames=21, height=90, width=160, evaluations=4):
    from fresco_pack.fresco_core import Canvas, Trace

    trace = Trace(1, Canvas(height, width, frames), 2)
    for index in range(evaluations):
        values = None if index == 0 else torch.rand(1, frames, -(-height // 4), -(-width // 4)) + 0.001
        trace.add(0, torch.tensor([0.5]), 1, values)
    return trace.finish()


def test_heatmaps_of_a_video_are_one_bounded_picture_a_step():
    from fresco_pack.nodes.convergence_node import FrescoConvergence

    output = FrescoConvergence.execute(video_trace())
    images, mask = output.args
    assert images.shape == (3, 90 * 3, 160 * 3, 3), "512 pixels at the most"
    assert mask.shape == (21, 720, 1280), "the mask has the video's own frames and size"
    assert len(output.ui["images"]) == 3 and len(output.ui["evaluations"][0]) == 4


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
        assert output.ui.as_dict()["text"][0] == output.args[2]
        return output.args

    schedule, sigmas, text = words(model=model.patcher, latent=model.latent)
    assert str(schedule) == "draft 1/2 60%; refine 0.75 40%" and len(sigmas) == 21
    assert "12 at 1/2 resolution (64 tokens)" in text and "connect" not in text
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
    unet = tiny.build("sd15", size=(32, 32))
    words = FrescoSchedule.execute(
        "balanced", "", "1/4", 0.5, 0.8, 20, "simple", unet.patcher, unet.latent, 50
    ).args[2]
    assert "image tokens instead of" in words and "FLOPs" not in words, "unknown networks: tokens only"


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("family", ["flux", "flux_kontext", "qwen_image", "z_image"])
def test_the_trace_knows_what_the_networks_calls_cost(family, cfg, caplog, monkeypatch):
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
    assert len(told) == 1 and "FLOPs a full step" in told[0] and "x less than 50" in told[0]
    said = [r.message for r in caplog.records if r.message.startswith("Fresco: ")]
    assert len(said) == 1 and "FLOPs instead of" in said[0] and "less than 50 full steps" in said[0]
    assert FrescoKSampler.define_schema().inputs[-1].id == "baseline_steps"
