"""How the method works, drawn with the method's own functions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fresco_core import Canvas, coarse_state, expand, flow_sigmas, make_plan, merge, parse
from fresco_core.canvas.levels import LEVELS
from fresco_core.canvas.noise_level import FLOW
from fresco_core.schedule.looks import level_name
from fresco_core.schedule.plan import PlannedPass

from .paper import FAINT, INK, LEVEL_COLOURS, Paper
from .scene import scene

GRID = 32  # latent pixels a side of the canvas that is drawn
SIGMA, NEXT = 0.8, 0.6
PANEL, BETWEEN, MARGIN = 190, 44, 24
PLANS = (
    "draft 1/2 60%; refine 0.9 40%",
    "1/2 until 0.95, full",
    "1/2 40%, mixed 25%..75% 40%, full 20%",
)
STEPS, SHIFT = 20, 3.0
MIXED_SIDE = 30
QUIET = 0.5  # what noisy panels are drawn with, so that their values fit


def canvas() -> Paper:
    """One coarse step: from the canvas to the canvas."""
    clean = torch.from_numpy(scene(GRID, GRID, sun=(0.5, 0.4, 0.29))).permute(2, 0, 1)[None] / 127.5 - 1.0
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(4)).to(clean)
    x = (1.0 - SIGMA) * clean + SIGMA * noise
    state, level_sigma = coarse_state(x, torch.tensor([SIGMA]), 1, FLOW)
    small, told = merge(clean, 1), float(level_sigma[0])
    prediction = expand(small, 1, (GRID, GRID))
    after = x + (NEXT - SIGMA) * (x - prediction) / SIGMA
    panels = (
        (QUIET * x, f"the canvas, {GRID} x {GRID}", f"sigma {SIGMA}"),
        (QUIET * state, f"its block means, {GRID // 2} x {GRID // 2}", f"less noise: sigma {told:.2f}"),
        (small, "what the model predicts", "a quarter of the tokens"),
        (prediction, "copied over the blocks", "the sampler's prediction"),
        (QUIET * after, f"the canvas, {GRID} x {GRID}", f"sigma {NEXT}, fine noise as before"),
    )
    paper = Paper(2 * MARGIN + len(panels) * PANEL + (len(panels) - 1) * BETWEEN, PANEL + 100)
    for index, (values, above, below) in enumerate(panels):
        left = MARGIN + index * (PANEL + BETWEEN)
        paper.text((left, 18), above)
        paper.picture((left, 44), _pixels(values), PANEL)
        paper.text((left, 52 + PANEL), below, 14, FAINT)
        if index:
            paper.arrow((left - BETWEEN + 8, 44 + PANEL / 2), (left - 8, 44 + PANEL / 2))
    return paper


def passes() -> Paper:
    """Three schedules as bars of tokens, with the sigma that each step starts from."""
    width, height, gap = 300, 130, 60
    paper = Paper(2 * MARGIN + len(PLANS) * width + (len(PLANS) - 1) * gap + 30, height + 150)
    shape = Canvas(height=128, width=128, patch=2)
    for index, text in enumerate(PLANS):
        plan = make_plan(parse(text), flow_sigmas(STEPS, SHIFT), shape)
        left, base = MARGIN + index * (width + gap), 74 + height
        paper.text((left, 20), text, 14)
        paper.text((left, 42), f"{plan.full_tokens() / plan.tokens():.2f}x fewer tokens", 13, FAINT)
        space = 14.0 * (len(plan.passes) - 1)
        bar = (width - space) / plan.steps
        for planned in plan.passes:
            _bars(paper, planned, shape, (left, base), bar, height)
            left += bar * planned.steps + 14.0
        paper.text((left - 14.0 + 6.0, 74), "sigma 1", 12, FAINT, "lm")
        paper.text((left - 14.0 + 6.0, base), "0", 12, FAINT, "lm")
    for index, name in enumerate(("a full step", f"a step at {level_name(1)}", "fine and coarse tokens")):
        left = MARGIN + index * 170
        paper.box((left, height + 108), (14, 14), (LEVEL_COLOURS[0], HALF, MIXED)[index])
        paper.text((left + 22, height + 107), name, 14, FAINT)
    return paper


HALF = LEVEL_COLOURS[LEVELS.index(1)]
MIXED = tuple((a + b) // 2 for a, b in zip(LEVEL_COLOURS[0], HALF))


def _bars(
    paper: Paper, planned: PlannedPass, shape: Canvas, corner: tuple[float, float], bar: float, height: int
) -> None:
    left, base = corner
    for index, (step, tokens) in enumerate(zip(planned.looks, planned.tokens(shape))):
        tall = height * tokens / shape.tokens(0)
        colour = LEVEL_COLOURS[LEVELS.index(step.level)] if step.fine is None else MIXED
        paper.box((left + index * bar + 1, base - tall), (bar - 2, tall), colour)
    line = [(left + i * bar, base - height * sigma) for i, sigma in enumerate(planned.sigmas)]
    paper.line(line, INK, 1.2)


def mixed() -> Paper:
    """The tokens of a mixed step: blocks of four fine ones, and coarse ones at the centres of theirs."""
    rows, columns, side = 6, 12, MIXED_SIDE
    fine = {(r, c) for r in range(1, 5) for c in range(4, 8)} - {(1, 4), (1, 7)}
    paper = Paper(2 * MARGIN + columns * side + 400, 2 * MARGIN + rows * side)
    for row in range(rows):
        for column in range(columns):
            x, y = MARGIN + column * side, MARGIN + row * side
            if (row, column) not in fine:
                paper.box((x + 1, y + 1), (side - 2, side - 2), HALF)
                paper.dot((x + side / 2, y + side / 2), 2.5, (255, 255, 255))
                continue
            for dx in (0, 1):
                for dy in (0, 1):
                    at = x + dx * side / 2, y + dy * side / 2
                    paper.box((at[0] + 1, at[1] + 1), (side / 2 - 2, side / 2 - 2), LEVEL_COLOURS[0])
                    paper.dot((at[0] + side / 4, at[1] + side / 4), 1.5, (255, 255, 255))
    coarse = rows * columns - len(fine)
    words = (
        f"{len(fine)} blocks are fine: {4 * len(fine)} tokens",
        f"{coarse} blocks are coarse: {coarse} tokens",
        f"{4 * len(fine) + coarse} tokens instead of {4 * rows * columns}",
        "each token at the centre (white) of what it stands for,",
        "coarse ones told their own, lower noise level",
    )
    for index, line in enumerate(words):
        y = MARGIN + 14 + index * 30 + 14 * (index > 2)
        paper.text((MARGIN + columns * side + 28, y), line, 15, INK if index < 3 else FAINT)
    return paper


def _pixels(values: Tensor) -> np.ndarray:
    return ((values[0].permute(1, 2, 0).float().numpy() + 1.0) * 127.5).clip(0.0, 255.0)
