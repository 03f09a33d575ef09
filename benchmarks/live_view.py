"""What the live heatmap costs of a step, in a real host: the convergence values, and drawing over a preview.

Run with the host's Python, COMFYUI_PATH naming the host:

    python -m benchmarks.live_view [--sizes 512 1024] [--threads 2]

The step is one of a FLUX-layout model of about 100 M parameters (tests/host/tiny.py), at full resolution:
released models take many times as long, and the live heatmap the same time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import torch

from benchmarks.latency.host import PACK, import_pack

sys.path.insert(0, str(PACK / "tests" / "host"))

import tiny  # noqa: E402 - boots the host


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def measure(size: int) -> dict[str, float]:
    """Seconds of a model step, of the convergence values and of drawing, for a picture of size x size."""
    import numpy as np
    from fresco_pack.fresco_core import Canvas, ConvergenceTracker, Trace, flow_sigmas, make_plan, preset
    from fresco_pack.fresco_core.colours import colour
    from fresco_pack.nodes.live_view import drawn
    from PIL import Image

    side = size // 8
    model = tiny.build("flux", size=(side, side), width="100m")
    step = seconds(lambda: tiny.sample(model.patcher, model, steps=1), 3)
    tracker, prediction = ConvergenceTracker(2), torch.randn(1, 16, side, side)
    values = tracker.update(prediction) or tracker.update(prediction * 1.01)
    canvas = Canvas(side, side)
    trace = Trace(1, canvas, 2, make_plan(preset("balanced"), flow_sigmas(20), canvas))
    trace.add(0, torch.tensor([0.5]), 1, values)
    palette = (colour(torch.linspace(0.0, 1.0, 256)).numpy() * 255).round().astype(np.uint8)
    picture = Image.new("RGB", (side, side), (90, 120, 60))
    return {
        "size": size,
        "step": step,
        "values": seconds(lambda: tracker.update(prediction), 50),
        "drawing": seconds(lambda: drawn(picture, trace, palette, 512), 50),
    }


def main() -> None:
    """Measure and print, as text and as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="sides of the picture")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import_pack()
    torch.set_num_threads(options.threads)
    rows = [measure(size) for size in options.sizes]
    for row in rows:
        share = (row["values"] + row["drawing"]) / row["step"]
        print(
            f"{row['size']}x{row['size']}: step {row['step'] * 1e3:.0f} ms, values "
            f"{row['values'] * 1e3:.2f} ms, drawing {row['drawing'] * 1e3:.2f} ms, together {share:.2%}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
