"""Fresco Apply: what it takes, what it says before and after a run, and its trace behind any sampler."""

import copy
from types import SimpleNamespace

import comfy.patcher_extension
import pytest
import tiny
import torch

SCHEDULE = "draft 1/2 50%; refine 0.9 50%"
KINDS = comfy.patcher_extension.WrappersMP
SECOND = 1.0 / 1024.0  # that the stand-in device takes for a latent pixel


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The host's temporary folder for one test."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path


@pytest.fixture
def told(monkeypatch):
    """What the pack writes on nodes."""
    from fresco_pack.nodes.host import versions

    words = []
    monkeypatch.setattr(versions, "show_text", lambda node, text: words.append(text))
    return words


@pytest.fixture
def flux():
    return tiny.build("flux", size=(32, 32))


def applied(flux, **inputs):
    from fresco_pack.nodes.apply import FrescoApply

    return FrescoApply.execute(flux.patcher, **{"schedule": SCHEDULE, **inputs}).args


class Device:
    """A clock that only the model moves on: by the latent pixels that it sees, and by its warm-up once."""

    def __init__(self, warm_up=0.0):
        self.now, self.calls, self.warm_up, self.rows = 0.0, 0, warm_up, []

    def __call__(self):
        return self.now

    def meter(self, patcher):
        def timed(executor, x, *args, **kwargs):
            self.now += len(x) * x.shape[-1] * x.shape[-2] * SECOND + (0.0 if self.calls else self.warm_up)
            self.calls += 1
            self.rows.append(len(x))
            return executor(x, *args, **kwargs)

        patcher = patcher.clone()
        patcher.add_wrapper_with_key(KINDS.DIFFUSION_MODEL, "meter", timed)
        return patcher


@pytest.fixture
def device(monkeypatch):
    from fresco_pack.nodes.host import clock

    found = Device()
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=found))
    return found


def test_the_inputs_are_in_the_order_that_people_need_them():
    from fresco_pack.nodes.apply import FrescoApply

    schema = FrescoApply.define_schema()
    names = [i.id for i in schema.inputs]
    assert names[:5] == ["model", "preset", "vae", "schedule", "upscale_model"]
    assert [o.display_name or o.io_type for o in schema.outputs] == ["MODEL", "trace"]
    required = [i.id for i in schema.inputs if not i.optional]
    assert required == ["model"], "API prompts from before the preset still run"


@pytest.mark.usefixtures("any_size")
def test_a_preset_is_its_schedule_and_a_schedule_wins_over_it(flux):
    from fresco_pack.fresco_core import PRESETS, parse

    def drawn(**inputs):
        return tiny.sample(applied(flux, **inputs)[0], flux, steps=8)

    by_line = drawn(schedule=PRESETS["fast"])
    assert torch.equal(drawn(schedule="", preset="fast"), by_line)
    assert torch.equal(drawn(schedule="fast", preset="off"), by_line), "a name is taken for a schedule"
    assert torch.equal(drawn(schedule=parse(PRESETS["fast"]), preset="off"), by_line)
    assert torch.equal(drawn(schedule=" Fast ", preset="quality"), by_line)
    assert not torch.equal(drawn(schedule="", preset="quality"), by_line)
    plain = tiny.sample(flux.patcher, flux, steps=8)
    assert torch.equal(drawn(schedule="", preset="off"), plain), "bit for bit, though it is recorded"


@pytest.mark.parametrize(
    "text,expected",
    [
        ("balanced 20%", "'balanced' in 'balanced 20%', which is the name of a preset and stands alone"),
        ("fast; refine 40%", "change the preset's own line: 'draft ~1/4 75% to refine; refine 25% min x2'"),
        ("draft 1/2 60%, refine 40%", "passes are separated by ';'"),
        ("1/2 x6; full x14", "looks of one pass are separated by ','"),
        ("1/2 x6 full x14", "looks are separated by ','"),
        ("draft 1/2;; refine", "nothing between ';' and ';'"),
        ("draft 1/2 x4; refine 0,9 x4", "decimals take a point: '0.9'"),
        ("draft ½ 60%; refine", "write '1/2'"),
        ("draft ¼ 60%; refine", "write '1/4'"),
        ("full x-3", "found '-3' after 'x'"),
        ("draft 1/2 -60%; refine", "no number of a schedule is negative"),
        ("draft 1/2 10; refine 10", "write 'x10' for 10 steps, '10%' for a part of them"),
        ("draft 50%; refine 50%", "half resolution is written '1/2'"),
        ("draft 1\\2; refine", "write a level with '/'"),
    ],
)
def test_what_is_easily_confused_is_told_with_what_to_write(text, expected):
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.ksampler import FrescoKSampler
    from fresco_pack.nodes.schedule import FrescoSchedule

    for said in (
        FrescoApply.validate_inputs(schedule=text),
        FrescoKSampler.validate_inputs(schedule=text),
        FrescoSchedule.validate_inputs(preset="from text", text=text),
    ):
        assert expected in str(said)


