"""What a bench says of figures that are known: intervals, the line of plain steps, and the recommendation."""

import json
import math
import statistics

import numpy as np
import pytest
import torch
from PIL import Image

from fresco_core.bench import Bench, Setting, Trial, peak_ratio, recommend, similarity
from fresco_core.bench.distance import EQUAL
from fresco_core.bench.figures import counts
from fresco_core.bench.grid import grid, worth_seeing
from fresco_core.bench.interval import interval, quantile
from fresco_core.bench.plot import Scale, plot, ticks
from fresco_core.bench.table import as_fields, as_text

NOISE = (0.4, -0.2, 0.1, -0.3)


def trial(name, steps, seconds, psnr, schedule=None, note="", seeds=4):
    return Trial(
        Setting(name, steps, schedule),
        (seconds,) * max(seeds - 1, 1),
        tuple(psnr + NOISE[i] for i in range(seeds)),
        (0.9,) * seeds,
        note=note,
    )


def bench(*presets, fewer=((16, 34.0), (12, 30.0), (8, 24.0), (6, 20.0)), seeds=4):
    """Plain: one second a step, 20 of them."""
    reference = Trial(Setting("plain", 20), (20.0,) * max(seeds - 1, 1), (EQUAL,) * seeds, (1.0,) * seeds)
    line = tuple(trial("plain", n, float(n), near, seeds=seeds) for n, near in fewer)
    found = tuple(trial(*preset[:1], 20, *preset[1:], schedule="full", seeds=seeds) for preset in presets)
    return Bench(reference, line, found, tuple(range(5, 5 + seeds)), "model", "64x64", "cpu")


def test_psnr_of_an_even_error_is_known_and_equal_pictures_have_none():
    a = torch.full((2, 16, 16, 3), 0.5)
    assert peak_ratio(a, a + 0.1) == pytest.approx(20.0, abs=1e-4)
    assert peak_ratio(a, a) == EQUAL and similarity(a, a) == pytest.approx(1.0)
    one_differs = torch.cat((a[:1], a[:1] + 0.1))
    assert peak_ratio(a, one_differs) == pytest.approx(20.0 + 10 * math.log10(2), abs=1e-4)


def test_structural_similarity_of_flat_pictures_is_its_luminance_term():
    a, b = torch.full((1, 20, 20, 3), 0.25), torch.full((1, 20, 20, 3), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert similarity(a, b) == pytest.approx(expected, rel=1e-3)
    with pytest.raises(ValueError, match="10x20 pixels; structural similarity needs at least 11"):
        similarity(a[:, :, :10], b[:, :, :10])


def test_the_quantiles_are_students():
    assert quantile(1) == pytest.approx(math.tan(math.pi * 0.475), abs=1e-3)  # Cauchy
    p = 0.975
    assert quantile(2) == pytest.approx((2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p))), abs=1e-3)
    draws = np.random.default_rng(0).standard_t(20, 2_000_000)
    assert quantile(20) == pytest.approx(np.quantile(draws, 0.975), abs=0.01)
    falling = [quantile(n) for n in range(1, 60)]
    assert falling == sorted(falling, reverse=True) and falling[-1] > 1.96


def test_an_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(3.0, 2.0, (4000, 4))
    found = [interval(row.tolist()) for row in draws]
    assert np.mean([i.low < 3.0 < i.high for i in found]) == pytest.approx(0.95, abs=0.012)
    assert interval([2.0, 4.0]).mean == statistics.mean([2.0, 4.0])
    assert not interval([2.0]).known and interval([2.0]).mean == 2.0


def test_plain_steps_of_the_same_seconds_stand_on_both_sides():
    assert counts(20, [0.62, 0.5, 1.1]) == (13, 12, 11, 10)
    assert counts(4, [0.9, 0.1]) == (3, 2, 1)
    assert counts(1, [0.5]) == ()


def test_the_line_of_plain_steps_is_exact_for_a_power_law():
    fewer = [(n, -20 * math.log10(n**-2.0)) for n in (16, 12, 8, 6)]
    found = bench(fewer=fewer)
    at_ten = found.plain_nearness(10.0, "psnr")
    assert at_ten == pytest.approx([40.0 + noise for noise in NOISE])
    assert found.plain_nearness(3.0, "psnr") == found.fewer[-1].psnr, "never further than the last measured"
    assert Bench(found.reference, (), (), (5,)).plain_nearness(3.0, "psnr") is None


