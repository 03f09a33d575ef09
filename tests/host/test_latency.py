"""The latency benchmark's smoke mode in this host."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # last: the pack's `nodes` is not the host's

DRAFT = "draft 1/2 50%; refine 50%"


def test_the_smoke_mode_measures_and_reports(tmp_path, capsys):
    from benchmarks.latency.__main__ import main

    assert main(["--smoke", "--out", str(tmp_path), "--schedules", DRAFT, "1/2 x3, full x2"]) == 0
    whole = json.loads((tmp_path / "latency.json").read_text())
    rows = whole["rows"]
    assert [r["schedule"] for r in rows] == [DRAFT, "1/2 x3, full x2"] * 2 and whole["notes"] == []
    for r in rows:
        assert r["realised"] == pytest.approx(r["speed_up"] / r["gain"])
        assert r["speed_up"] == pytest.approx(r["plain_seconds"] / r["fresco_seconds"])
        assert r["gain"] > 1.0 and r["tokens"] > 0 and r["plain_peak_bytes"] > 0
    assert {"attention", "compile", "device", "dtype", "torch", "ComfyUI"} <= whole["surroundings"].keys()
    assert (tmp_path / "latency.md").read_text().strip() == capsys.readouterr().out.strip()


def test_a_schedule_that_does_not_fit_is_refused(tmp_path, capsys):
    from benchmarks.latency.__main__ import main

    assert main(["--smoke", "--out", str(tmp_path), "--schedules", "1/2 x30, full x2"]) == 2
    assert "--schedules: '1/2 x30, full x2' sets 32 steps" in capsys.readouterr().err


def test_what_there_is_no_time_for_is_told(tmp_path, capsys):
    from benchmarks.latency.__main__ import main

    assert main(["--smoke", "--out", str(tmp_path), "--minutes", "0"]) == 1
    assert "no time for 5 steps" in capsys.readouterr().out