def test_preset_names_are_taken_wherever_a_schedule_is():
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.ksampler import FrescoKSampler
    from fresco_pack.nodes.schedule import FrescoSchedule

    for name in ("balanced", "spectral", "off", " Fast "):
        assert FrescoApply.validate_inputs(schedule=name) is True
        assert FrescoKSampler.validate_inputs(schedule=name) is True
        assert FrescoSchedule.validate_inputs(preset="from text", text=name) is True


@pytest.mark.parametrize("warm_up", [0.0, 2.5])
@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_the_gain_is_what_a_plain_run_takes_over_what_the_run_takes(flux, device, told, sampler, warm_up):
    device.warm_up = warm_up
    tiny.sample(device.meter(flux.patcher), flux, steps=10, sampler=sampler)
    plain, evaluations = device.now, device.calls
    device.now, device.calls = 0.0, 0
    patched, runs = applied(SimpleNamespace(patcher=device.meter(flux.patcher)))
    samples = tiny.sample(patched, flux, steps=10, sampler=sampler)
    from fresco_pack.nodes.engine.gain import gain_of

    gain = gain_of(runs.of(samples))
    assert gain.seconds == pytest.approx(device.now)
    per_step = (plain - warm_up) / evaluations
    # a sampler of two evaluations a step makes one less at the end of every pass
    assert gain.plain == pytest.approx(per_step * device.calls + warm_up)
    assert gain.plain <= plain + 1e-6, "never more than the plain run took"
    assert gain.warm_up == pytest.approx(warm_up)
    ratio = gain.plain / device.now
    assert told[-1].startswith(f"{device.now:.1f} s for 10 steps: {ratio:.1f}x faster than 10 full steps")
    assert ("warming up is counted in both" in told[-1]) == (warm_up > 0)


def of_two(model, start, end):
    """A prompt of two, the second in a part of the run alone."""
    tokens, given = tiny.conditioning(model, seed=2)[0]
    return [*model.positive, [tokens, given | {"start_percent": start, "end_percent": end}]]


@pytest.mark.parametrize("start,end", [(0.0, 0.06), (0.0, 0.3), (0.3, 1.0), (0.1, 0.6)])
@pytest.mark.parametrize("family", ["flux", "sd15"])
def test_steps_are_worth_what_each_asks_the_model_for(family, start, end, device, told):
    """Of SD 1.5 no FLOPs are known."""
    from fresco_pack.nodes.engine.gain import gain_of

    model = tiny.build(family, size=(32, 32))
    patched, runs = applied(SimpleNamespace(patcher=device.meter(model.patcher)))
    gain = gain_of(runs.of(tiny.sample(patched, model, steps=12, positive=of_two(model, start, end))))
    assert set(device.rows) == {1, 2}
    assert gain.plain == pytest.approx(sum(device.rows) * 32 * 32 * SECOND)
    both = (gain.full_step, gain.full_most) == (1.0, 2.0)
    assert both and "one evaluation in full took 1 s to 2 s, measured in this run" in told[-1]


