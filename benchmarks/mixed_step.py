"""A mixed step at FLUX.1-dev's widths: what it takes against what its tokens predict, and Fresco's own part.

    python -m benchmarks.mixed_step [--size 1024] [--double 1] [--single 2] [--fine 0.5] [--repeats 3]

Some blocks of the real width with random weights, on one CPU thread, in seconds of the process's own time,
so that a busy machine does not count. A step's prediction is its FLOPs at the rate of the full step. Fresco's
own part is what it does in a mixed step beside the model: tracker, promotion and layout, the look, gather,
scatter and positions at the model's width, and the prediction brought back to the canvas; given as a share of
the full step measured, and of one of all 19 + 38 blocks at the same rate.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from fresco_core import Canvas, ConvergenceTracker, Layout, Promoter, coarse_state
from fresco_core.cost.registry import model
from fresco_core.demo.attention import mixed_table
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.look.mixed import blockwise, coarse_levelled, level_state

FLUX = model("flux.1-dev")
SHAPE = TransformerShape(hidden=3072, double_blocks=19, single_blocks=38, context_size=4096, pooled_size=768)
CHANNELS, TEXT = 16, 512
SIGMA = torch.tensor([0.7])


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median of the processor time of `work`, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def some_layout(canvas: Canvas, fine: float) -> Layout:
    """A layout with the part `fine` of the blocks fine, evenly spread."""
    return Promoter(canvas).layout(fine, 1, SIGMA.device)


def network(shape: TransformerShape, dtype: torch.dtype) -> DemoTransformer:
    """Of random weights."""
    built = DemoTransformer(shape).to(dtype).requires_grad_(False)
    for value in built.parameters():
        value.normal_(std=0.02)
    return built


def model_steps(canvas: Canvas, shape: TransformerShape, dtype: torch.dtype, part: float) -> dict:
    """Name to (work, FLOPs) of a full, a mixed and a coarse evaluation of the model."""
    x = torch.randn(1, CHANNELS, canvas.height, canvas.width, dtype=dtype)
    state, sigma = coarse_state(x, SIGMA, 1)
    state = state.to(dtype)
    prompt = (
        torch.randn(1, TEXT, shape.context_size, dtype=dtype),
        torch.randn(1, shape.pooled_size).to(dtype),
    )
    net, layout = network(shape, dtype), some_layout(canvas, part)
    flops, tokens = shape.architecture().step_flops, (canvas.tokens(0), layout.tokens, canvas.tokens(1))
    works = {
        "full": lambda: net(x, SIGMA, *prompt),
        "mixed": lambda: net.mixed(x, SIGMA, state, sigma, layout, *prompt),
        "coarse": lambda: net(state, sigma, *prompt),
    }
    return {name: (work, flops(n, 1, TEXT)) for (name, work), n in zip(works.items(), tokens, strict=True)}


def own_parts(canvas: Canvas, width: int, dtype: torch.dtype, part: float) -> dict[str, Callable[[], object]]:
    """What Fresco does in a mixed step, part by part."""
    x, prediction = (torch.randn(1, CHANNELS, canvas.height, canvas.width) for _ in range(2))
    tracker, promoter = ConvergenceTracker(), Promoter(canvas)
    for _ in range(2):
        variance = tracker.update(prediction)
    layout = some_layout(canvas, part)
    fine, coarse = (torch.randn(1, canvas.tokens(level), width).to(dtype) for level in (0, 1))
    sequence = layout.gather(fine, coarse)
    low = coarse_state(prediction, SIGMA, 1)[0]

    def promote() -> object:
        promoter.begin_pass()
        promoter.observe(prediction, variance)
        return promoter.layout(part, 1, x.device)

    def bring_back() -> object:
        pixels = layout.fine_pixels(canvas.patch, canvas.frame_patch, x)
        return coarse_levelled(blockwise(prediction, low, pixels, 1), pixels, 1)

    return {
        "tracker": lambda: tracker.update(prediction),
        "promotion and layout": promote,
        "look": lambda: level_state(x, SIGMA, 1),
        "gather": lambda: layout.gather(fine, coarse),
        "scatter": lambda: layout.scatter(sequence),
        "positions": lambda: mixed_table(layout, TEXT),
        "prediction": bring_back,
    }


def measure(canvas: Canvas, shape: TransformerShape, dtype: torch.dtype, part: float, repeats: int) -> dict:
    """All figures, in seconds and shares."""
    steps = {}
    for name, (work, flops) in model_steps(canvas, shape, dtype, part).items():
        steps[name] = {"seconds": seconds(work, repeats), "flops": flops}
    full = steps["full"]
    for step in steps.values():
        predicted = full["seconds"] * step["flops"] / full["flops"]
        step["measured_over_predicted"] = step["seconds"] / predicted
    parts = {name: seconds(w, repeats) for name, w in own_parts(canvas, shape.hidden, dtype, part).items()}
    own = sum(parts.values())
    whole = full["seconds"] * FLUX.architecture.step_flops(canvas.tokens(0), 1, TEXT) / full["flops"]
    return {
        "tokens": canvas.tokens(0),
        "steps": steps,
        "own_seconds": parts,
        "own_share_of_measured_step": own / full["seconds"],
        "own_share_of_whole_model": own / whole,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write as JSON where asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mixed_step", description="A mixed step at FLUX.1-dev's widths."
    )
    parser.add_argument("--size", type=int, default=1024, help="side of the picture in pixels")
    parser.add_argument("--double", type=int, default=1, help="double-stream blocks")
    parser.add_argument("--single", type=int, default=2, help="single-stream blocks")
    parser.add_argument("--width", type=int, default=SHAPE.hidden)
    parser.add_argument("--fine", type=float, default=0.5, help="the part of the blocks that is fine")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = replace(SHAPE, hidden=options.width, double_blocks=options.double, single_blocks=options.single)
    canvas = FLUX.canvas(options.size, options.size)
    result = measure(canvas, shape, getattr(torch, options.dtype), options.fine, options.repeats)
    for name, step in result["steps"].items():
        print(
            f"{name:6s} step {step['seconds']:8.3f} s, {step['flops'] / 1e9:8.1f} GFLOPs, "
            f"{step['measured_over_predicted']:.3f} of the prediction"
        )
    for name, spent in result["own_seconds"].items():
        print(f"{name:>21s} {spent * 1e3:8.2f} ms")
    print(
        f"Fresco's own part: {result['own_share_of_measured_step']:.3%} of the measured step, "
        f"{result['own_share_of_whole_model']:.4%} of the whole model's"
    )
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
