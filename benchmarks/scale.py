"""Fresco's own work against the size of the canvas: seconds of a coarse step without its model, and of a
plan.

    python -m benchmarks.scale [--repeats 3] [--out FILE.json]

Pictures from 512 to 4096 pixels a side and video of 720 x 1280 to 129 frames, 16 latent channels, on one
core. The exponent p of seconds ~ tokens^p is fitted by least squares in the logarithms: 1 is linear. Seconds
are the thread's own, so that other programs on the machine do not count. Memory is kept between runs, as a
GPU's allocator keeps it; otherwise the system's handing out of fresh pages grows with the canvas. What is
left above 1 is the processor's cache, into which small canvases fit.

The share is of a coarse step of FLUX.1-dev or HunyuanVideo, by its FLOPs and this core's own speed at matrix
products. The bridge's own work, without the autoencoder's and the model's, is beside a full step.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fresco_core import Canvas, dense_look, flow_sigmas, make_plan, preset
from fresco_core.cost.registry import model
from fresco_core.cost.transformer import Architecture
from fresco_core.look.bridge import bridged

CHANNELS = 16
PICTURES = (512, 1024, 2048, 4096)
FRAMES = (1, 33, 65, 129)
STEPS = 50
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 1 << 25  # the largest that it allows


def keep_memory() -> None:
    """Let glibc keep freed memory instead of returning it to the system; nothing elsewhere."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, 1 << 30)
        mallopt(MMAP_THRESHOLD, KEPT_BYTES)


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The least time of this thread that `work` takes, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def matmul_rate(repeats: int) -> float:
    """FLOPs a second of a matrix product in float32."""
    side = 1024
    a, b = torch.randn(side, side), torch.randn(side, side)
    return 2 * side**3 / seconds(lambda: a @ b, repeats)


def own_work(canvas: Canvas) -> Callable[[], object]:
    """A coarse step without its model: the look at level 1, and what it sees brought back to the canvas."""
    depth = (canvas.frames,) if canvas.frames > 1 else ()
    x = torch.randn(1, CHANNELS, *depth, canvas.height, canvas.width)
    sigma = torch.tensor([0.7])
    return lambda: dense_look(lambda state, own_sigma: state, x, sigma, 1)


class Blank:
    """An autoencoder that costs nothing: pictures and latents of the right shapes, made beforehand."""

    def __init__(self, canvas: Canvas, channels: int):
        depth = (canvas.frames,) if canvas.frames > 1 else ()
        self.scale, low, full = (
            canvas.scale,
            (canvas.height // 2, canvas.width // 2),
            (canvas.height, canvas.width),
        )
        self._pixels = torch.rand(1, 3, *depth, *(side * self.scale for side in low))
        self._latent = torch.randn(1, channels, *depth, *full)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Pixels of half the canvas."""
        return self._pixels

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """A latent of the whole canvas."""
        return self._latent


def bridge_work(canvas: Canvas) -> Callable[[], object]:
    """A draft at half size carried over pixels, without the autoencoder; a latent frame counts as one."""
    depth = (canvas.frames,) if canvas.frames > 1 else ()
    draft, blank = torch.randn(1, CHANNELS, *depth, canvas.height, canvas.width), Blank(canvas, CHANNELS)
    return lambda: bridged(draft, 1, 0, blank, canvas)


def plan(canvas: Canvas) -> object:
    """The preset `balanced` worked out for the canvas."""
    return make_plan(preset("balanced"), flow_sigmas(STEPS, 3.0), canvas)


def exponent(tokens: list[int], times: list[float]) -> float:
    """p of the least-squares fit times ~ tokens^p."""
    return float(np.polyfit(np.log(tokens), np.log(times), 1)[0])


def measure(canvases: dict[str, Canvas], repeats: int, architecture: Architecture, rate: float) -> dict:
    """Rows of one series of sizes and the exponent of its coarse step; `rate` in FLOPs a second."""
    rows = []
    for name, canvas in canvases.items():
        row = {"size": name, "tokens": canvas.tokens(0)}
        row["step_seconds"] = seconds(own_work(canvas), repeats)
        row["share_of_model_step"] = row["step_seconds"] * rate / architecture.step_flops(canvas.tokens(1))
        full_step = architecture.step_flops(canvas.tokens(0)) / rate
        row["bridge_seconds"] = seconds(bridge_work(canvas), repeats)
        row["bridge_share_of_full_step"] = row["bridge_seconds"] / full_step
        row["plan_seconds"] = seconds(lambda canvas=canvas: plan(canvas), repeats)
        rows.append(row)
    fit = exponent([r["tokens"] for r in rows], [r["step_seconds"] for r in rows])
    return {"rows": rows, "exponent": fit}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write as JSON where asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description="Fresco's own work against size."
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_memory()
    flux, hunyuan = model("flux.1-dev"), model("hunyuan-video")
    series = {
        "pictures": (flux, {f"{side}x{side}": flux.canvas(side, side) for side in PICTURES}),
        "video": (hunyuan, {f"1280x720x{frames}": hunyuan.canvas(1280, 720, frames) for frames in FRAMES}),
    }
    rate = matmul_rate(options.repeats)
    result: dict = {
        name: measure(canvases, options.repeats, of.architecture, rate)
        for name, (of, canvases) in series.items()
    }
    result["matmul_flops_per_second"] = rate
    million = Canvas(2048, 2048)
    result["plan_of_a_million_tokens"] = {
        "tokens": million.tokens(0),
        "seconds": seconds(lambda: plan(million), options.repeats),
    }
    for name in series:
        for row in result[name]["rows"]:
            print(
                f"{row['size']:>14s} {row['tokens']:8d} tokens {row['step_seconds'] * 1e3:9.2f} ms "
                f"a coarse step ({row['step_seconds'] / row['tokens'] * 1e6:.2f} us a token, "
                f"{row['share_of_model_step']:.3%} of its model's) "
                f"{row['bridge_seconds'] * 1e3:9.2f} ms a bridge "
                f"({row['bridge_share_of_full_step']:.3%} of a full step) "
                f"{row['plan_seconds'] * 1e3:7.3f} ms a plan"
            )
        print(f"{name}: seconds of a coarse step ~ tokens^{result[name]['exponent']:.2f}")
    last = result["plan_of_a_million_tokens"]
    print(f"a plan of {last['tokens']} tokens and {STEPS} steps: {last['seconds'] * 1e3:.3f} ms")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
