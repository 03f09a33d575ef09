import pytest
import torch

from benchmarks.mixed_step import TEXT, measure, some_layout
from fresco_core import Canvas
from fresco_core.demo.transformer import TransformerShape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_profile_relates_times_to_flops(dtype):
    shape = TransformerShape(hidden=128, double_blocks=1, single_blocks=1, context_size=8, pooled_size=8)
    canvas = Canvas(16, 24)
    result = measure(canvas, shape, dtype, 0.5, 1)
    steps = result["steps"]
    assert result["tokens"] == 96 and some_layout(canvas, 0.5).tokens == 12 * 4 + 12
    expected = [shape.architecture().step_flops(n, 1, TEXT) for n in (96, 60, 24)]
    assert [steps[name]["flops"] for name in ("full", "mixed", "coarse")] == expected
    full, mixed = steps["full"], steps["mixed"]
    ratio = (mixed["seconds"] / full["seconds"]) / (mixed["flops"] / full["flops"])
    assert full["measured_over_predicted"] == pytest.approx(1.0)
    assert mixed["measured_over_predicted"] == pytest.approx(ratio)
    own = sum(result["own_seconds"].values())
    assert result["own_share_of_measured_step"] == pytest.approx(own / full["seconds"])
    assert 0.0 < result["own_share_of_whole_model"] < result["own_share_of_measured_step"]
