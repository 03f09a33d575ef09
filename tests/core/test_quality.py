"""The ruler's own correctness: statistics, rewinds, reports, storage."""

import io
import pickle
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

pytest.importorskip("PIL")

from benchmarks.quality.ablations import ABLATIONS, ONE_PASS
from benchmarks.quality.measure import as_jpeg
from benchmarks.quality.networks import LPIPS_WEIGHTS, Lpips, _ArraysOnly, cached_file
from benchmarks.quality.orders import ORDERS
from benchmarks.quality.pictures import Drawn, Studio
from benchmarks.quality.rewinds import REWINDS
from benchmarks.quality.rivals import rival_of
from benchmarks.quality.settings import REFERENCE, SUITES, Setting
from benchmarks.quality.statistics import (
    FeatureSpace,
    bootstrap,
    estimate,
    frechet_over,
    mean_over,
    ratio_over,
)
from benchmarks.quality.store import Store
from fresco_core.canvas.haar import merge
from fresco_core.canvas.noise_level import FLOW
from fresco_core.canvas.size import Canvas
from fresco_core.look.promotion import Promoter
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.planning import make_plan
from fresco_core.schedule.steps import Step
from fresco_core.text.grammar import parse
from fresco_core.trace import Trace


def test_frechet_distance_of_known_gaussians():
    random = np.random.default_rng(0)
    real = random.normal(size=(20000, 3)) * (1.0, 2.0, 0.5)
    drawn = random.normal(size=(20000, 3)) * (2.0, 2.0, 0.5) + (3.0, 0.0, 0.0)
    distance = frechet_over(drawn, real)(np.full(20000, 1 / 20000))
    assert distance == pytest.approx(9 + 1, rel=0.03)  # (mean gap)^2 + (2 - 1)^2
    assert frechet_over(real, real)(np.full(20000, 1 / 20000)) == pytest.approx(0, abs=1e-9)


def test_a_feature_space_keeps_what_varies():
    random = np.random.default_rng(1)
    features = random.normal(size=(300, 4)) @ random.normal(size=(4, 200))
    projected = FeatureSpace.of(features).project(features)
    assert np.square(projected).sum() == pytest.approx(np.square(features - features.mean(0)).sum())


def test_intervals_cover_what_they_should():
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        values = random.normal(1.0, 2.0, 150)
        value, drawn = bootstrap(mean_over(values), 150)
        found = estimate(value, drawn)
        hits += found.low <= 1.0 <= found.high
    assert 85 <= hits <= 100
    assert ratio_over(np.array([1.0, 2.0]), np.array([2.0, 2.0]))(np.array([0.5, 0.5])) == 0.75


@pytest.mark.parametrize("name", SUITES)
def test_suites_hold_settings_that_run(name):
    canvas = Canvas(24, 24)
    settings = SUITES[name]()
    assert len({s.key for s in settings}) == len(settings) == len({s.name for s in settings})
    for setting in settings:
        if rival_of(setting.schedule) is not None:
            continue
        plan = make_plan(parse(setting.schedule), flow_sigmas(setting.steps), canvas, autoencoder=True)
        assert plan.plain == (setting.schedule == "full") and plan.steps == setting.steps


@pytest.mark.parametrize("name", ABLATIONS)
def test_comparisons_cost_equally_many_tokens(name):
    canvas = Canvas(24, 24)
    for settings in ABLATIONS[name]():
        assert len(settings) > 2 and len({s.key for s in settings}) == len(settings)
        plans = [
            make_plan(parse(s.schedule), flow_sigmas(s.steps), canvas, autoencoder=True) for s in settings
        ]
        assert len({plan.tokens() for plan in plans}) == 1
        assert not any(plan.plain for plan in plans)
        assert any(plan.mixed for plan in plans)
        assert not plans[0].mixed, "the dense one to compare with"


def test_settings_are_named_by_what_differs():
    setting = Setting("draft 1/2 60%; refine 0.9 40%", 12)
    other = replace(setting, rewind="fresh", order="low", guidance=1.0)
    changed = [replace(other, rewind="path"), replace(other, order="even"), replace(other, guidance=2.0)]
    assert len({s.key for s in (setting, other, *changed)}) == 5
    assert setting.name == "12 steps | draft 1/2 60%; refine 0.9 40%"
    assert other.name == ("12 steps | draft 1/2 60%; refine 0.9 40% | fresh rewind | low first | guidance 1")


