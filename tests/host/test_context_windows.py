"""The host's context windows, which cut a long video into windows of its frames: a look is inside each."""

import dataclasses
import inspect
import re

import comfy.context_windows
import comfy.sample
import comfy.samplers
import comfy_extras.nodes_context_windows as context_nodes
import pytest
import test_all_models
import tiny
import torch
from host_models import ROWS
from test_all_models import AVAILABLE, COARSE, built, dressed, level_of, merged, native_run, predictions

FRAMES = 7
CUT_DIFFERENTLY = (
    "WAN21_T2V WAN21_I2V WAN21_Camera WAN21_Vace WAN21_HuMo WAN22_Animate WAN21_SCAIL HunyuanVideo LTXV "
    "HunyuanVideoI2V CosmosI2V SeedVR2"
)
VIDEOS = [name for name in CUT_DIFFERENTLY.split() if name in AVAILABLE]
"""Of each way in which the host cuts what conditions a video."""


def windowed(patcher, **settings):
    """The model behind core's windows of 4 frames, 2 of which overlap."""
    execute = context_nodes.ContextWindowsManualNode.execute
    known = inspect.signature(execute).parameters
    options = {
        "context_length": 4,
        "context_overlap": 2,
        "context_schedule": "standard_uniform",
        "context_stride": 1,
        "closed_loop": False,
        "fuse_method": "pyramid",
        "dim": 2,
        "freenoise": False,
        **settings,
    }
    return execute(model=patcher, **{name: value for name, value in options.items() if name in known}).args[0]


def longer(monkeypatch, name):
    """The model of that row with more frames than a window has."""
    row = ROWS[name]
    shape = (*row.shape[:2], FRAMES, *row.shape[3:])
    monkeypatch.setitem(test_all_models.ROWS, name, dataclasses.replace(row, shape=shape))
    return built(name)


def held(
    apply, patcher, name, given=lambda level: {}, video=slice(None), seen=lambda noise: noise, part="1/2"
):
    """A run with a coarse look in its first steps against the host's own at that size, both given the same.

    given: settings of the run for a level. video: frames that are compared. seen: the noise whose means the
    smaller run has."""
    full = dressed(name, patcher, 0)
    sampling = patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", COARSE + 1)
    noise = comfy.sample.prepare_noise(given(0).get("latent", full.latent["samples"]), 7)
    level = level_of(part)
    patched = apply(patcher, f"{part} x{COARSE}, full x1")
    ours = predictions(patched, full, sigmas, noise, **given(0))
    native = native_run(patcher, dressed(name, patcher, level), sigmas, seen(noise), level, **given(level))
    for coarse, alone in zip(ours, native):
        assert float(alone.std()) > 1e-4
        low, alone = merged(patcher, coarse, level)[:, :, video], alone[:, :, video]
        torch.testing.assert_close(low, alone, rtol=1e-3, atol=1e-3 * float(alone.std()))
    return ours, native


@pytest.fixture
def any_class(monkeypatch):
    from fresco_pack.nodes import families

    monkeypatch.setattr(families, "UNKNOWN_PIXELS", (0, None))


@pytest.mark.parametrize("part", ("1/2", "3/4"))
@pytest.mark.parametrize("name", VIDEOS)
def test_a_coarse_look_is_the_models_own_run_of_the_same_windows(apply, name, part, monkeypatch, any_class):
    held(apply, windowed(longer(monkeypatch, name)), name, part=part)


@pytest.mark.parametrize(
    "settings",
    (
        {"context_schedule": "looped_uniform", "closed_loop": True, "context_stride": 2},
        {"fuse_method": "relative", "cond_retain_index_list": "0", "split_conds_to_windows": True},
        {"context_schedule": "batched", "fuse_method": "overlap-linear", "causal_window_fix": False},
    ),
)
def test_however_windows_are_laid_and_put_together(apply, monkeypatch, settings):
    held(apply, windowed(longer(monkeypatch, "WAN21_I2V"), **settings), "WAN21_I2V")


@pytest.mark.parametrize("settings", ({}, {"latent_retain_index_list": "0"}, {"causal_window_fix": False}))
def test_frames_that_a_mask_keeps_are_kept_in_every_window(apply, monkeypatch, settings):
    """The first and a middle one, the second in part: windows begin before, at and behind them."""
    patcher = windowed(longer(monkeypatch, "HunyuanVideo"), **settings)
    shape = dressed("HunyuanVideo", patcher, 0).latent["samples"].shape
    latent = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    mask = torch.ones(1, 1, *shape[2:])
    mask[:, :, 0], mask[:, :, 1], mask[:, :, 3] = 0.0, 0.6, 0.0

    def given(level):
        if not level:
            return {"latent": latent, "noise_mask": mask}
        return {"latent": merged(patcher, latent), "noise_mask": merged(patcher, mask)}

    ours, _ = held(apply, patcher, "HunyuanVideo", given)
    kept = patcher.model.process_latent_in(latent)[:, :, 3]
    torch.testing.assert_close(ours[0][:, :, 3], kept)


