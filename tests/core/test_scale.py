import time

import pytest

from benchmarks.scale import exponent, measure, plan
from fresco_core import Canvas
from fresco_core.cost.registry import model


def test_a_plan_of_a_million_tokens_takes_no_time():
    canvas = Canvas(2048, 2048)
    assert canvas.tokens(0) > 10**6
    start = time.process_time()
    plan(canvas)
    assert time.process_time() - start < 0.25, "milliseconds of its own work"


def test_the_fit_finds_the_exponent_and_the_series_its_sizes():
    tokens = [100, 1000, 5000]
    assert exponent(tokens, [3.0 * n**1.5 for n in tokens]) == pytest.approx(1.5)
    canvases = {"small": Canvas(16, 16, scale=8), "clip": Canvas(16, 24, 3, scale=8)}
    result = measure(canvases, 1, model("flux.1-dev").architecture, 1e12)
    assert [row["tokens"] for row in result["rows"]] == [64, 288]
    assert all(0 < row["share_of_model_step"] < 1 for row in result["rows"])
    assert all(0 < row["bridge_share_of_full_step"] < 1 for row in result["rows"])
    assert all(row["step_seconds"] > 0 and row["plan_seconds"] > 0 for row in result["rows"])
