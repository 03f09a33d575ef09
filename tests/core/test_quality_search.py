"""The race of candidates, and what becomes of prompts and settings in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")

from benchmarks.quality.__main__ import plain_beside, search
from benchmarks.quality.candidates import TOTALS, candidates, settings_of
from benchmarks.quality.frontier import MARKS, method_of, plot
from benchmarks.quality.prompts import PROMPTS, held_out_scenes, said_of
from benchmarks.quality.report import as_json, brief, markdown, verdict
from benchmarks.quality.rivals import WORDS
from benchmarks.quality.rows import Row
from benchmarks.quality.search import Verdict, as_markdown, race, rounds
from benchmarks.quality.settings import REFERENCE, SHIFT, SUITES, Setting
from benchmarks.quality.statistics import Estimate
from benchmarks.quality.workshop import Workshop
from fresco_core.canvas.size import Canvas
from fresco_core.demo.scene import slots_of
from fresco_core.demo.vocabulary import SHIPPED_WORDS, open_vocabulary

GOOD = "draft 1/2; refine 0.7 via pixels x2"
LOSER = "draft 1/2; refine 0.5 via pixels x1"
EVEN = "1/2 50%, full 50%"


@dataclass
class Effect:
    """What the interval of a rule's gain in FD is, at a number of steps."""

    low: float
    high: float

    def row(self, setting):
        middle = (self.low + self.high) / 2
        figures = {"fd": Estimate(100.0 + middle, 99.0 + middle, 101.0 + middle)}
        gain = {"fd": Estimate(middle, self.low, self.high)}
        better = ("fd",) if self.high < 0 else ()
        beaten = ("fd",) if self.low > 0 else ()
        return Row(setting, 1, 1e9, float(setting.steps), 1.0, figures, {}, gain, better, beaten)


EFFECTS = {
    GOOD: {4: Effect(-3, -1), 6: Effect(-1, 1), 8: Effect(-2, 1)},
    LOSER: {4: Effect(-9, -5), 6: Effect(-9, -5), 8: Effect(1, 2)},
    EVEN: {4: Effect(-1, 1), 6: Effect(-1, 1), 8: Effect(-1, 1)},
}


def measured(lines, step):
    return [
        EFFECTS[line][n].row(Setting(line, n)) for line in lines for n in step.totals if n in EFFECTS[line]
    ]


def test_a_rule_passes_that_wins_somewhere_and_loses_nowhere():
    verdicts, left = race([LOSER, EVEN, GOOD], rounds(16), measured)
    assert [v.line for v in verdicts] == [GOOD, EVEN]
    assert verdicts[0].passed and verdicts[0].better == (4,) and not verdicts[1].passed
    assert left == [(LOSER, "round 1: plain is better at 8 steps (FD)")]
    text = as_markdown(verdicts, left, 1024)
    assert "Of 3 rules 1 beat" in text and f"| `{GOOD}` | yes |" in text and f"- `{LOSER}` left in" in text
    assert "4.00: -2.000 +- 1.000" in text or "4.00: -2.0 +- 1.0*" in text


def test_columns_that_do_not_judge_do_not_decide():
    row = Effect(-1, 1).row(Setting(EVEN, 4))
    row.better, row.beaten = ("recall",), ("lpips", "ground")
    assert not Verdict(EVEN, (row,)).better and not Verdict(EVEN, (row,)).worse
    row.beaten = ("fidelity",)
    assert Verdict(EVEN, (row,)).worse == (4,)


def test_later_rounds_look_at_more_and_few_go_on():
    steps = rounds(16)
    assert [step.shards for step in steps] == [1, 1, 4, 16]
    assert len(steps[0].totals) < len(steps[1].totals) == len(TOTALS)
    assert [step.shards for step in rounds(1)] == [1, 1]
    assert [step.inception for step in steps] == [False, False, True, True] and rounds(1)[-1].inception
    lines = [f"draft 1/2; refine 0.{n} via pixels x2" for n in range(10, 60)]
    seen = []

    def alike(some, step):
        seen.append(len(some))
        return [Effect(-1, 1).row(Setting(line, n)) for line in some for n in step.totals]

    verdicts, left = race(lines, steps, alike)
    assert seen == [50, 8, 5, 5] and len(verdicts) == 5 and len(left) == 45


def test_candidates_can_be_drawn():
    lines, canvas = candidates(), Canvas(32, 32, patch=2)
    assert len(lines) == len(set(lines)) > 35
    for line in lines:
        found = settings_of(line, TOTALS, canvas)
        assert found and all(setting.steps in TOTALS for setting in found), line
    counted = settings_of("draft 1/2; refine 0.8 via pixels x6", TOTALS, canvas)
    assert [setting.steps for setting in counted] == [8, 12, 20, 30], "there must be a draft"


@pytest.mark.parametrize("vocabulary", (SHIPPED_WORDS, open_vocabulary()), ids=("closed", "open"))
def test_fewer_prompts_are_the_first_of_more(vocabulary):
    scenes = held_out_scenes(vocabulary, 70)
    assert torch.equal(scenes[:8], held_out_scenes(vocabulary, 8))
    for kind in PROMPTS:
        said = said_of(scenes, vocabulary, kind)
        assert torch.equal(said[:8], said_of(scenes[:8], vocabulary, kind)) and said.shape == scenes.shape
    assert torch.equal(said_of(scenes, vocabulary, "full"), scenes)
    assert not said_of(scenes, vocabulary, "empty").any()
    with pytest.raises(ValueError, match="expected one of full, open, empty"):
        said_of(scenes, vocabulary, "half")


