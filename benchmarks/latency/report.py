"""The measurements as JSON and Markdown."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from .measure import Result


def surroundings(cuda: bool) -> dict[str, str]:
    """What the figures depend on besides the code."""
    import comfyui_version
    from comfy.ldm.modules.attention import optimized_attention

    return {
        "device": torch.cuda.get_device_name() if cuda else f"CPU ({platform.machine()})",
        "threads": "" if cuda else str(torch.get_num_threads()),
        "seconds": "by the clock" if cuda else "of the processor, all threads",
        "dtype": "bfloat16" if cuda else "float32",
        "attention": optimized_attention.__name__,
        "compile": "none",
        "torch": torch.__version__,
        "ComfyUI": comfyui_version.__version__,
        "memory": "peak allocated on the device" if cuda else "peak of the whole process up to then",
    }


def markdown(results: list[Result], around: dict[str, str], notes: list[str]) -> str:
    """A table, what it was measured on, and what was left out."""
    lines = [
        "| model | size | tokens | steps | schedule | plain s | Fresco s | FLOPs gain | speed-up | realised "
        "| own ms a step | of a full step | peak GB plain, Fresco |",
        "|" + "---|" * 13,
    ]
    lines += [
        f"| {r.case}, {r.parameters / 1e6:.0f} M | {r.size} | {r.tokens} | {r.steps} | {r.schedule} "
        f"| {r.plain_seconds:.2f} | {r.fresco_seconds:.2f} | {r.gain:.2f}x | {r.speed_up:.2f}x "
        f"| {r.realised:.0%} | {r.own_seconds * 1e3:.2f} | {r.own_share:.2%} "
        f"| {r.plain_peak_bytes / 1e9:.2f}, {r.fresco_peak_bytes / 1e9:.2f} |"
        for r in results
    ]
    lines += ["", "; ".join(f"{key}: {value}" for key, value in around.items() if value)]
    return "\n".join([*lines, *(f"- {note}" for note in notes)]) + "\n"


def write(out: Path, results: list[Result], around: dict[str, str], notes: list[str]) -> str:
    """Write latency.json and latency.md into `out`; returns the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [asdict(r) | {"realised": r.realised} for r in results]
    whole = {"surroundings": around, "rows": rows, "notes": notes}
    (out / "latency.json").write_text(json.dumps(whole, indent=1) + "\n")
    words = markdown(results, around, notes)
    (out / "latency.md").write_text(words)
    return words
