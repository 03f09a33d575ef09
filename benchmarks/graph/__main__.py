"""Measure a graph of yours plain and by each preset on a running ComfyUI, and write a report page.

    python -m benchmarks.graph --url http://127.0.0.1:8188 --workflow graph_api.json --seeds 4 --out DIR

The graph is in API format (Workflow > Export (API)), with any sampler nodes; Fresco Apply is put in front of
each. Nothing of the server's is changed, and pictures go to its folder for temporary files. Writes
report.html, report.json and report.txt; exits with 2 where something is missing, saying what.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fresco_core.bench import Setting, recommend
from fresco_core.bench.table import as_fields, as_text
from fresco_core.bench.verdict import NEAR_ENOUGH
from fresco_core.text.presets import USUAL

from . import CannotRun
from .graph import Graph, read_graph
from .measure import Measurement
from .page import page
from .server import Server


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8188", help="of the server (default %(default)s)")
    parser.add_argument("--workflow", type=Path, required=True, help="the graph, in API format")
    parser.add_argument(
        "--seeds", type=int, default=4, help="how many, from the graph's own on (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("out/graph"), help="folder (default %(default)s)")
    parser.add_argument(
        "--presets", nargs="+", help="presets or schedules; by default those that suit, and kept ones"
    )
    parser.add_argument(
        "--near-enough", type=float, default=NEAR_ENOUGH, help="PSNR in dB (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.seeds <= 64:
        parser.error(f"--seeds is {options.seeds}; expected 1 to 64")
    try:
        return measured(options)
    except CannotRun as error:
        print(f"benchmarks.graph cannot run: {error}", file=sys.stderr)
        return 2


def measured(options: argparse.Namespace) -> int:
    """Measure and write. Raises CannotRun."""
    prompt, server = read_graph(options.workflow), Server(options.url)
    stats, graph = server.get("/system_stats"), Graph(prompt, server.get("/object_info"))
    queue = server.get("/queue")
    if queue.get("queue_running") or queue.get("queue_pending"):
        raise CannotRun(
            "the server works on other jobs, which would be in the seconds: wait for its queue to empty"
        )
    presets = [
        Setting(name, graph.steps, schedule)
        for name, schedule in schedules(server, options.presets, graph.steps)
    ]
    measurement = Measurement(
        server, graph, presets, options.seeds, lambda words: print(words, file=sys.stderr)
    )
    measurement.run()
    device = ", ".join(d.get("name", "").split(" :")[0] for d in stats.get("devices", ()))
    bench = measurement.bench(graph.files[0] if graph.files else options.workflow.stem, device)
    found = recommend(bench, options.near_enough)
    options.out.mkdir(parents=True, exist_ok=True)
    about = (
        *surroundings(stats, device),
        ("graph", options.workflow.name),
        ("files", ", ".join(graph.files)),
    )
    (options.out / "report.html").write_text(page(measurement, bench, found, about), "utf-8")
    fields = {**as_fields(bench, found), "notes": measurement.notes}
    (options.out / "report.json").write_text(json.dumps(fields, indent=1, allow_nan=False) + "\n", "utf-8")
    text = f"{found.words}\n\n{as_text(bench, found)}\n"
    (options.out / "report.txt").write_text(text, "utf-8")
    print(f"{text}\n{options.out / 'report.html'}")
    return 0


def schedules(server: Server, asked: list[str] | None, steps: int) -> list[tuple[str, str]]:
    """Names and schedules to try, as the server reads them. Raises CannotRun for one that it cannot read."""
    listed = server.get("/fresco/presets")
    names = asked or [*USUAL, *listed["kept"]]
    found = []
    for name in names:
        if name in listed["kept"]:  # perhaps for another number of steps, which its row will say
            found.append((name, listed["kept"][name]["schedule"]))
            continue
        known = name in listed["names"]
        request = {"preset": name} if known else {"preset": "from text", "text": name}
        answer = server.post("/fresco/plan", {**request, "steps": steps})
        if "text" not in answer:
            raise CannotRun(f"{name} cannot be tried on a graph of {steps} steps: {answer.get('error')}")
        found.append((name, answer["text"]))
    return found


def surroundings(stats: dict[str, Any], device: str) -> list[tuple[str, str]]:
    """What the server says of itself."""
    system = stats.get("system", {})
    memory = [f"{d['vram_total'] / 2**30:.1f} GiB" for d in stats.get("devices", ()) if d.get("vram_total")]
    return [
        ("device", ", ".join(filter(None, (device, *memory)))),
        ("ComfyUI", str(system.get("comfyui_version", ""))),
        ("PyTorch", str(system.get("pytorch_version", ""))),
    ]


if __name__ == "__main__":
    sys.exit(main())