@pytest.mark.parametrize("end,known", [(0.02, False), (0.35, True), (0.7, True)])
def test_what_controlnets_take_is_measured_or_no_gain_is_told(end, known, flux, device, told):
    """One that is in no full step has not been measured in full."""
    import tiny_control
    from fresco_pack.nodes.engine.gain import gain_of, summary

    control, asked = tiny_control.flux_controlnet(), []

    def takes(*_):
        device.now += 0.5
        asked.append(len(device.rows))

    control.control_model.register_forward_pre_hook(takes)
    positive = tiny_control.with_control(flux.positive, control, tiny_control.hint_image((32, 32)), end=end)
    patched, runs = applied(SimpleNamespace(patcher=device.meter(flux.patcher)))
    run = runs.of(tiny.sample(patched, flux, steps=12, positive=positive))
    assert 0 < len(asked) < 12 and (max(asked) >= 6) == known
    gain = gain_of(run)
    if known:
        assert gain.plain == pytest.approx(12 + 0.5 * len(asked))
    else:
        assert gain is None and "faster" not in summary(run)
        assert told[-1].split("\n")[0].endswith("; its full steps are no measure of its coarse ones")


def test_before_the_run_one_sentence_after_it_the_result_and_why_it_ran_plain(flux, told):
    patched, _ = applied(flux)
    tiny.sample(patched, flux, steps=8)
    assert told[0].split("\n")[0] == "8 steps: 4 at 1/2, then 4 in full"
    assert " s for 8 steps: " in told[1] and "full steps would have been" in told[1].split("\n")[0]
    assert "pass 1: sigma" in told[1], "the plan stays below the result"
    told.clear()
    tiny.sample(patched, flux, steps=8, denoise=0.3, latent=torch.randn_like(flux.latent["samples"]))
    assert told[0].startswith("runs plain: ") and "; ran plain: " in told[1]
    told.clear()
    tiny.sample(applied(flux, schedule="off")[0], flux, steps=4)
    assert told[0].startswith("4 full steps, as without Fresco")
    assert told[1].endswith("s for 4 steps at full resolution")


def test_it_says_that_previews_are_off(flux, told):
    tiny.sample(applied(flux, live_heatmap=True)[0], flux, steps=6, callback=lambda *_: None)
    assert "previews are off" in told[-1] and "previews are off" not in told[0]


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m_sde", "uni_pc"])
def test_the_trace_is_read_behind_any_sampler_by_its_latent(flux, sampler):
    from fresco_pack.nodes.convergence import FrescoConvergence

    patched, runs = applied(flux)
    latents = [tiny.sample(patched, flux, steps=6, sampler=sampler, seed=seed) for seed in (1, 2, 3)]
    for latent in latents:
        output = FrescoConvergence.execute(runs, samples={"samples": latent}, legend=False)
        assert "note" not in output.ui and float(output.args[0].max()) > 0.0
        assert "full steps would have been" in output.ui["summary"][0]
    rows = output.ui["evaluations"][0]
    assert rows[-1]["step"] == 6 and rows[0]["step"] == 1
    of_image = FrescoConvergence.execute(runs, image=torch.rand(1, 256, 256, 3))
    assert "note" not in of_image.ui, "the last run, where only a picture is connected"
    resized = FrescoConvergence.execute(runs, image=torch.rand(1, 64, 64, 3))
    assert resized.ui["note"][0].startswith("no recorded run fits the picture, 1 of 64x64: the last is taken")
    assert resized.ui["summary"] == of_image.ui["summary"]
    alone = FrescoConvergence.execute(runs)
    assert "connect its latent to samples" in alone.ui["note"][0]
    half = FrescoConvergence.execute(runs, samples={"samples": latents[0].half()}, legend=False)
    assert "note" not in half.ui, "hosts may keep latents in half precision"
    other = FrescoConvergence.execute(runs, samples={"samples": latents[0] + 1.0})
    assert "another run" in other.ui["note"][0]
    unused = FrescoConvergence.execute(applied(flux)[1], samples={"samples": latents[0]})
    assert "no run of this model has been recorded" in unused.ui["note"][0]