def test_what_is_stored_is_found_again():
    assert replace(REFERENCE, guidance=2.5, shift=2.0).key == "ae809be377654f11"
    assert replace(REFERENCE, shift=3.0).key != REFERENCE.key and replace(REFERENCE, shift=3.0).plain
    assert replace(ONE_PASS, order="edge").key == "2f7eaa0bee955d68"


def _mask(order, prediction, variance=None):
    promoter = Promoter(Canvas(32, 32), ORDERS[order])
    promoter.observe(prediction, variance)
    return promoter.layout(0.5, len(prediction), torch.device("cpu")).mask


def test_edges_are_promoted_where_the_prediction_has_them():
    picture = torch.zeros(1, 2, 32, 32)
    picture[..., 16:] = 1.0
    promoter = Promoter(Canvas(32, 32), ORDERS["edge"])
    promoter.observe(picture)
    mask = promoter.layout(0.25, 1, torch.device("cpu")).mask
    assert mask[0, 0].nonzero()[:, 1].unique().tolist() == [3, 4]


def test_detail_is_promoted_where_the_level_shows_it():
    """Whatever the bands that it hides hold."""
    picture = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    picture[..., :16] = 0.01 * picture[..., :16]
    picture[..., :16] += 10.0 * (torch.arange(32) % 2 - 0.5).expand(32, 32)[:, :16]
    assert _mask("detail", picture)[..., 4:].all()


def test_even_and_random_do_not_look_at_the_prediction():
    one, other = torch.randn(2, 2, 2, 32, 32).unbind(0)
    for order in ("even", "random"):
        mask = _mask(order, one, torch.rand(2, 1, 8, 8))
        assert torch.equal(mask, _mask(order, other)) and mask.flatten(1).sum(1).tolist() == [32, 32]
    assert torch.equal(*_mask("even", one)) and not torch.equal(*_mask("random", one))
    counts = _mask("even", one)[0, 0].unfold(0, 4, 4).unfold(1, 4, 4).sum(dim=(-2, -1))
    assert int(counts.min()) >= 7 and int(counts.max()) <= 9, "about half of every part"


@pytest.mark.parametrize("order", ORDERS)
@hypothesis.given(st.integers(0, 2**31), st.integers(1, 3))
@hypothesis.settings(max_examples=10)
def test_in_every_order_promotion_is_monotone_and_equal_over_the_batch(order, seed, frames):
    promoter = Promoter(Canvas(20, 28, frames), ORDERS[order])
    generator = torch.Generator().manual_seed(seed)
    before = torch.zeros(2, frames, 5, 7, dtype=torch.bool)
    for fine in (0.25, 0.5, 0.5, 0.75):
        mask = promoter.layout(fine, 2, torch.device("cpu")).mask
        assert mask.flatten(1).sum(1).tolist() == [round(35 * fine) * frames] * 2
        assert (mask | ~before).all() and (mask == mask[:, :1]).all()
        before = mask
        prediction = torch.randn(2, 3, frames, 20, 28, generator=generator)
        promoter.observe(prediction, torch.rand(2, frames, 5, 7, generator=generator))


def test_flops_of_mixed_steps_lie_between_coarse_and_full_ones():
    studio = Studio(1)
    coarse, full = studio.step_flops(Step(1)), studio.step_flops(Step(0))
    mixed = [studio.step_flops(Step(1, fine)) for fine in (0.25, 0.5, 0.75)]
    assert coarse < mixed[0] < mixed[1] < mixed[2] < full
    setting = Setting("1/2 x2, mixed 50% x3, full x3", 8)
    assert studio.flops(setting) == 2 * coarse + 3 * mixed[1] + 3 * full
    assert studio.tokens(setting) == studio.plan(setting).tokens()


def test_levels_that_are_left_to_the_run_count_as_they_came():
    studio, setting = Studio(1), Setting("draft spectral x3; refine 0.97 mixed 50% x2, full x1", 6)
    steps = studio.steps(setting)
    trace = Trace(1, studio.canvas, 2)
    studio.draw(setting, studio.shards[0], trace)
    assert studio.plan(setting).open and steps[0].level > 0 and steps[-1] == Step(0)
    assert [(s.level, s.fine is not None) for s in steps] == [
        (e.level, e.fine is not None) for e in trace.evaluations
    ]
    assert studio.tokens(setting) == trace.tokens
    assert studio.flops(setting) == sum(map(studio.step_flops, steps))


def _run(rewind: str, line: str = "draft 1/2 x4; refine 0.7 x4") -> torch.Tensor:
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plan = make_plan(parse(line), flow_sigmas(8), Canvas(8, 8, patch=1))
    again, callback = REWINDS[rewind](plan)
    return sample(lambda x, sigma: 0.5 * x, noise, plan, rewind=again, callback=callback)


