"""The nodes called directly: what the server tests do not reach."""

import inspect

# tiny boots the host, so it comes before comfy
import tiny  # isort: skip
import comfy.sample
import pytest
import torch
from node_runs import ksampled


def test_the_schedule_node_describes_what_will_run_and_what_will_not():
    from fresco_pack.fresco_core import ScheduleError
    from fresco_pack.nodes.schedule import FrescoSchedule

    model = tiny.build("flux", size=(32, 32))

    def words(preset="balanced", text="", steps=20, **connected):
        output = FrescoSchedule.execute(preset, text, "1/4", 0.5, 0.8, steps, "simple", **connected)
        assert output.ui["text"][0] == output.args[2]
        return output.args

    schedule, sigmas, text = words(model=model.patcher, latent=model.latent)
    assert str(schedule) == "draft ~1/4 50% to refine; refine 50% min x2" and len(sigmas) == 21
    assert "3/4 of 256x256 is 192x192, below the 0.22 megapixels that FLUX is trained for" in text
    assert "connect" not in text
    large = {"samples": torch.zeros(1, 16, 256, 256)}
    assert "10 at 1/4 resolution (1024 tokens)" in words(model=model.patcher, latent=large)[2]
    assert "connect model and latent for yours" in words()[2]
    assert str(words("from numbers")[0]) == "draft 1/4 50% to refine; refine 0.8 50%"
    sdxl = tiny.build("sdxl", size=(128, 128))
    given = {"model": sdxl.patcher, "latent": sdxl.latent}
    told = FrescoSchedule.execute("from numbers", "", "1/2", 0.5, 0.95, 20, "normal", **given).args[2]
    assert "10 at 1/2 resolution" in told, "the node's own numbers, above where such a model begins"
    assert "sets 30 steps, but the sampler has 20" in words("from text", "draft 1/2 x18; refine 0.75 x12")[2]
    flux2, empty = tiny.build("flux2", size=(64, 64)), torch.zeros(1, 4, 128, 128)
    told = {"samples": empty, "downscale_ratio_spacial": 8}  # by the host's empty latent of 1024x1024
    small = torch.zeros(1, 128, 64, 64)
    if "downscale_ratio_spacial" in inspect.signature(comfy.sample.fix_empty_latent_channels).parameters:
        found, wanted = (words(model=flux2.patcher, latent=x)[2] for x in (told, {"samples": small}))
        assert found == wanted and "of 4096" not in found
    audio = words(model=model.patcher, latent={"samples": torch.zeros(1, 64, 1024)})[2]
    assert "runs plain" in audio and "neither pictures nor video" in audio
    with pytest.raises(ScheduleError, match="unknown word"):
        words("from text", "half, full")


def test_ksampler_without_a_step_returns_the_latent_and_an_empty_trace():
    given = {"samples": torch.randn(1, 16, 16, 16)}
    latent, trace = ksampled(tiny.build("flux"), steps=20, latent_image=given, denoise=0.0)
    assert torch.equal(latent["samples"], given["samples"]) and trace.evaluations == []


@pytest.mark.parametrize(
    "version,allowed", [("0.9.1", False), ("0.3.64", False), ("0.9.2", True), ("0.38.0-dev", True)]
)
def test_hosts_that_are_too_old_get_a_message(monkeypatch, version, allowed):
    import comfyui_version
    from fresco_pack.nodes.host.versions import check_host

    monkeypatch.setattr(comfyui_version, "__version__", version)
    if allowed:
        check_host()
    else:
        with pytest.raises(
            ImportError, match=f"needs ComfyUI 0.9.2 or newer and found {version}: update ComfyUI"
        ):
            check_host()


def test_the_schedule_node_predicts_the_gain_over_equal_steps_and_over_the_baseline():
    from fresco_pack.nodes.schedule import FrescoSchedule

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
    from fresco_pack.fresco_core.text.in_words import flops_in_words, spent
    from fresco_pack.nodes.families import architecture_of
    from fresco_pack.nodes.host import versions
    from fresco_pack.nodes.ksampler import FrescoKSampler

    model = tiny.build(family, size=(24, 16))
    told = []
    monkeypatch.setattr(versions, "show_text", lambda node, text: told.append(text))
    with caplog.at_level("INFO"), tiny.count_image_tokens(model) as seen:
        _, trace = ksampled(model, steps=5, cfg=cfg, baseline_steps=50)
    architecture = architecture_of(model.model)
    text = tiny.SPECS[family].tokens
    flops, full = spent(trace)
    assert flops == sum(architecture.step_flops(tokens, batch, text, 0) for tokens, batch in seen)
    assert full == 5 * architecture.step_flops(seen[-1][0], 1 if cfg == 1.0 else 2, text, 0)
    step = architecture.step_flops(seen[-1][0], 1, text)  # with pictures of reference, where there are some
    assert len(told) == 2 and all("x less than 50" in words for words in told)
    assert f"{flops_in_words(step)} a full step" in told[0]
    said = [r.message for r in caplog.records if r.message.startswith("Fresco: ")]
    assert len(said) == 1 and "FLOPs instead of" in said[0] and "less than 50 full steps" in said[0]
    added = [i.id for i in FrescoKSampler.define_schema().inputs[-4:]]
    expected = ["baseline_steps", "live_heatmap", "vae", "upscale_model"]
    assert added == expected, "saved workflows go by position"
