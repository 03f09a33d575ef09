"""The ruler's measures against closed forms: manifolds, intervals, grounds, gains."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")

from benchmarks.quality.bar import as_json, as_markdown, judged
from benchmarks.quality.ground import SIDE, residuals
from benchmarks.quality.manifold import precision_and_recall
from benchmarks.quality.report import by_steps
from benchmarks.quality.rows import Yardstick, compare, make_row
from benchmarks.quality.settings import REFERENCE, Setting
from benchmarks.quality.statistics import Moments, bootstrap, frechet_over
from fresco_core.demo.vocabulary import GROUND_COLOURS, GROUND_KINDS
from tools.demo.open_grounds import open_ground, pattern

EVERYWHERE = torch.ones(1, SIDE, SIDE, dtype=torch.bool)


def test_precision_and_recall_of_lines():
    """Points of a line at distance 1 reach 3 at its ends, 2 within; drawn is its left half, and that again
    far away."""
    real = np.arange(40.0)[:, None] * [1.0, 0.0]
    drawn = np.concatenate((real[:20], real[:20] + [0.0, 100.0]))
    precise, recalled = precision_and_recall(drawn, real)
    assert precise.tolist() == [True] * 20 + [False] * 20
    assert recalled.sum() == 20 + 3  # the drawn line's last point, at 19, is 3 from its third neighbour
    assert recalled[:23].all()


def test_precision_sees_quality_and_recall_variety():
    random = np.random.default_rng(0)
    real = random.normal(size=(400, 2))
    narrow = 0.1 * random.normal(size=(400, 2))
    wide = 6.0 * random.normal(size=(400, 2))
    few, all_ = ([part.mean() for part in precision_and_recall(some, real)] for some in (narrow, wide))
    assert few[0] > 0.95 and few[1] < 0.2
    assert all_[0] < 0.3 and all_[1] > 0.9
    with pytest.raises(ValueError, match="draw more"):
        precision_and_recall(real[:3], real)


def test_weighted_moments_and_distances_are_those_of_repeated_samples():
    random = np.random.default_rng(1)
    drawn, real = random.normal(size=(2, 30, 4)) * [[[1.0]], [[2.0]]]
    times = random.integers(0, 3, 30)
    weights = times / times.sum()
    moments = Moments.of(drawn, weights)
    np.testing.assert_allclose(moments.mean, np.repeat(drawn, times, 0).mean(0))
    np.testing.assert_allclose(moments.spread, np.cov(np.repeat(drawn, times, 0).T, bias=True))
    np.testing.assert_allclose(moments.root() @ moments.root(), moments.spread, atol=1e-12)
    distance = frechet_over(drawn, real)
    repeated = frechet_over(np.repeat(drawn, times, 0), np.repeat(real, times, 0))
    alike = np.full(times.sum(), 1 / times.sum())
    assert float(distance(weights)) == pytest.approx(float(repeated(alike)))
    both = distance(np.stack((weights, np.full(30, 1 / 30))))
    assert both.shape == (2,) and both[0] == pytest.approx(float(distance(weights)))


def _ground(kind, seed=0, side=256):
    random = torch.Generator().manual_seed(seed)
    return open_ground(kind, torch.tensor(GROUND_COLOURS["blue"]), side, random)[None].clamp(0, 1)


@pytest.mark.parametrize("kind", GROUND_KINDS)
def test_a_ground_on_one_pattern_has_no_residual(kind):
    for seed in range(3):
        assert residuals(_ground(kind, seed), EVERYWHERE)[0] < 0.06


@pytest.mark.parametrize("kind", [kind for kind in GROUND_KINDS if kind not in ("plain", "gradient")])
def test_a_ground_whose_phase_jumps_has_much(kind):
    """Both halves are whole patterns, of one pitch and angle, half a period apart."""
    axis = torch.arange(256.0)
    x, y = axis[None, :].expand(256, -1), axis[:, None].expand(-1, 256)
    halves = [pattern(kind, x, y, 48.0, (shift, shift), 256).clamp(-1, 1) for shift in (0.0, 24.0)]
    broken = torch.where(x < 128, *halves)
    whole, jumped = (
        residuals((0.5 + 0.3 * light)[None, None].expand(1, 3, -1, -1), EVERYWHERE)[0]
        for light in (halves[0], broken)
    )
    assert whole < 0.05 and jumped > 0.15 and jumped > 5 * whole


def test_the_residual_grows_with_the_break_and_objects_do_not_count():
    picture = _ground("checks", 4)
    noise = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    flow = torch.nn.functional.interpolate(noise, (256, 256), mode="bicubic", align_corners=True)
    axis = torch.linspace(-1, 1, 256)
    still = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]

    def warped(by):
        grid = still + by * flow.permute(0, 2, 3, 1)
        return torch.nn.functional.grid_sample(picture, grid, padding_mode="reflection", align_corners=True)

    found = [residuals(warped(by), EVERYWHERE)[0] for by in (0.0, 0.02, 0.06)]
    assert found[0] < found[1] < found[2] and found[2] > 0.2
    covered, hidden = picture.clone(), EVERYWHERE.clone()
    covered[..., 100:180, 60:150] = torch.rand(3, 1, 1)
    hidden[:, 24:46, 14:39] = False
    assert residuals(covered, hidden)[0] < 0.05
    assert math.isnan(residuals(picture, EVERYWHERE & False)[0])


def test_noise_is_no_pattern():
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    assert residuals(noise, EVERYWHERE)[0] > 0.5


def measures(features, **other):
    """Measures of pictures whose words are all kept."""
    ones = np.ones(len(features))
    names = "asked found placeable placed sizeable sized places_asked sizes_asked kinds kinds_asked"
    found = dict.fromkeys((*names.split(), "colours", "colours_asked"), ones)
    found |= {"features": features, "finest_band": ones, "second_band": ones, "psnr": 30 * ones}
    found |= {"lpips": 0 * ones, "ground": 0.1 * ones, "seconds": ones[:1], "full_step": ones[:1]}
    return found | {name: value + 0 * ones for name, value in other.items()}


def yardstick_of(features):
    """Of real pictures, by their own components."""
    real = measures(features)
    return Yardstick(real, real)


def test_features_are_projected_by_other_pictures_than_they_are_judged_against():
    """Fitted to the few that are judged against, the components would reward too much spread."""
    random = np.random.default_rng(0)
    real, others = (random.normal(size=(count, 300)) for count in (80, 2000))
    wide, narrow = (scale * random.normal(size=(80, 300)) for scale in (1.1, 0.9))

    def distance(features, basis):
        statistic = Yardstick(measures(real), measures(basis)).statistics(measures(features))["fd"]
        return bootstrap(statistic, 80)[0]

    fitted, apart = (distance(narrow, basis) - distance(wide, basis) for basis in (real, others))
    assert fitted > 3 * abs(apart)


def test_plain_between_two_rows_is_as_its_errors_fall():
    line = Setting("draft 1/2 x2; refine 0.9 x2", 6)
    plain = {Setting("full", steps): steps**-0.75 for steps in (4, 9)}
    rows = _rows({**plain, line: 6**-0.75})  # distances are squares: they fall with the power 1.5
    compare(rows, 0.0)
    assert rows[-1].gain["fd"].value == pytest.approx(0.0, abs=0.003) and not rows[-1].better


def test_words_kept_count_only_what_was_said():
    real = yardstick_of(np.random.default_rng(0).normal(size=(20, 3)))
    half = measures(real.real["features"], found=np.arange(20) % 2, placed=0, sized=0, places_asked=0)
    half |= {"sizes_asked": np.zeros(20), "kinds_asked": np.zeros(20), "kinds": np.zeros(20)}
    statistic = real.statistics(half)["fidelity"]
    assert bootstrap(statistic, 20)[0] == pytest.approx((10 + 20) / (20 + 20))


def test_unseen_grounds_are_left_out():
    real = yardstick_of(np.random.default_rng(0).normal(size=(20, 3)))
    some = measures(real.real["features"], ground=np.where(np.arange(20) < 10, np.nan, 0.4))
    assert bootstrap(real.statistics(some)["ground"], 20)[0] == pytest.approx(0.4)


def _rows(distances):
    """Rows of settings whose features are off by a distance in one direction."""
    real = measures(np.random.default_rng(3).normal(size=(200, 3)))
    noise = 0.01 * np.random.default_rng(4).normal(size=(200, 3))
    yardstick = Yardstick(real, real)
    return [
        make_row(
            setting,
            measures(real["features"] + noise + [away, 0, 0], flops=100.0 * setting.steps),
            yardstick,
            1,
            100.0,
        )
        for setting, away in distances.items()
    ]


def test_rows_say_on_whose_side_the_interval_is():
    line = Setting("draft 1/2 x2; refine 0.9 x2", 4)
    plain = {Setting("full", steps): 8.0 / steps for steps in (2, 4, 8)}
    rows = _rows({**plain, line: 1.0})
    compare(rows, 0.0)
    assert "fd" in rows[-1].better and rows[-1].beaten == ()
    assert rows[-1].gain["fd"].value == pytest.approx(1.0 - 4.0, abs=0.1)
    assert rows[0].gain["fd"] is None and rows[0].better == ()
    rows = _rows({**plain, line: 3.0})
    compare(rows, 0.0)
    assert "fd" in rows[-1].beaten and rows[-1].better == ()


def test_the_table_by_steps_has_a_line_for_each_method():
    lines = {Setting("draft 1/2; refine 0.9 x2", 4): 1.0, Setting("1/2 50%, full", 4): 3.0}
    lines[Setting("1/2 50%, full", 6)] = 8.0 / 6
    rows = _rows({**{Setting("full", steps): 8.0 / steps for steps in (2, 4, 8)}, **lines})
    compare(rows, 0.0)
    table = [line for line in by_steps(rows, 200, "open").splitlines() if line.startswith("|")]
    assert table[0] == "| sampling | 4 steps | 6 steps |" and len(table) == 4
    drafted, halved = (row.split(" | ") for row in table[2:])
    assert drafted[0] == "| `draft 1/2; refine 0.9 x2`" and drafted[1].startswith("4.00: FD -3*, ")
    assert halved[1].startswith("4.00: FD +5*, ") and "6.00: FD" in halved[2]
    assert "words -0.000, " in drafted[1] or "words +0.000, " in drafted[1], "told and not starred where even"


def test_a_row_is_compared_with_the_plain_sampler_on_sigmas_like_its_own():
    line = Setting("draft 1/2 x2; refine 0.9 x2", 4, shift=6.0)
    usual = {Setting("full", steps): 8.0 / steps for steps in (2, 4, 8)}
    shifted = {replace(setting, shift=6.0): away / 4 for setting, away in usual.items()}
    rows = _rows({**usual, **shifted, line: 1.0})
    compare(rows, 0.0)
    assert rows[-1].gain["fd"].value == pytest.approx(1.0 - 2.0**2 / 16, abs=0.1) and "fd" in rows[-1].beaten
    rows = _rows({**usual, line: 1.0})
    compare(rows, 0.0)
    assert rows[-1].gain["fd"] is None


def test_the_bar_wants_separate_intervals_and_a_fair_half_size():
    half = replace(REFERENCE, size=1)
    few = {Setting("full", 6): 2.0, Setting("full", 4): 3.0}
    checks = judged(_rows({REFERENCE: 1.0, **few, half: 1.1}), "fd")
    assert [check.met for check in checks] == [check.sure for check in checks] == [True, True, True]
    assert checks[0].difference.value == pytest.approx(4 - 1, rel=0.1)
    assert checks[2].difference.value == pytest.approx(1.21, rel=0.05)
    same = {Setting("full", 6): 1.0, Setting("full", 4): 1.0}
    checks = judged(_rows({REFERENCE: 1.0, **same, half: 2.0}), "fd")
    assert [check.met for check in checks] == [check.sure for check in checks] == [False, False, False]
    text = as_markdown({"fd": checks}, 200, "open")
    assert "By fd the model is not a ruler." in text and text.count("| no | no |") == 3
    assert json.loads(as_json({"fd": checks}, 200, "open"))["checks"]["fd"][0]["met"] is False
