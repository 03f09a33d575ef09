import json
from pathlib import Path

import pytest

from benchmarks.paper.__main__ import main
from benchmarks.paper.published import ROWS, shift
from benchmarks.paper.steps import RUNS, STEPS, gain
from benchmarks.paper.table import as_markdown, compute, table
from fresco_core import PRESETS
from tools.tables import replaced

PAGE = Path(__file__).parents[2] / "docs" / "cost.md"


def test_every_published_row_stands_beside_every_preset(tmp_path, capsys):
    main(["--out", str(tmp_path)])
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert len(rows) == len(ROWS) * len(PRESETS)
    assert {(r["model"], r["resolution"], r["nfe"]) for r in rows} >= {
        ("flux.1-dev", 1024, 30),
        ("flux.1-dev", 1024, 18),
        ("flux.1-dev", 1024, 9),
        ("flux.1-dev", 2048, 18),
        ("flux.1-schnell", 1024, 4),
        ("hunyuan-video", 720, 23),
        ("hunyuan-video", 720, 18),
    }
    for r in rows:
        assert r["gain_equal_steps"] >= 1.0 and r["paper_gain"] > 1.0
        assert r["reaches"] == (r["gain_total"] >= r["paper_gain"])
        assert r["bound"] == (r["preset"] == "spectral")
        if r["model"] == r["baseline_model"]:
            assert r["gain_total"] == pytest.approx(r["gain_equal_steps"] * r["baseline_nfe"] / r["nfe"])
    assert (tmp_path / "table.png").stat().st_size > 1000
    words = (tmp_path / "table.md").read_text()
    assert all(f"- {row.model} {row.resolution}, {row.nfe} evaluations: the paper's" in words for row in ROWS)
    assert capsys.readouterr().out.startswith("| model | size |")
    assert (tmp_path / "table.md").read_text().count("\n| flux.1-dev | 1024 | 30 of 50 |") == len(PRESETS)


def test_the_table_follows_the_presets():
    rows = table({"mine": "1/2 x2, full"})
    assert {r.preset for r in rows} == {"mine"}
    assert [r.full_steps for r in rows] == [r.nfe - 2 for r in rows]
    alike = [r for r in rows if (r.model, r.nfe, r.resolution) == ("flux.1-dev", 18, 1024)]
    line = "flux.1-dev 1024, 18 evaluations: the paper's 4.72x is reached by none"
    assert [r.reaches for r in alike] == [False] and line in as_markdown(alike)
    assert "our goal of 5.5x by none" in as_markdown(alike)
    short = [r for r in table({"half": "draft 1/2 90%; refine"}) if r.goal == 5.5]
    assert short[0].gain_total > 5.5 and "our goal of 5.5x by half" in as_markdown(short)
    assert rows[0].gain_total < compute(ROWS[0], "more", "1/2 x20, full").gain_total
    plain = compute(ROWS[0], "off", "full")
    assert plain.gain_equal_steps == 1.0 and plain.gain_total == pytest.approx(50 / 30)


def test_shifts_pass_through_the_published_points():
    assert shift("flux.1-dev", 256) == pytest.approx(1.6487, abs=1e-4)
    assert shift("flux.1-dev", 4096) == pytest.approx(3.1582, abs=1e-4)
    assert shift("flux.1-schnell", 4096) == 1.0


def test_the_page_has_the_tables_that_the_command_writes(tmp_path, capsys):
    main(["--out", str(tmp_path)])
    page = PAGE.read_text("utf-8")
    for name, file in (("paper", "beside.md"), ("steps", "steps.md")):
        assert replaced(page, name, (tmp_path / file).read_text()) == page, f"docs/cost.md is behind {file}"


def test_gains_by_step_count_are_those_of_the_plan():
    flux, small = RUNS[0], next(run for run in RUNS if run.width < 800)
    half = [gain(flux, "balanced", steps) for steps in STEPS]
    assert half == [pytest.approx(half[0])] * len(STEPS)  # half of an even count, whatever the count
    assert gain(flux, "fast", 4) == pytest.approx(half[0]) and gain(flux, "fast", 6) > 1.2 * half[0]
    assert all(gain(small, name, 20) == 1.0 for name in ("quality", "balanced", "fast"))
