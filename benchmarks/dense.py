"""What dense levels buy in a real host: plain and Fresco side by side on a FLUX-layout model of about 100 M
parameters.

Run with the host's Python, COMFYUI_PATH naming the host:

    python benchmarks/dense.py [--size 1024] [--steps 10] [--repeats 2] [--schedule "1/2 until 0.8, full"]

Prints tokens counted inside the model, seconds, their ratio, and Fresco's own share of the time. Plain and
Fresco runs alternate, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

PACK = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PACK / "tests" / "host"))

import tiny  # noqa: E402 - boots the host
import torch  # noqa: E402


def import_pack() -> ModuleType:
    """The pack as the host imports it: a package, whatever its folder is called."""
    spec = importlib.util.spec_from_file_location(
        "fresco_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    assert spec is not None and spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    sys.modules["fresco_pack"] = pack
    spec.loader.exec_module(pack)
    return pack


class ModelClock:
    """Seconds spent inside the diffusion model, by forward hooks."""

    def __init__(self, module: torch.nn.Module):
        self.seconds = 0.0
        self._start = 0.0
        module.register_forward_pre_hook(self._enter)
        module.register_forward_hook(self._leave)

    def _enter(self, *_: object) -> None:
        self._start = time.perf_counter()

    def _leave(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


def main() -> None:
    """Run the comparison and print it, as text and as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, help="side of the picture in pixels")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--schedule", default="draft 1/2 60%; refine 0.9 40%")
    parser.add_argument("--detail", default="smooth")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import_pack()
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.wrappers import apply_fresco

    torch.set_num_threads(options.threads)
    model = tiny.build("flux", size=(options.size // 8, options.size // 8), width="100m")
    parameters = sum(p.numel() for p in model.model.diffusion_model.parameters())
    patched = apply_fresco(model.patcher, parse(options.schedule), options.detail)
    clock = ModelClock(model.model.diffusion_model)
    tiny.sample(patched, model, steps=2 if "x" not in options.schedule else options.steps)  # warm up
    rows: dict[str, dict[str, float]] = {
        name: {"tokens": 0, "seconds": 0.0, "model": 0.0} for name in ("plain", "fresco")
    }
    for _ in range(options.repeats):
        for name, patcher in (("plain", model.patcher), ("fresco", patched)):
            clock.seconds = 0.0
            with tiny.count_image_tokens(model) as seen:
                start = time.perf_counter()
                tiny.sample(patcher, model, steps=options.steps)
                rows[name]["seconds"] += (time.perf_counter() - start) / options.repeats
            rows[name]["tokens"] = sum(count for count, _ in seen)
            rows[name]["model"] += clock.seconds / options.repeats
    plain, ours = rows["plain"], rows["fresco"]
    own = (ours["seconds"] - ours["model"]) - (plain["seconds"] - plain["model"])
    result = {
        "schedule": options.schedule,
        "size": options.size,
        "steps": options.steps,
        "parameters": parameters,
        "torch": torch.__version__,
        "tokens_ratio": plain["tokens"] / ours["tokens"],
        "seconds_ratio": plain["seconds"] / ours["seconds"],
        "own_seconds_per_step": own / options.steps,
        "own_share_of_full_step": own / options.steps / (plain["model"] / options.steps),
        **{f"{name}_{key}": value for name, row in rows.items() for key, value in row.items()},
    }
    print(f"{parameters / 1e6:.1f} M parameters, {options.size}x{options.size}, {options.steps} steps")
    for name, row in rows.items():
        print(
            f"{name:7s} {row['tokens']:8.0f} image tokens {row['seconds']:8.2f} s ({row['model']:.2f} "
            f"in the model)"
        )
    print(
        f"ratio   {result['tokens_ratio']:8.2f} x tokens       {result['seconds_ratio']:8.2f} x "
        f"seconds; Fresco's own "
        f"work {result['own_share_of_full_step']:.2%} of a full model step"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