def test_one_disturbed_run_of_plain_does_not_bend_its_line():
    own = bench(fewer=[(n, 2.0 * n) for n in (16, 12, 10, 8)])
    slow = Trial(own.fewer[1].setting, (13.0,) * 3, own.fewer[1].psnr, own.fewer[1].ssim)
    bent = Bench(own.reference, (own.fewer[0], slow, *own.fewer[2:]), (), own.seeds)
    steps, seconds = [20, 16, 12, 10, 8], [20, 16, 13, 10, 8]
    slope, start = np.polyfit(steps, seconds, 1)
    assert [bent.plain_seconds(n) for n in (20, 11)] == pytest.approx([start + slope * n for n in (20, 11)])
    assert own.plain_seconds(11) == pytest.approx(11.0)
    alone = Bench(own.reference, (), (), own.seeds)
    assert alone.plain_seconds(10) == pytest.approx(10.0), "in proportion, where there is one point"


def test_the_fastest_preset_that_is_near_enough_and_better_than_plain_is_recommended():
    presets = [("slow", 19.5, 40.0), ("good", 12.0, 36.0), ("quick", 8.0, 31.0), ("poor", 6.0, 25.0)]
    found = recommend(bench(*presets))
    assert found.chosen.setting.name == "quick" and found.schedule == "full"
    assert "2.50x faster than plain with 20 steps (8.00 s for 20.0 s), PSNR 31.0 dB" in found.sentence
    assert [v.kind for v in found.verdicts] == ["no faster", "nearer", "nearer", "nearer"]
    assert recommend(bench(*presets), near_enough=35.0).chosen.setting.name == "good"
    nearest = recommend(bench(*presets), near_enough=50.0)
    assert nearest.chosen.setting.name == "good" and "None of these has the 50 dB" in nearest.reason


def test_another_preset_never_makes_the_advice_slower():
    fewer = ((16, 39.0), (10, 38.0))
    alone = recommend(bench(("fast", 8.0, 29.0), fewer=fewer))
    both = recommend(bench(("fast", 8.0, 29.0), ("quality", 16.5, 46.0), fewer=fewer))
    assert alone.chosen.setting.steps == both.chosen.setting.steps == 10 and both.schedule is None
    assert both.verdicts[1].kind == "nearer"
    assert "It is the fastest that is near enough. The best preset by that is quality" in both.reason


def test_one_seed_recommends_no_fewer_steps_either():
    found = recommend(bench(("good", 12.0, 50.0), fewer=((12, 31.0), (8, 30.5)), seeds=1))
    assert found.chosen.setting.steps == 20 and found.schedule is None


def test_plain_is_recommended_where_it_is_as_near_at_the_same_seconds():
    found = recommend(bench(("alike", 12.0, 30.05), ("worse", 8.0, 18.0)))
    assert found.schedule is None and found.chosen.setting.steps == 12, "0.05 dB is nothing to see"
    assert "Use plain with 12 steps: 1.67x faster" in found.sentence
    assert "No preset is surely nearer to the plain picture than plain with fewer steps" in found.reason
    assert "alike" in found.reason and found.verdicts[1].kind == "further"
    strict = recommend(bench(("alike", 12.0, 30.0)), near_enough=40.0)
    assert strict.chosen.setting.steps == 20 and strict.sentence == "Use plain with 20 steps: 20.0 s."


def test_an_advantage_that_the_seeds_do_not_agree_on_is_none():
    own = bench(("wild", 12.0, 33.0))
    wild = Trial(own.presets[0].setting, (12.0,) * 3, (30.5, 24.0, 50.0, 29.0), (0.9,) * 4)
    found = recommend(Bench(own.reference, own.fewer, (wild,), own.seeds))
    advantage = found.verdicts[0].advantage["psnr"]
    assert advantage.mean > 3 and advantage.low < 0
    assert found.verdicts[0].kind == "as near" and found.schedule is None


def test_one_seed_decides_nothing_and_says_so():
    found = recommend(bench(("good", 12.0, 50.0), seeds=1))
    assert found.schedule is None and found.verdicts[0].kind == "not known"
    assert "One seed says nothing about how other pictures would differ" in found.uncertainty
    assert "1 run of each" in found.uncertainty


