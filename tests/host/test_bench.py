"""Fresco Bench called directly: on the demo model, and on a clock that the tests hold."""

import json
import sys
import types

import comfy.model_management
import comfy.utils
import pytest
import tiny
import torch

PROMPT = "a frog top left, a robot right, on blue dots"
HALF = "draft 1/2 50%; refine 50%"


@pytest.fixture(scope="module")
def demo():
    from fresco_pack.nodes.demo import FrescoDemoLoader

    return FrescoDemoLoader.execute(PROMPT).args


def bench(demo, **inputs):
    from fresco_pack.nodes.bench import FrescoBench

    model, vae, positive, negative = demo
    given = {
        "model": model,
        "positive": positive,
        "negative": negative,
        "latent_image": {"samples": torch.zeros(1, 16, 16, 16)},
        "vae": vae,
        "first_seed": 5,
        "steps": 4,
        "cfg": 2.5,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "seeds": 2,
        "presets": HALF,
    }
    return FrescoBench.execute(**given | inputs)


def stock(demo, seed, steps, model=None):
    """The host's own KSampler and VAE Decode: pictures (1, H, W, 3)."""
    from fresco_pack.nodes.host.core_nodes import decoded, sampled

    own, vae, positive, negative = demo
    latent = {"samples": torch.zeros(1, 16, 16, 16)}
    made = sampled(model or own, 1.0, seed, steps, 2.5, "euler", "simple", positive, negative, latent)
    return decoded(vae, made).detach().clamp(0.0, 1.0)


def test_distances_are_those_of_the_hosts_own_sampler_and_kornias(demo, apply):
    import kornia.metrics

    output = bench(demo)
    fields = json.loads(output.args[4])
    trials = {t["name"]: t for t in fields["trials"]}
    assert fields["seeds"] == [5, 6] and fields["size"] == "128x128"
    patched = apply(demo[0], HALF)
    fewer = [(t["name"], t["steps"], None) for t in fields["trials"] if t["steps"] < 4]
    for name, steps, model in ((HALF, 4, patched), *fewer):
        for index, seed in enumerate((5, 6)):
            plain, own = stock(demo, seed, 4), stock(demo, seed, steps, model)
            pair = [x.movedim(-1, 1) for x in (plain, own)]
            psnr = float(kornia.metrics.psnr(*pair, 1.0))
            ssim = float(kornia.metrics.ssim(*pair, 11, padding="valid").mean())
            assert trials[name]["psnr"][index] == pytest.approx(psnr, abs=0.01), name
            assert trials[name]["ssim"][index] == pytest.approx(ssim, abs=1e-3), name
    assert len(trials[HALF]["seconds"]) == 1, "the first seed warms up"
    pictures, plot, words, table, _, schedule = output.args
    assert pictures.ndim == plot.ndim == 4 and pictures.shape[-1] == 3 and float(pictures.max()) <= 1.0
    assert words.startswith("Use ") and "Distances are of 2 seeds" in words
    assert "plain, 4 steps" in table and str(schedule)
    assert len(output.ui["images"]) == 2 and output.ui["fresco_bench"][0]["trials"]


def test_the_model_stays_as_it_is_and_what_was_applied_to_it_before_has_no_say(demo, apply):
    from fresco_pack.fresco_core.bench.distance import EQUAL

    model = apply(demo[0], "draft 1/2 75%; refine 25%")
    options, wrappers = repr(model.model_options), repr(model.wrappers)
    fields = json.loads(bench(demo, model=model, seeds=1).args[4])
    assert (repr(model.model_options), repr(model.wrappers)) == (options, wrappers)
    assert demo[0].wrappers == {} and "fresco" not in demo[0].model_options["transformer_options"]
    assert fields["trials"][1]["psnr"][0] < EQUAL
    plain = stock(demo, 5, 4)
    own = stock(demo, 5, 4, apply(demo[0], HALF))
    expected = -10 * float((plain - own).square().mean().log10())
    assert fields["trials"][1]["psnr"][0] == pytest.approx(expected, abs=0.01), "against plain, not the draft"


