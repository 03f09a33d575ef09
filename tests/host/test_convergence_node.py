"""Fresco Convergence called directly: its pictures, its numbers, what it writes, and traces with nothing to
show."""

import base64
import json

import numpy as np
import pytest
import tiny
import torch
from node_runs import ksampled

BLACK = 0.0


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The host's temporary folder for one test."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path


def video_trace(frames=21, height=90, width=160, evaluations=4, batch=1):
    from fresco_pack.fresco_core import Canvas, DenseLook, Trace

    trace = Trace(batch, Canvas(height, width, frames), 2)
    for index in range(evaluations):
        values = None if index == 0 else torch.rand(batch, frames, -(-height // 4), -(-width // 4)) + 0.001
        trace.add(0, torch.tensor([0.5]), DenseLook(1), values)
    return trace.finish()


def shown(trace, **inputs):
    from fresco_pack.nodes.convergence import FrescoConvergence

    return FrescoConvergence.execute(trace, legend=inputs.pop("legend", False), **inputs)


def record_of(output, folder):
    """The file that the viewer reads."""
    return json.loads((folder / output.ui["run"][0]).read_text())


def values_of(maps):
    """The values (steps, batch, rows, columns) that the file carries as text."""
    codes = np.frombuffer(base64.b64decode(maps["values"]), "<u2").reshape(maps["shape"])
    return 10.0 ** (maps["lowest"] + maps["span"] * codes / 65535.0)


def test_heatmaps_of_a_video_are_one_bounded_picture_a_step():
    output = shown(video_trace())
    images, mask, overlays, promotion = output.args
    assert images.shape == (3, 90 * 3, 160 * 3, 3), "512 pixels at the most"
    assert mask.shape == (21, 720, 1280), "the mask has the video's own frames and size"
    assert promotion.shape == images[:1].shape
    assert "connect image" in overlays.message
    assert len(output.ui["evaluations"][0]) == 4 and "note" not in output.ui


def test_a_strip_of_a_video_with_pictures_below_it(temporary):
    output = shown(video_trace(), image=torch.rand(81, 72, 128, 3), frames="strip", steps="2, -1")
    assert output.args[0].shape == output.args[2].shape == (2, 270, 8 * 480, 3)
    assert len(record_of(output, temporary)["pictures"]) == 1
    few = shown(video_trace(), image=torch.rand(4, 72, 128, 3), frames="strip")
    assert "holds 4 frames of each video and the strip shows 8" in few.ui["note"][0]
    assert few.args[0].shape[2] == 8 * 480, "the heatmaps need no picture"


def test_the_legend_lies_below_the_picture_and_leaves_it_as_it_is():
    trace = video_trace(1, 24, 24)
    plain, labelled = shown(trace).args, shown(trace, legend=True).args
    for without, with_it in ((plain[0], labelled[0]), (plain[3], labelled[3])):
        height = without.shape[1]
        assert torch.equal(with_it[:, :height], without) and 20 < with_it.shape[1] - height < 80
        assert float(with_it[:, height:].std()) > 0.1, "something is written"


@pytest.mark.parametrize("width", range(40, 640, 23))
def test_legends_of_one_batch_are_of_one_size_however_long_their_captions_are(width):
    from fresco_pack.nodes.view.legend import with_legends

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
    class Vae:
        def decode(self, latent):
            return torch.full((latent.shape[0], 192, 192, 3), 0.25)

    trace, latent = video_trace(1, 24, 24), torch.randn(1, 16, 24, 24)
    from fresco_pack.nodes.engine.signature import sign

    sign(trace, latent)
    overlays = shown(trace, samples={"samples": latent}, vae=Vae(), opacity=0.0).args[2]
    assert overlays.shape == (3, 192, 192, 3)
    torch.testing.assert_close(overlays, torch.full_like(overlays, 0.25))


@pytest.mark.parametrize("family", ("flux2", "hunyuan_image", "flux"))
def test_mixed_steps_of_models_with_tokens_of_one_latent_pixel_are_shown(apply, family, temporary):
    from fresco_pack.nodes.families import adapter_of

    traces, model = [], tiny.build(family, size=(16, 16))
    reason = adapter_of(model.model.diffusion_model)[1]
    if reason is not None:  # the oldest host's HunyuanVideo
        pytest.skip(reason)
    out = tiny.sample(apply(model.patcher, "1/2 40%, mixed 50% 40%, full 20%", traces), model, steps=10)
    assert any(e.fine is not None for e in traces[0].evaluations)
    for mask in ("converged below tau", "refined at the step"):
        output = shown(traces[0], samples={"samples": out}, mask=mask)
        assert output.args[3].shape[0] == 1 and 0.0 <= output.args[1].max() <= 1.0
    assert "note" not in output.ui


def test_masks_of_a_step():
    from fresco_pack.nodes.view.trace_pictures import CHANGE, CONVERGED, REFINED, mask_of

    trace = video_trace(1, 24, 24)
    trace.evaluations[-1].level = 0
    share = [
        None if e.convergence is None else float((e.convergence < 0.5).float().mean())
        for e in trace.evaluations
    ]
    for step, expected in (
        (2, share[1]),
        (4, share[3]),
        (-1, share[3]),
        (1, share[1]),
        (0, share[1]),
        (99, share[3]),
    ):
        assert float(mask_of(trace, CONVERGED, step, 0.5).mean()) == pytest.approx(expected)
    assert float(mask_of(trace, REFINED, 1, 0.5).max()) == 0.0
    assert float(mask_of(trace, REFINED, -1, 0).min()) == 1.0
    change = mask_of(trace, CHANGE, 2, 0.5)
    assert change.shape == (1, 192, 192) and 0.0 <= float(change.min()) < float(change.max()) <= 1.0


def test_numbers_travel_with_the_ui_output_and_maps_in_a_file(temporary):
    trace = video_trace(21, 90, 160)
    output = shown(trace, tau=0.5)
    rows, record = json.loads(json.dumps(output.ui["evaluations"][0])), record_of(output, temporary)
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and record["evaluations"] == rows
    assert rows[0]["converged"] is None and 0.3 < rows[1]["converged"] < 0.7 and rows[1]["refined"] == 0.0
    assert rows[2]["convergence"] == pytest.approx(float(trace.evaluations[2].convergence.mean()), rel=1e-3)
    expected, maps = trace.evaluations[2].convergence.mean(dim=1), record["maps"]
    assert maps["shape"] == [3, 1, 23, 40] and maps["block"] == 32 and maps["fine"] is None
    np.testing.assert_allclose(values_of(maps)[1], expected, rtol=1e-3)


def test_large_traces_are_sent_with_larger_blocks_and_mixed_ones_with_their_masks():
    from fresco_pack.nodes.view.readout import MOST_CODES, maps

    trace = video_trace(1, 1022, 1024, evaluations=9)
    trace.evaluations[3].fine = torch.zeros(1, 1, 256, 256, dtype=torch.bool)
    trace.evaluations[3].fine[..., 5, 7] = True
    sent = maps(trace, "inferno")
    assert sent["shape"] == [8, 1, 128, 128] and sent["block"] == 64 and np.prod(sent["shape"]) <= MOST_CODES
    fine = np.frombuffer(base64.b64decode(sent["fine"]), np.uint8).reshape(sent["shape"])
    assert fine.sum() == 1 and fine[2, 0, 2, 3] == 1


@pytest.mark.parametrize(
    "text,steps",
    [
        ("all", [2, 3, 5, 6]),
        ("", [2, 3, 5, 6]),
        ("every 2", [2, 5]),
        ("6, 2-3, -1", [6, 2, 3]),
        ("4", [5]),  # the first of the second pass has no value
        ("1", [2]),
        ("0", [2]),
        ("2-99", [2, 3, 5, 6]),
        ("99", [6]),
        ("4-4", [5]),
    ],
)
def test_steps_are_chosen_in_words(text, steps):
    from fresco_pack.nodes.view.chosen_steps import chosen_steps

    assert chosen_steps(text, [2, 3, 5, 6], 6) == steps


@pytest.mark.parametrize("frames", ["mean", "strip"])
def test_all_steps_of_a_large_batch_are_some_evenly_with_both_ends(frames, monkeypatch):
    from fresco_pack.nodes.view import trace_pictures

    trace, image = video_trace(9, 12, 12, evaluations=20, batch=2), torch.rand(18, 96, 96, 3)
    of_a_step = 2 * (8 if frames == "strip" else 1) * 96 * 96
    monkeypatch.setattr(trace_pictures, "MOST_PIXELS", 7 * of_a_step)
    inputs = {"image": image, "frames": frames}
    some, every = shown(trace, **inputs), shown(trace, steps="every 1", **inputs)
    heats, overlays = every.args[0].unflatten(0, (19, 2)), every.args[2].unflatten(0, (19, 2))
    drawn = [0, 3, 6, 9, 12, 15, 18]
    assert torch.equal(some.args[0], heats[drawn].flatten(0, 1))
    assert torch.equal(some.args[2], overlays[drawn].flatten(0, 1)) and "note" not in every.ui
    assert some.ui["note"] == (
        "7 of 19 steps are drawn, as all would take much memory; 'every 1' in steps draws each of them",
    )
    assert shown(trace, steps="2-20", **inputs).args[0].shape[0] == 38, "the user's choice stays"
    monkeypatch.setattr(trace_pictures, "MOST_PIXELS", 1)
    assert torch.equal(shown(trace, **inputs).args[0], heats[[0, 18]].flatten(0, 1))
    monkeypatch.setattr(trace_pictures, "MOST_PIXELS", 19 * of_a_step)
    assert "note" not in shown(trace, **inputs).ui


def test_all_steps_of_a_picture_are_drawn_and_those_of_a_batch_take_bounded_memory():
    from fresco_pack.nodes.view.trace_pictures import MOST_PIXELS, drawn_steps

    assert drawn_steps("all", video_trace(1, 128, 128, 51), False) == ([*range(2, 52)], None)
    steps, note = drawn_steps("", video_trace(1, 128, 128, 21, batch=8), False)
    assert len(steps) * 8 * 512 * 512 <= MOST_PIXELS and (steps[0], steps[-1]) == (2, 21)
    assert note.startswith(f"{len(steps)} of 20 steps")


@pytest.mark.parametrize(
    "text,message",
    [
        ("first", "'first'; expected 'all'"),
        ("every 0", "expected 'all'"),
        ("3-1", "counts downwards"),
        ("1,", "has ''"),
        ("-2", "has '-2'"),
        ("9" * 5000, "numbers and ranges"),
    ],
)
def test_a_line_that_names_no_steps_is_refused_before_anything_runs(text, message):
    from fresco_pack.nodes.convergence import FrescoConvergence

    answer = FrescoConvergence.validate_inputs(steps=text)
    assert isinstance(answer, str) and message in answer and len(answer) < 250
    assert FrescoConvergence.validate_inputs(steps=None) is True
    assert FrescoConvergence.validate_inputs(steps="1, 4-6, -1") is True


@pytest.mark.parametrize(
    "frames,size,steps,batch", [(1, 128, 50, 1), (1, 128, 50, 8), (21, 90, 50, 1), (1, 16, 2000, 1)]
)
def test_a_history_entry_stays_small_and_only_the_viewers_file_is_written(
    temporary, frames, size, steps, batch
):
    output = shown(
        video_trace(frames, size, size, steps, batch), image=torch.rand(batch * frames, 64, 64, 3), steps="-1"
    )
    entry = json.dumps(output.ui)
    assert len(entry) < 20_000, "the host keeps thousands of entries"
    rows = output.ui["evaluations"][0]
    assert (rows[0]["step"], rows[-1]["step"]) == (1, steps) and len(rows) <= 100
    assert [path.name for path in temporary.iterdir()] == [output.ui["run"][0]]
    record = record_of(output, temporary)
    assert len(record["evaluations"]) == steps and len(record["pictures"]) == batch
    assert (temporary / output.ui["run"][0]).stat().st_size < 2_000_000


def test_the_gallery_gets_pictures_when_it_is_asked_for(temporary):
    output = shown(video_trace(1, 24, 24), gallery=True)
    assert len(output.ui["images"]) == 3 and len(output.ui["promotion"]) == 1
    assert len(list(temporary.glob("*.png"))) == 4


def test_a_session_keeps_the_newest_runs_only(temporary):
    from fresco_pack.nodes.server.run_file import MOST_FILES

    (temporary / "anothers.json").write_text("{}")
    names = [shown(video_trace(1, 16, 16)).ui["run"][0] for _ in range(MOST_FILES + 5)]
    assert {path.name for path in temporary.iterdir()} == {"anothers.json", *names[-MOST_FILES:]}


def test_a_folder_that_takes_nothing_does_not_fail_the_prompt(temporary, monkeypatch, caplog):
    import folder_paths

    (temporary / "full").write_text("")
    monkeypatch.setattr(folder_paths, "temp_directory", str(temporary / "full"))
    output = shown(video_trace(1, 24, 24))
    assert "run" not in output.ui and output.args[0].shape[0] == 3
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("mask", ["converged below tau", "refined at the step", "change at the step"])
@pytest.mark.parametrize(
    "steps,denoise,said", [(20, 0.0, "nothing was sampled"), (1, 1.0, "one step was sampled")]
)
def test_a_run_without_values_gives_black_pictures_and_a_note(steps, denoise, said, mask):
    latent, trace = ksampled(tiny.build("flux", size=(32, 32)), steps=steps, denoise=denoise)
    picture = torch.full((1, 256, 256, 3), 0.5)
    for image in (None, picture):
        output = shown(trace, samples=latent, image=image, mask=mask, step=7, legend=True)
        heatmaps, found, overlays, promotion = output.args
        assert said in output.ui["note"][0] and len(output.ui["note"][0]) < 250
        assert heatmaps.shape[0] == 1 and heatmaps.shape[3] == 3 and float(heatmaps.max()) == BLACK
        assert promotion.ndim == 4 and promotion.shape[3] == 3
        assert found.ndim == 3 and found.dtype == torch.float32
        if image is None:
            assert "connect image" in overlays.message
        else:
            torch.testing.assert_close(overlays, torch.full_like(overlays, 0.5))
            assert overlays.shape[1] >= 64
        if mask != "refined at the step":
            assert float(found.max()) == 0.0
    assert len(output.ui["evaluations"][0]) == len(trace.evaluations)


@pytest.mark.parametrize("schedule", ["draft 1/2 50%; refine 50%", "off"])
@pytest.mark.parametrize("frames", ["mean", "strip"])
@pytest.mark.parametrize("family", ["flux", "wan"])
def test_a_run_that_fresco_leaves_alone_says_why_there_is_nothing(family, frames, schedule):
    model = tiny.build(family, size=(18, 24), **({"frames": 3} if family == "wan" else {}))
    latent, trace = ksampled(model, steps=4, sampler_name="dpm_adaptive", schedule=schedule)
    count = 9 if family == "wan" else 1
    output = shown(trace, samples=latent, image=torch.full((count, 144, 192, 3), 0.5), frames=frames)
    assert output.ui["note"] == (
        "ran plain, and nothing was recorded: the sampler dpm_adaptive takes as many steps as it "
        "wants, and more with coarse ones among them",
    )
    heatmaps, found, overlays, _ = output.args
    assert float(heatmaps.max()) == float(found.max()) == BLACK
    torch.testing.assert_close(overlays, torch.full_like(overlays, 0.5))
    assert overlays.shape == heatmaps.shape


def test_of_a_model_with_a_drafted_run_the_one_left_alone_is_meant_by_its_picture():
    from fresco_pack.nodes.apply import FrescoApply

    model = tiny.build("flux", size=(32, 32))
    patched, runs = FrescoApply.execute(model.patcher, schedule="draft 1/2 50%; refine 50%").args
    tiny.sample(patched, model, steps=4)
    assert "note" not in shown(runs, image=torch.rand(1, 256, 256, 3)).ui
    tiny.sample(patched, model, steps=4, sampler="dpm_adaptive")
    output = shown(runs, image=torch.rand(1, 256, 256, 3))
    assert output.ui["note"][0].startswith("ran plain, and nothing was recorded: the sampler")


def test_a_strip_of_a_video_of_one_step_has_its_pictures():
    picture = torch.full((9, 36, 50, 3), 0.5)
    output = shown(video_trace(3, 18, 25, evaluations=1), image=picture, frames="strip")
    assert "one step was sampled" in output.ui["note"][0]
    torch.testing.assert_close(output.args[2], torch.full_like(output.args[2], 0.5))


def test_a_latent_that_is_no_picture_has_a_trace_that_says_so():
    from types import SimpleNamespace

    from fresco_pack.nodes.engine.target import left_alone
    from fresco_pack.nodes.view.read_trace import valueless

    model = SimpleNamespace(latent_format=SimpleNamespace(latent_dimensions=1))
    trace = left_alone(model, (1, 64, 2048), "why")
    assert trace.batch == 0 and valueless(trace) == "ran plain, and nothing was recorded: why"


def test_a_trace_of_another_run_is_said_and_its_latent_not_decoded():
    class Vae:
        def decode(self, latent):
            raise AssertionError("a latent of another run says nothing of this one")

    trace, latent = video_trace(1, 16, 16), torch.randn(1, 16, 16, 16)
    from fresco_pack.nodes.engine.signature import sign

    sign(trace, latent)
    assert "note" not in shown(trace, samples={"samples": latent.clone()}).ui
    other = shown(trace, samples={"samples": latent * 1.001}, vae=Vae())
    assert "another run than the latent" in other.ui["note"][0] and other.args[0].shape[0] == 3
    small = shown(trace, samples={"samples": torch.zeros(1, 16, 8, 8)}, vae=Vae())
    assert "recorded 1 latents of 16x16" in small.ui["note"][0]
    three = shown(video_trace(1, 24, 24, batch=2), image=torch.rand(3, 8, 8, 3))
    assert "holds 3 pictures and the trace is of 2" in three.ui["note"][0]
    beyond = shown(trace, step=30)
    assert beyond.ui["note"][0] == "step is 30 and the run has 4: the mask is of the last"
    assert torch.equal(beyond.args[1], shown(trace, step=4).args[1])


def test_a_run_that_lost_its_numbers_counts_as_changing(temporary):
    trace = video_trace(1, 16, 16)
    trace.evaluations[2].convergence[...] = torch.nan
    output = shown(trace, steps="3", mask="change at the step", step=3)
    assert bool(torch.isfinite(output.args[0]).all()) and float(output.args[1].min()) == 1.0
    rows = record_of(output, temporary)["evaluations"]
    assert rows[2]["convergence"] is None and rows[2]["converged"] == 0.0