def test_without_plain_steps_nothing_is_recommended_against_them():
    found = recommend(bench(("good", 12.0, 50.0), fewer=()))
    assert found.schedule is None and found.verdicts[0].kind == "not known"
    assert "Plain with fewer steps was not run" in found.reason
    assert "nothing can be said against it" in found.verdicts[0].words


def test_a_preset_slower_than_all_measured_plain_steps_is_held_against_the_nearest_of_them():
    found = recommend(bench(("good", 17.0, 33.0)))
    assert found.verdicts[0].kind == "further" and found.verdicts[0].advantage["psnr"].mean == -1.0
    better = recommend(bench(("good", 17.0, 40.0)))
    assert better.verdicts[0].kind == "as near" and better.schedule is None, "17 plain steps may be as near"
    assert recommend(bench(("good", 16.4, 40.0))).verdicts[0].kind == "nearer"


def test_lpips_has_a_say_where_it_is():
    own = bench(("good", 12.0, 36.0))

    def with_lpips(trials, value):
        return tuple(
            Trial(t.setting, t.seconds, t.psnr, t.ssim, tuple(value * (1 + 0.01 * n) for n in NOISE))
            for t in trials
        )

    reference = with_lpips((own.reference,), 0.0)[0]
    nearer = Bench(reference, with_lpips(own.fewer, 0.1), with_lpips(own.presets, 0.05), own.seeds)
    assert recommend(nearer).schedule == "full" and "LPIPS +6.0 dB" in recommend(nearer).reason
    further = Bench(reference, with_lpips(own.fewer, 0.1), with_lpips(own.presets, 0.2), own.seeds)
    assert recommend(further).schedule is None and recommend(further).verdicts[0].kind == "as near"


def test_the_table_and_the_json_have_all_figures_and_json_knows_no_infinity():
    made = bench(("good", 12.0, 36.0), seeds=1)
    idle = Trial(Setting("tiny", 20, "full"), note="runs plain: the picture is too small")
    made = Bench(made.reference, made.fewer, (*made.presets, idle), made.seeds, "model", "64x64", "cpu")
    found = recommend(made)
    text = as_text(made, found)
    assert "model, 64x64, cpu" in text and "runs plain: the picture is too small" in text
    assert "LPIPS" not in text, "no column that nothing is in"
    assert [line.split()[0] for line in text.splitlines() if line.startswith(">")] == [">"]
    fields = json.loads(json.dumps(as_fields(made, found), allow_nan=False))
    by_name = {t["name"]: t for t in fields["trials"]}
    assert list(by_name)[:3] == ["plain, 20 steps", "good", "tiny"]
    assert by_name["good"]["gain"] == [pytest.approx(20 / 12, abs=1e-4)]
    assert by_name["good"]["advantage"]["psnr"][1:] == [None, None]
    assert by_name["plain, 20 steps"]["psnr"] == [None]


def test_the_plot_puts_presets_at_their_seconds_and_rings_the_recommended():
    made = bench(("good", 12.0, 36.0), ("worse", 8.0, 18.0))
    image = plot(made, recommend(made))
    colours = {c for _, c in image.getcolors(1 << 20)}
    assert image.size == (1120, 700) and {(46, 92, 138), (128, 82, 148), (214, 140, 69)} <= colours
    scale = Scale((0.0, 20.0), (20.0, 40.0))
    assert scale.place((0.0, 20.0))[0] < scale.place((20.0, 20.0))[0]
    assert scale.place((0.0, 20.0))[1] > scale.place((0.0, 40.0))[1], "nearer is higher"
    assert ticks(0.0, 1.0, 5) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    alone = Bench(made.reference, (), (), (5,))
    assert plot(alone, recommend(alone)).size == image.size


def test_the_grid_shows_the_reference_the_presets_and_plain_of_the_same_seconds():
    made = bench(("good", 12.5, 36.0))
    found = recommend(made)
    assert [t.setting.label for t in worth_seeing(made, found)] == [
        "plain, 20 steps",
        "good",
        "plain, 12 steps",
    ]
    red, blue = (Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    pictures = {t.setting.label: [red if t is made.reference else blue] * 4 for t in made.trials}
    colours = {c: n for n, c in grid(made, found, pictures).getcolors(1 << 20)}
    assert colours[(0, 0, 255)] == 2 * colours[(255, 0, 0)] > 0
    plain = recommend(bench(("alike", 12.0, 30.0)))
    assert worth_seeing(bench(), plain)[0].setting.steps == 20