@pytest.fixture
def clock(monkeypatch):
    """clock(costs, errors): runs take seconds by setting, 100 more for the first of each, and give latents
    that are off by so much; returns the list of runs (label, seed)."""
    from fresco_pack.nodes.trials import pictures, runs

    now, done = [0.0], []
    monkeypatch.setattr(runs, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))

    def decode(vae, latent):
        return latent["samples"].movedim(1, -1)[..., :3].repeat_interleave(8, 1).repeat_interleave(8, 2)

    monkeypatch.setattr(pictures, "decoded", decode)

    def call(costs, errors):
        def run(self, setting, seed, progress, traces):
            own_shapes = setting.schedule is not None or setting.steps == 20
            first = own_shapes and not any(name == setting.label for name, _ in done)
            done.append((setting.label, seed))
            now[0] += costs(setting) + 100.0 * first
            if traces is not None:
                plan = types.SimpleNamespace(plain=errors(setting) == 0.0, reason="it is too small")
                traces.append(types.SimpleNamespace(plan=plan))
            generator = torch.Generator().manual_seed(seed)
            noise = torch.rand(1, 3, 8, 8, generator=generator)
            return {"samples": 0.3 + 0.1 * noise + errors(setting) * (1 + 0.1 * (seed % 3))}

        monkeypatch.setattr(runs.Sampling, "run", run)
        return done

    return call


def by_steps(setting):
    return {"balanced": 10.0, "fast": 8.0, "quality": 20.0}.get(setting.name, float(setting.steps))


def test_what_is_surely_nearer_at_the_same_seconds_is_recommended_and_comes_out_as_schedule(demo, clock):
    errors = {"balanced": 0.01, "fast": 0.3, "quality": 0.0}
    runs = clock(by_steps, lambda s: errors.get(s.name, 0.4 / s.steps if s.steps < 20 else 0.0))
    output = bench(demo, steps=20, seeds=4, presets="quality\nbalanced\nfast")
    fields = json.loads(output.args[4])
    trials = {t["name"]: t for t in fields["trials"]}
    assert fields["recommendation"]["name"] == "balanced"
    assert "2.00x faster than plain with 20 steps (10.0 s for 20.0 s)" in output.args[2]
    line = "draft ~1/4 50% to refine; refine 50% min x2"
    assert str(output.args[5]) == trials["balanced"]["schedule"] == line
    assert trials["balanced"]["seconds"] == [10.0] * 3, "without the 100 s of its first run"
    assert trials["quality"]["note"] == "runs plain: it is too small" and trials["quality"]["seconds"] == []
    assert trials["fast"]["verdict"] == "further"
    assert {t for t in trials if t.startswith("plain")} == {f"plain, {n} steps" for n in (20, 11, 10, 9, 8)}
    names = [name for name, _ in runs]
    assert names.count("quality") == 1 and {seed for _, seed in runs} == {5, 6, 7, 8}
    assert names[:4] == ["plain, 20 steps", "quality", "balanced", "fast"]
    second = [name for name, seed in runs if seed == 7]
    assert second == [*reversed(["plain, 20 steps", "balanced", "fast", *second[:4][::-1]])]


def test_no_run_that_counts_pays_for_a_model_that_decoding_has_moved_away(demo, clock, monkeypatch):
    from fresco_pack.nodes.trials import pictures, runs

    clock(by_steps, lambda s: 0.4 / s.steps if s.steps < 20 or s.schedule else 0.0)
    run, decoded, away = runs.Sampling.run, pictures.decoded, [0.0]
    now = runs.time.perf_counter
    lost = [0.0]
    monkeypatch.setattr(runs, "time", types.SimpleNamespace(perf_counter=lambda: now() + lost[0]))

    def moved(vae, latent):
        away[0] = 30.0
        return decoded(vae, latent)

    def brought_back(self, *args):
        lost[0], away[0] = lost[0] + away[0], 0.0
        return run(self, *args)

    monkeypatch.setattr(pictures, "decoded", moved)
    monkeypatch.setattr(runs.Sampling, "run", brought_back)
    fields = json.loads(bench(demo, steps=20, seeds=3, presets="balanced").args[4])
    trials = {t["name"]: t["seconds"] for t in fields["trials"]}
    assert trials["plain, 20 steps"] == [20.0] * 2 and trials["balanced"] == [10.0] * 2


