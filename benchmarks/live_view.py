"""What the live heatmap costs of a step, in a real host and on its own previews.

Run with the host's Python, COMFYUI_PATH naming the host:

    python -m benchmarks.live_view [--sizes 256 512 1024] [--steps 8]

A run of a FLUX-layout model of about 100 M parameters (tests/host/tiny.py), at full resolution, with the
previews that the host makes by itself. Timed inside the run are the network's calls, the drawing over each
preview, and the convergence values, which a trace needs anyway; in seconds of one processor, so that a busy
machine tells the same. What the host then sends has the same size with the drawing as without. Released
models take many times as long a step, and the live heatmap the same time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.latency.host import PACK, import_pack

sys.path.insert(0, str(PACK / "tests" / "host"))

import tiny  # noqa: E402 - boots the host


def timed(function: Callable, seconds: list[float]) -> Callable:
    """The same function, the seconds of its calls kept."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        result = function(*args, **kwargs)
        seconds.append(time.process_time() - start)
        return result

    return call


def measure(size: int, steps: int) -> dict[str, float]:
    """Median seconds of the network, of drawing and of the values in a step, for size x size pixels."""
    import latent_preview
    from comfy.cli_args import LatentPreviewMethod, args
    from fresco_pack.fresco_core import ConvergenceTracker, parse
    from fresco_pack.nodes.engine import live_view
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    args.preview_method = LatentPreviewMethod.Latent2RGB
    model = tiny.build("flux", size=(size // 8, size // 8), width="100m")
    patched = apply_fresco(model.patcher, parse("full"), live=True)
    drawing: list[float] = []
    values: list[float] = []
    network: list[float] = []
    forward = model.model.diffusion_model.forward
    with (
        patch.object(live_view, "drawn", timed(live_view.drawn, drawing)),
        patch.object(ConvergenceTracker, "update", timed(ConvergenceTracker.update, values)),
        patch.object(model.model.diffusion_model, "forward", timed(forward, network)),
    ):
        callback = latent_preview.prepare_callback(patched, steps)
        tiny.sample(patched, model, steps=steps, callback=callback)
    return {"size": size, "step": median(network), "drawing": median(drawing), "values": median(values)}


def main() -> None:
    """Measure and print, as text and as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="sides of the picture")
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    import_pack()
    torch.set_num_threads(1)
    rows = [measure(size, options.steps) for size in options.sizes]
    for row in rows:
        share = (row["drawing"] + row["values"]) / row["step"]
        print(
            f"{row['size']}x{row['size']}: step {row['step'] * 1e3:.0f} ms, drawing "
            f"{row['drawing'] * 1e3:.2f} ms, values {row['values'] * 1e3:.2f} ms, together {share:.2%}"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
