"""What presets cost by step count, of pictures and of video: gains over as many full steps, predicted."""

from __future__ import annotations

from dataclasses import dataclass

from fresco_core import PRESETS, flow_sigmas, make_plan, parse
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import model
from fresco_core.text.presets import USUAL

from .published import size

STEPS = (4, 6, 8, 12, 20, 30)


@dataclass(frozen=True)
class Run:
    """A model, and the size in pixels and frames that it is run at."""

    model: str
    width: int
    height: int
    frames: int = 1


RUNS = (
    Run("flux.1-dev", 1024, 1024),
    Run("flux.1-dev", 2048, 2048),
    Run("z-image", 1024, 1024),
    Run("qwen-image", 1328, 1328),
    Run("hunyuan-video", 1280, 720, 125),
    Run("wan-14b", 1280, 720, 81),
    Run("wan-14b", 832, 480, 81),
    Run("ltx-2", 1280, 704, 121),
    Run("ltx-2", 640, 352, 121),
)


def gain(run: Run, preset: str, steps: int) -> float:
    """FLOPs of so many full steps over those of a preset's run, without an autoencoder's, which no preset
    uses. How the steps are spread over noise levels changes no preset's division: equal steps stand for all.
    """
    known = model(run.model)
    canvas = known.canvas(run.width, run.height, run.frames)
    plan = make_plan(parse(PRESETS[preset]), flow_sigmas(steps), canvas)
    return plan_cost(plan, known.architecture).gain_equal_steps


def steps_table() -> str:
    """In Markdown: a row a run, a column a step count, in a cell a gain for each preset."""
    lines = [
        f"| model, size: {', '.join(f'`{name}`' for name in USUAL)} | "
        + " | ".join(f"{steps} steps" for steps in STEPS)
        + " |",
        "|---" * (1 + len(STEPS)) + "|",
    ]
    for run in RUNS:
        cells = [", ".join(f"{gain(run, name, steps):.2f}" for name in USUAL) for steps in STEPS]
        what = f"{run.model}, {size(run.width, run.height, run.frames)}"
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