def test_a_black_picture_of_one_seed_leaves_the_others(demo, clock, monkeypatch):
    from fresco_pack.nodes.trials import pictures

    clock(by_steps, lambda s: 0.4 / s.steps if s.steps < 20 or s.schedule else 0.0)
    decoded, count = pictures.decoded, [0]

    def sometimes_lost(vae, latent):
        count[0] += 1
        return decoded(vae, latent) * (float("nan") if count[0] == 3 else 1.0)

    monkeypatch.setattr(pictures, "decoded", sometimes_lost)
    fields = json.loads(bench(demo, steps=20, seeds=3, presets="balanced").args[4])
    own = next(t for t in fields["trials"] if t["name"] == "balanced")
    assert len(own["psnr"]) == 3 and all(value is not None for value in own["psnr"])
    assert min(own["psnr"]) < 15.0 < sorted(own["psnr"])[1]


def test_plain_is_recommended_where_its_fewer_steps_are_as_near(demo, clock):
    clock(
        by_steps,
        lambda s: 0.4 / (10 if s.name == "balanced" else s.steps) if s.steps < 20 or s.schedule else 0.0,
    )
    output = bench(demo, steps=20, seeds=3, presets="balanced", near_enough=25.0)
    assert str(output.args[5]) == "full"
    assert output.args[2].startswith("Use plain with 10 steps: 2.00x faster")
    assert "No preset is surely nearer" in output.args[2] and "balanced" in output.args[2]


def test_one_seed_is_run_twice_and_only_the_second_is_timed(demo, clock):
    runs = clock(by_steps, lambda s: 0.01 if s.schedule else 0.2 * (s.steps < 20))
    output = bench(demo, steps=20, seeds=1, presets="balanced")
    trial = json.loads(output.args[4])["trials"][1]
    assert trial["seconds"] == [10.0] and len(trial["psnr"]) == 1
    assert [run for run in runs if run[0] == "balanced"] == [("balanced", 5)] * 2
    assert str(output.args[5]) == "full" and "One seed says nothing" in output.args[2]


def test_a_schedule_that_does_not_fit_is_told_in_its_row(demo, clock):
    from fresco_pack.fresco_core import ScheduleError
    from fresco_pack.nodes.trials.runs import Sampling

    clock(by_steps, lambda s: 0.01 if s.schedule else 0.2 * (s.steps < 20))
    run = Sampling.run

    def refusing(self, setting, *rest):
        if setting.name == "fast":
            raise ScheduleError("sets 8 steps, but the sampler has 20")
        return run(self, setting, *rest)

    Sampling.run = refusing  # the fixture's patch is undone with the others
    output = bench(demo, steps=20, seeds=2, presets="fast\nbalanced")
    assert "not run: sets 8 steps, but the sampler has 20" in output.args[3]
    assert len(json.loads(output.args[4])["trials"][2]["seconds"]) == 1


def test_there_is_one_bar_that_only_rises_and_an_interrupt_ends_all(demo, monkeypatch):
    told, stop = [], [None]

    def hook(value, total, preview, node_id=None):
        told.append((value, total))
        if stop[0] is not None and len(told) >= stop[0]:
            raise comfy.model_management.InterruptProcessingException()

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    monkeypatch.setattr(comfy.utils, "PROGRESS_THROTTLE_MIN_INTERVAL", 0.0)  # else a fast run tells less
    bench(demo)
    values = [value for value, _ in told]
    assert values == sorted(values) and told[-1][0] == told[-1][1] and told[0][0] < told[0][1]
    told.clear()
    stop[0] = 6
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        bench(demo)
    assert len(told) == 6 and demo[0].wrappers == {}