def test_rewinds_differ_and_the_shared_one_is_the_packs():
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plan = make_plan(parse("draft 1/2 x4; refine 0.7 x4"), flow_sigmas(8), Canvas(8, 8, patch=1))
    assert torch.equal(_run("shared"), sample(lambda x, sigma: 0.5 * x, noise, plan))
    assert not torch.equal(_run("fresh"), _run("shared"))
    assert not torch.equal(_run("path"), _run("shared"))


def test_rewind_along_the_path_returns_to_the_drafts_own_low_band():
    noise = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plan = make_plan(parse("draft 1/2 x4; refine 0.6 x4"), flow_sigmas(8), Canvas(8, 8, patch=1))
    rewind, callback = REWINDS["path"](plan)
    states = [1.0, 0.75, 0.5, 0.25]  # of the draft
    for step, value in enumerate(states):
        callback(step, noise, torch.full_like(noise, value))
    canvas = rewind(torch.zeros_like(noise), noise, torch.tensor(0.6), FLOW)
    torch.testing.assert_close(merge(canvas, 1), torch.full((1, 3, 4, 4), 0.6))
    detail = canvas - 0.6
    torch.testing.assert_close(
        detail, 0.6 * (noise - merge(noise, 1).repeat_interleave(2, 2).repeat_interleave(2, 3))
    )


def test_weights_files_may_hold_arrays_only():
    content = {"a": {"kernel": np.ones((2, 3), np.float32)}}
    assert _ArraysOnly(io.BytesIO(pickle.dumps(content))).load()["a"]["kernel"].shape == (2, 3)
    with pytest.raises(pickle.UnpicklingError, match="no place"):
        _ArraysOnly(io.BytesIO(pickle.dumps(print))).load()


@pytest.mark.skipif(
    not cached_file(LPIPS_WEIGHTS).exists(), reason="LPIPS weights are not in the cache: run the ruler once"
)
def test_lpips_sees_structure_before_brightness():
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.avg_pool2d(picture, 9, 1, 4)
    lpips = Lpips()
    noisy = picture + 0.05 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert float(lpips(picture, picture)) == 0
        assert float(lpips(picture, noisy)) > 5 * float(lpips(picture, picture + 0.05)) > 0


class _FakeJudge:
    def __init__(self):
        self.calls = 0

    def marks(self, drawn, ids):
        self.calls += 1
        n = len(ids)
        return {"asked": np.ones(n), "features": np.ones((n, 2)), "finest_band": np.ones(n)}

    def likeness(self, pictures, reference):
        return {"lpips": (pictures - reference).abs().mean((1, 2, 3)).numpy(), "psnr": np.ones(len(pictures))}

    def inception(self, pictures):
        return np.ones((len(pictures), 4))


class _FakeStudio(Studio):
    def __init__(self, count):
        self.ids = torch.zeros(count, 11, dtype=torch.int64)
        self.draws = 0

    def draw(self, setting, shard):
        self.draws += 1
        n = shard.stop - shard.start
        return Drawn(torch.ones(n, 1, 2, 2), torch.full((n, 3, 4, 4), 1 / setting.steps), 2.0, 0.1)


def test_measured_shards_are_not_measured_again(tmp_path):
    studio, judge = _FakeStudio(70), _FakeJudge()
    store = Store(tmp_path, studio, judge)
    few = Setting("full", 5)
    for _ in range(2):
        for shard in studio.shards:
            store.measure(few, shard, inception=False)
    assert [s.stop - s.start for s in studio.shards] == [64, 6]
    assert judge.calls == 2 and studio.draws == 4  # each shard once, and once for its reference
    read = store.read(few.key)
    assert len(read["asked"]) == 70 and len(read["seconds"]) == 2 and "inception" not in read
    np.testing.assert_allclose(read["lpips"], abs(51 / 255 - 5 / 255), atol=1 / 255)
    store.measure(few, studio.shards[0], inception=True)
    assert judge.calls == 3
    for _ in range(2):
        store.measure_jpeg(studio.shards[0])
    assert studio.draws == 5 and len(Store(tmp_path, studio, judge)._reference(studio.shards[0])) == 64


def test_jpeg_costs_a_little():
    picture = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.avg_pool2d(picture, 5, 1, 2)
    error = (as_jpeg(picture) - picture).abs().mean()
    assert 0 < error < 0.02
