"""The table's rows: every published row under every preset, computed from the plan and the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from fresco_core import flow_sigmas, make_plan, parse
from fresco_core.cost import plan_cost
from fresco_core.cost.registry import model

from .published import BASELINE_STEPS, ROWS, Published, shift, size


@dataclass(frozen=True)
class Row:
    """A published row under one preset.

    gain_equal_steps: over as many steps at full resolution. gain_total: over `baseline_nfe` full steps of
    `baseline_model`: the gain at equal steps, times the fewer steps, times the smaller model. reaches:
    whether that is the paper's gain or more. goal: the gain that this pack is meant to reach, if any. bound:
    whether the run settles levels itself, so that gains are the largest possible. step_tflops: of a full
    step. reason: why a preset runs plain there, if it does.
    """

    model: str
    resolution: int
    nfe: int
    baseline_model: str
    baseline_nfe: int
    preset: str
    schedule: str
    full_steps: int
    tokens: int
    step_tflops: float
    tflops: float
    gain_equal_steps: float
    gain_total: float
    paper_gain: float
    paper_measure: str
    reaches: bool
    goal: float | None
    bound: bool
    reason: str
    note: str


def compute(published: Published, preset: str, schedule: str) -> Row:
    """One row of the table. Raises ScheduleError for a preset that does not fit the steps."""
    ours, baseline = model(published.model), model(published.baseline)
    run = published.width, published.height, published.frames
    canvas = ours.canvas(*run)
    sigmas = flow_sigmas(published.nfe, shift(published.model, canvas.tokens(0)))
    plan = make_plan(parse(schedule), sigmas, canvas)
    cost = plan_cost(plan, ours.architecture)
    whole = BASELINE_STEPS * baseline.architecture.step_flops(baseline.canvas(*run).tokens(0))
    return Row(
        model=published.model,
        resolution=published.resolution,
        nfe=published.nfe,
        baseline_model=published.baseline,
        baseline_nfe=BASELINE_STEPS,
        preset=preset,
        schedule=schedule,
        full_steps=sum(step.level == 0 for step in cost.steps),
        tokens=cost.tokens,
        step_tflops=cost.full_step / 1e12,
        tflops=cost.flops / 1e12,
        gain_equal_steps=cost.gain_equal_steps,
        gain_total=whole / cost.flops,
        paper_gain=published.gain,
        paper_measure=published.measure,
        reaches=whole / cost.flops >= published.gain,
        goal=published.goal,
        bound=plan.open,
        reason=plan.reason or "",
        note=published.note,
    )


def table(presets: Mapping[str, str]) -> list[Row]:
    """Every published row under every preset (name to schedule)."""
    return [compute(row, name, schedule) for row in ROWS for name, schedule in presets.items()]


def as_json(rows: list[Row]) -> dict[str, list[dict]]:
    """The table for a file."""
    return {"rows": [asdict(row) for row in rows]}


def reached(rows: list[Row]) -> dict[str, None]:
    """For every published row, as a line of a list: the presets that reach the paper's gain, and our goal."""
    lines: dict[str, None] = {}
    for row in rows:
        alike = [r for r in rows if (r.model, r.resolution, r.nfe) == (row.model, row.resolution, row.nfe)]
        names = [r.preset + " (at the most)" * r.bound for r in alike if r.reaches]
        what = f"{row.model} {row.resolution}, {row.nfe} evaluations"
        words = f"the paper's {row.paper_gain:.2f}x is reached by {', '.join(names) or 'none'}"
        if row.goal is not None:
            beyond = [r.preset + " (at the most)" * r.bound for r in alike if r.gain_total >= row.goal]
            words += f", our goal of {row.goal:g}x by {', '.join(beyond) or 'none'}"
        lines[f"- {what}: {words}"] = None
    return lines


def as_markdown(rows: list[Row]) -> str:
    """The table in Markdown, with the split of the gain, and what reaches the paper's."""
    lines = [
        "| model | size | evaluations | preset | at equal steps | in all | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = reached(rows)
    for row in rows:
        remarks = [row.note, f"{row.preset}: plain, {row.reason}" if row.reason else ""]
        if row.paper_measure != "FLOPs":
            remarks.append(f"the paper's figure is of {row.paper_measure}")
        for remark in filter(None, remarks):
            notes[f"- {row.model} {row.resolution}, {row.nfe} evaluations: {remark}"] = None
        up_to = "up to " if row.bound else ""
        lines.append(
            f"| {row.model} | {row.resolution} | {row.nfe} of {row.baseline_nfe} | {row.preset} "
            f"| {up_to}{row.gain_equal_steps:.2f}x | {up_to}{row.gain_total:.2f}x | {row.paper_gain:.2f}x |"
        )
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def beside(rows: list[Row], presets: Sequence[str]) -> str:
    """The paper's gain and those of some presets, a line for every published row, in Markdown."""
    lines = [
        "| model, size, evaluations | paper | " + " | ".join(f"`{name}`" for name in presets) + " |",
        "|---" * (2 + len(presets)) + "|",
    ]
    for published in ROWS:
        alike = {
            row.preset: f"{row.gain_total:.2f}"
            for row in rows
            if (row.model, row.resolution, row.nfe) == (published.model, published.resolution, published.nfe)
        }
        over = f" (over {published.baseline})" * (published.baseline != published.model)
        shown = size(published.width, published.height, published.frames)
        what = f" ({published.measure})" * (published.measure != "FLOPs")
        cells = [f"{published.gain:.2f}{what}", *(alike[name] for name in presets)]
        lines.append(f"| {published.model}, {shown}, {published.nfe}{over} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