def test_nothing_changes_where_nothing_is_coarse(apply, monkeypatch):
    patcher = windowed(longer(monkeypatch, "WAN21_I2V"), freenoise=True)
    model = dressed("WAN21_I2V", patcher, 0)
    plain = tiny.sample(patcher, model, steps=3, cfg=2.0)
    for text in ("off", "full x3"):
        assert torch.equal(tiny.sample(apply(patcher, text, traces=[]), model, steps=3, cfg=2.0), plain)


@pytest.mark.parametrize("dim, words", ((3, "the rows of the canvas"), (4, "the columns of the canvas")))
def test_windows_across_the_blocks_of_a_frame_run_plain(apply, monkeypatch, dim, words, caplog):
    patcher = windowed(longer(monkeypatch, "WAN21_T2V"), dim=dim, context_length=10)
    model = dressed("WAN21_T2V", patcher, 0)
    for _, extra in (*model.positive, *model.negative):
        del extra["time_dim_concat"]
    told = []
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, "1/2 x2, full x1", tell=told.append), model, steps=3)
    assert f"context windows cut {words}" in told[0]
    assert len([r for r in caplog.records if r.message.startswith("Fresco runs plain")]) == 1
    assert torch.equal(ours, tiny.sample(patcher, model, steps=3))
    longest = windowed(built("WAN21_T2V"), dim=dim, context_length=16)
    told.clear()
    tiny.sample(apply(longest, "1/2 x2, full x1", tell=told.append), model, steps=3)
    assert "context windows" not in told[0], "there is one window, which is the canvas"


def test_windows_keep_the_frames_of_looks_of_fewer_frames(apply, monkeypatch):
    patcher = windowed(longer(monkeypatch, "WAN21_T2V"))
    model, told, traces = dressed("WAN21_T2V", patcher, 0), [], []
    text = "draft half frames 1/2 x2; refine 0.9 x1"
    tiny.sample(apply(patcher, text, traces=traces, tell=told.append), model, steps=3)
    assert "every look has all frames of the latent: context windows cut the clip" in told[0]
    assert [e.level for e in traces[0].evaluations] == [1, 1, 0]


@pytest.mark.parametrize("schedule", ("standard_static", "batched"))
def test_the_cost_that_is_told_is_that_of_the_windows(apply, schedule):
    """Against what the calls of the run have cost."""
    from fresco_pack.nodes.schedule import describe

    model = tiny.build("wan", size=(32, 32), frames=8)
    patcher = windowed(model.patcher, context_schedule=schedule, causal_window_fix=False)
    told, traces = [], []
    run = apply(patcher, "1/2 x2, full x1", traces=traces, tell=told.append)
    tiny.sample(run, model, steps=3)
    found = re.search(r"([\d.]+) (\w+) a full step, ([\d.]+) \2 in all", told[0])
    assert found[2] == "GFLOPs", found[0]
    spent = [e.flops / 1e9 for e in traces[0].evaluations]
    assert [float(found[1]), float(found[3])] == pytest.approx([spent[2], sum(spent)], rel=0.01)
    sigmas = comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), "simple", 3)
    short = {"samples": torch.zeros(1, 16, 4, 32, 32)}
    before = [
        describe(traces[0].plan.schedule, 3, sigmas, patcher, latent) for latent in (model.latent, short)
    ]
    steps = [float(re.search(r"([\d.]+) GFLOPs a full step", words)[1]) for words in before]
    count = {"standard_static": 3, "batched": 2}[schedule]
    assert steps[0] == pytest.approx(count * steps[1], rel=1e-3), "so many clips of a window's frames"


def test_guidance_that_asks_the_model_again_sees_the_windows_of_the_call_itself(apply, monkeypatch):
    """Skip-layer guidance and its kin: in a later pass too both calls are of one step."""
    name, differences = "WAN21_T2V", []
    patcher = windowed(longer(monkeypatch, name))

    def again(args):
        given = (args["model"], [args["cond"]], args["input"], args["sigma"], args["model_options"])
        (same,) = comfy.samplers.calc_cond_batch(*given)
        differences.append(float((same - args["cond_denoised"]).abs().max()))
        return args["denoised"]

    patcher.set_model_sampler_post_cfg_function(again)
    patched = apply(patcher, "draft 1/2 x3 to refine; refine 0.9 x3")
    tiny.sample(patched, dressed(name, patcher, 0), steps=6, cfg=2.0)
    assert len(differences) == 6 and max(differences) < 1e-4