def test_open_prompts_say_a_part_of_their_scene():
    vocabulary = open_vocabulary()
    scenes = held_out_scenes(vocabulary, 400)
    said = said_of(scenes, vocabulary, "open")
    names = slots_of(torch.ones_like(scenes))[..., 0] > 0  # every slot's name
    kept = (said == scenes) | (said == 0)
    family = torch.tensor(vocabulary.family_ids())[slots_of(scenes)[..., 0]]
    assert ((slots_of(kept)[..., 0]) | (slots_of(said)[..., 0] == family))[names].all()
    assert 0.1 < (said == 0).all(1).float().mean() < 0.25
    share = (said > 0).sum() / (scenes > 0).sum()
    assert 0.4 < share < 0.7


class _Workshop:
    """Measures nothing: rules that refine from 0.8 over pixels win by one at 12 steps, all others lose."""

    def __init__(self, folder):
        self.folder, self.shards, self.asked = folder, [slice(0, 64)], []
        self.studio = type("Studio", (), {"ids": torch.zeros(64, 11)})

    def settings_of(self, line, totals):
        return settings_of(line, totals, Canvas(32, 32, patch=2))

    def measure(self, settings, shards, inception=True):
        self.asked += settings

    def rows(self, settings, shards, inception):
        return [self._row(setting) for setting in settings]

    def _row(self, setting):
        if "refine 0.8 via pixels" not in setting.schedule:
            return Effect(1, 2).row(setting)
        return (Effect(-2, -1) if setting.steps == 12 else Effect(-1, 1)).row(setting)


def test_inceptions_features_do_not_count_where_they_are_not_wanted():
    """A race that goes on finds them measured already, and must decide as it did before."""
    ones = np.ones(8)
    names = "asked found placeable placed sizeable sized places_asked sizes_asked kinds kinds_asked colours"
    found = dict.fromkeys((*names.split(), "colours_asked", "ground", "finest_band", "second_band"), ones)
    found |= {"seconds": ones[:1], "full_step": ones[:1], "flops": ones, "lpips": ones}
    found |= {name: np.random.default_rng(0).normal(size=(8, 3)) for name in ("features", "inception")}
    store = SimpleNamespace(read=lambda key, count: dict(found), basis=lambda size: dict(found))
    studio = SimpleNamespace(shards=[slice(0, 8)], flops=lambda setting: 50.0, tokens=lambda setting: 1)
    workshop = Workshop(Path(), "", "open", studio, store)
    setting = Setting(GOOD, 8)
    for wanted in (False, True, False):
        assert ("fd_inception" in workshop.rows([setting], 1, wanted)[0].figures) == wanted


def test_the_search_measures_what_it_judges_and_writes_what_passed(tmp_path):
    workshop = _Workshop(tmp_path)
    settings, passed = search(workshop, [REFERENCE], "search")
    assert passed and all("refine 0.8 via pixels" in line for line in passed)
    assert {setting.schedule for setting in settings} == set(passed) and REFERENCE in workshop.asked
    assert set(settings) <= set(workshop.asked)
    text = (tmp_path / "search-rules.md").read_text("utf-8")
    assert f"Of {len(candidates())} rules {len(passed)} beat" in text


def test_comparisons_have_plain_runs_beside_them():
    assert plain_beside(["bar"], []) == [REFERENCE]
    steps = {setting.steps for setting in plain_beside(["search", "rivals"], [])}
    assert steps == {1, 2, 3, 4, 6, 9, 12, 20, 50}
    assert plain_beside(["bar"], [SHIFT]) == plain_beside(["presets"], [])
    assert {setting.shift for setting in plain_beside(["bar"], [6.0])} == {SHIFT, 6.0}, "and the reference"


def test_every_method_has_its_mark(tmp_path):
    names = ("rivals", "bridge", "presets")
    rows = [Effect(-1, 1).row(setting) for name in names for setting in SUITES[name]()]
    plain = [Effect(-1, 1).row(Setting("full", n)) for n in (50, 9, 4)]
    methods = {method_of(row) for row in (*rows, *plain)}
    assert methods <= {*MARKS, "plain"} and set(WORDS.values()) <= methods
    assert method_of(plain[0]) == "plain"
    assert method_of(Effect(0, 1).row(Setting(GOOD, 8))) == "draft over pixels"
    plot([*plain, *rows[:30]], tmp_path / "plot.png", [GOOD])
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_tables_hold_what_rows_do():
    rows = [Effect(-3, -1).row(REFERENCE), Effect(-3, -1).row(Setting(GOOD, 8))]
    text = markdown(rows, 64, 0.001, "open")
    assert text.startswith("64 held-out open prompts") and "8 steps / draft 1/2" in text
    assert "| FD | - |" in text
    narrow = brief(rows, 64, "open")
    assert "| 8 | `draft 1/2; refine 0.7 via pixels x2` | 8.00 |" in narrow
    assert "-2.0 [-3.0, -1.0] | better |" in narrow
    assert verdict(Effect(1, 2).row(REFERENCE)) == "worse" and verdict(Effect(-1, 2).row(REFERENCE)) == "even"
    listed = json.loads(as_json(rows, 64, "abc", 0.001, "open"))
    assert listed["prompts"] == "open" and listed["rows"][0]["plain"]
    assert listed["rows"][1]["gain"]["fd"] == {"value": -2.0, "low": -3, "high": -1}