def test_frames_of_a_video_and_the_video_of_several_streams_are_compared(monkeypatch):
    from comfy.nested_tensor import NestedTensor
    from fresco_pack.nodes.trials.pictures import pictures_of

    class Vae:
        latent_dim = 3

        def decode(self, latent):
            return latent[:, :3].movedim(1, -1).repeat_interleave(8, 2).repeat_interleave(8, 3)

    video, sound = torch.rand(1, 16, 5, 4, 6), torch.rand(1, 8, 20, 16)
    frames = pictures_of(Vae(), {"samples": video})
    assert frames.shape == (5, 32, 48, 3)
    torch.testing.assert_close(frames[:, ::8, ::8], video[0, :3].movedim(0, -1))
    both = pictures_of(Vae(), {"samples": NestedTensor([video, sound])})
    assert torch.equal(both, frames)


@pytest.mark.parametrize(
    "inputs,message",
    [
        ({"latent_image": {"samples": torch.zeros(1, 64, 1024)}}, "neither pictures nor video"),
        (
            {"latent_image": {"samples": torch.zeros(1, 16, 1, 1)}},
            "11 pixels a side at least, and these are 8x8",
        ),
        ({"presets": " \n"}, "presets has 0 lines; expected 1 to 16"),
        ({"presets": "draf 1/2"}, "did you mean 'draft'"),
        ({"presets": "1/2"}, "never becomes full"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(demo, inputs, message):
    with pytest.raises(ValueError, match=message):
        bench(demo, **inputs)


def test_a_vae_that_makes_no_pictures_is_refused_after_one_run(demo):
    class Waves:
        latent_channels = 16

        def decode(self, latent):
            return torch.zeros(1, 2, 48000)

    with pytest.raises(ValueError, match=r"this VAE makes \(1, 2, 48000\) of the latent; expected pictures"):
        bench(demo, vae=Waves())


def test_lines_that_are_no_schedules_are_explained_before_anything_runs():
    from fresco_pack.nodes.bench import FrescoBench

    assert FrescoBench.validate_inputs("balanced\ndraft 1/2 50%; refine 50%") is True
    assert FrescoBench.validate_inputs(None) is True
    assert "did you mean 'draft'" in FrescoBench.validate_inputs("balanced\ndraf 1/2")


def test_lpips_is_taken_from_the_machine_or_left_out_and_never_fetched(monkeypatch, tmp_path):
    from fresco_pack.fresco_core.bench import perceptual

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert perceptual.lpips() is None, "no weights"

    class Network(torch.nn.Module):
        def forward(self, a, b):
            return (a - b).abs().mean().view(1, 1, 1, 1) / 2

    package = types.ModuleType("lpips")
    package.LPIPS = lambda net, verbose: Network()
    package.__spec__ = types.SimpleNamespace(name="lpips")
    monkeypatch.setitem(sys.modules, "lpips", package)
    assert perceptual.lpips() is None, "the package alone would fetch them"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / perceptual.WEIGHTS).write_bytes(b"")
    a = torch.rand(2, 64, 64, 3)
    assert perceptual.lpips()(a, a + 0.25) == pytest.approx(0.25, abs=1e-5)
    package.LPIPS = lambda net, verbose: 1 / 0
    assert perceptual.lpips() is None, "a broken package is no reason to fail"


def test_a_preset_that_runs_plain_here_is_not_timed():
    model = tiny.build("flux", size=(16, 16))

    class Vae:
        latent_channels = 16

        def decode(self, latent):
            return latent[:, :3].movedim(1, -1).repeat_interleave(8, 1).repeat_interleave(8, 2)

    parts = (model.patcher, Vae(), model.positive, model.negative)
    fields = json.loads(bench(parts, latent_image=model.latent, cfg=1.0, presets="balanced").args[4])
    trial = fields["trials"][1]
    assert trial["note"].startswith("runs plain: ") and "megapixels" in trial["note"] and not trial["seconds"]
    assert [t["name"] for t in fields["trials"]] == ["plain, 4 steps", "balanced"], "nothing to compare with"