def test_of_several_samplers_the_run_is_meant_whose_size_the_picture_has(flux):
    from fresco_pack.nodes.compare import FrescoCompare
    from fresco_pack.nodes.convergence import FrescoConvergence

    patched, runs = applied(flux)
    tiny.sample(patched, flux, steps=7)
    base = runs.of(None)
    pair = tiny.build("flux", size=(32, 32), batch=2)
    tiny.sample(patched, pair, steps=5)
    latent = torch.randn(1, 16, 48, 48)
    tiny.sample(patched, tiny.build("flux", size=(48, 48)), steps=6, denoise=0.5, latent=latent)

    def evaluations(count, side):
        output = FrescoConvergence.execute(runs, image=torch.rand(count, side, side, 3), legend=False)
        return len(output.ui["evaluations"][0]), "note" in output.ui

    assert evaluations(1, 256) == (7, False) and evaluations(2, 256) == (5, False)
    assert evaluations(1, 384) == (6, False) and evaluations(3, 256) == (6, True)
    base.seconds, runs.of(None).seconds = 100.0, 200.0

    def report(side):
        picture = torch.rand(1, side, side, 3)
        return FrescoCompare.execute(image_a=picture, image_b=picture, trace_b=runs).args[4].split("\n")

    assert report(256)[0].startswith("Fresco 100 s of sampling") and len(report(256)) == 2
    assert report(384)[0].startswith("Fresco 200 s of sampling") and len(report(384)) == 2
    first, note, _ = report(128)
    assert first.startswith("Fresco 200 s")
    assert note.startswith("Fresco: no recorded run fits the picture, 1 of 128x128")


def test_the_frames_of_a_video_are_those_of_its_run():
    from fresco_pack.fresco_core import Canvas
    from fresco_pack.nodes.engine.recording import RunTrace, fits

    run = RunTrace(2, Canvas(8, 12, 5), 2)
    assert fits(run, torch.zeros(34, 64, 96, 3)) and not fits(run, torch.zeros(33, 64, 96, 3))
    assert not fits(run, torch.zeros(34, 96, 64, 3))
    assert not fits(RunTrace(0, Canvas(1, 1, 2), 0), torch.zeros(1, 8, 8, 3)), "of no run"


def test_steps_are_the_samplers_own(flux):
    """heun evaluates twice a step, but once in a pass's last: 3 steps are 5 evaluations."""
    from fresco_pack.nodes.view.trace_steps import evaluation_of, step_numbers

    patched, runs = applied(flux, schedule="draft 1/2 x3; refine 0.9 x3")
    trace = runs.of(tiny.sample(patched, flux, steps=6, sampler="heun"))
    assert step_numbers(trace) == [1, 1, 2, 2, 3, 4, 4, 5, 5, 6]
    assert evaluation_of(trace, 2) is trace.evaluations[3]
    assert evaluation_of(trace, 99) is trace.evaluations[-1]
    euler = runs.of(tiny.sample(patched, flux, steps=6))
    assert step_numbers(euler) == [1, 2, 3, 4, 5, 6]


def test_clones_share_the_record_and_the_vae(flux):
    """Old hosts copy a model's options with every node that patches it."""
    vae = object()
    patched, runs = applied(flux, vae=vae)
    settings = patched.clone().clone().model_options["transformer_options"]["fresco"]
    assert settings.traces is runs and settings.bridge.vae is vae
    assert copy.deepcopy(settings) is settings


def test_only_the_last_runs_are_kept(flux):
    from fresco_pack.nodes.engine.recording import MOST_RUNS

    patched, runs = applied(flux)
    first = tiny.sample(patched, flux, steps=2, seed=0)
    for seed in range(1, MOST_RUNS + 1):
        last = tiny.sample(patched, flux, steps=2, seed=seed)
    from fresco_pack.nodes.engine.signature import made

    assert not made(runs.of(first), first) and made(runs.of(last), last)


def test_cuda_moments_are_marked_in_its_own_queue(monkeypatch):
    """No GPU is needed: the events are stand-ins that count milliseconds."""
    from fresco_pack.nodes.host.clock import Clock

    class Event:
        at = 0.0

        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            assert stream == "stream of cuda:1"
            Event.at += 250.0
            self.moment = Event.at

        def synchronize(self):
            pass

        def elapsed_time(self, other):
            return other.moment - self.moment

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    clock = Clock(torch.device("cuda:1"))
    assert clock.seconds(clock.mark(), clock.mark()) == 0.25


def test_a_latent_is_known_however_its_streams_lie():
    from fresco_pack.nodes.engine.signature import made, signature

    values = torch.randn(1, 1, 200_000, generator=torch.Generator().manual_seed(3))
    run = SimpleNamespace(result=signature(values.flip(-1)))
    assert made(run, values)
    other = values.clone()
    other[..., 7] += 1.0
    assert not made(run, other)
