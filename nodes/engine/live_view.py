"""The live heatmap: the host's own previews with the convergence of the step drawn over them.

Bright blocks still change and are covered; blocks that have settled, or that a mixed step has refined, show
the picture. A strip along the bottom shows the plan: a bar for each step, as high as its tokens are many,
bright once it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...fresco_core import Evaluation, Plan, Trace
from ...fresco_core.canvas.levels import LEVELS
from ...fresco_core.view.colours import colour
from ...fresco_core.view.heatmap import brightness
from ..host.samplers import previewer_of
from .run import Run

log = logging.getLogger(__name__)

SMALLEST_SIDE = 128  # previews may be as small as the latent; the host enlarges what is sent
METHOD = "decode_latent_to_preview_image"
STRIP = 10  # pixels along the bottom
LEVEL_COLOURS = np.array(
    [(91, 155, 213), (122, 176, 132), (224, 164, 88), (166, 120, 180), (138, 143, 152)], dtype=np.uint8
)  # in the order of LEVELS
CLEAR, COVERED = 30, 210  # opacity of 255 over blocks that have settled, and over those that change


@contextmanager
def live_view(run: Run, callback: Any) -> Iterator[None]:
    """Draw over the previews that the run's step callback sends, while this lasts."""
    previewer = previewer_of(callback)
    if previewer is None:
        run.note(
            "draws no live heatmap: previews are off; choose a preview method in the settings (Execution)"
        )
        yield
        return
    palette = (colour(torch.linspace(0.0, 1.0, 256)).numpy() * 255.0).round().astype(np.uint8)
    decode, own, drawing = previewer.decode_latent_to_preview_image, vars(previewer).get(METHOD), True

    def decorated(*args: Any, **kwargs: Any) -> Any:
        nonlocal drawing
        preview = decode(*args, **kwargs)
        if not drawing or not _is_picture(preview):  # other packs send their previews themselves
            return preview
        kind, image, longest = preview
        try:
            return kind, drawn(image, run.trace, palette, longest), longest
        except Exception as error:  # no run is lost to what is drawn over its previews
            drawing = False
            run.note(f"draws no live heatmap any more ({type(error).__name__})")
            log.debug("the live heatmap failed:", exc_info=error)
            return preview

    previewer.decode_latent_to_preview_image = decorated
    try:
        yield
    finally:
        drawing = False  # another pack may have wrapped ours meanwhile: then it stays, and draws nothing
        if vars(previewer).get(METHOD) is decorated:
            del previewer.decode_latent_to_preview_image
            if own is not None:  # another pack's, which was there before
                previewer.decode_latent_to_preview_image = own


def _is_picture(preview: Any) -> bool:
    """Whether a preview is one as the host's own previewers make them: (kind, picture, longest side)."""
    return isinstance(preview, tuple) and len(preview) == 3 and isinstance(preview[1], Image.Image)


def drawn(image: Image.Image, trace: Trace, palette: np.ndarray, longest: int) -> Image.Image:
    """A preview with the last evaluation's heatmap and the plan's strip; palette (256, 3), 8 bits.

    `longest` is the side that the host sends at the most: larger pictures are made smaller first.
    """
    side = max(image.size)
    times = min(max(side, SMALLEST_SIDE), longest) / side
    size = (max(1, round(image.width * times)), max(1, round(image.height * times)))
    picture = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    evaluation = trace.evaluations[-1] if trace.evaluations else None
    if evaluation is not None and evaluation.convergence is not None:
        values = brightness(evaluation.convergence[0, 0].float()).cpu().numpy()
        opacity = CLEAR + (COVERED - CLEAR) * values
        if evaluation.fine is not None:
            opacity = np.where(_on_grid(evaluation.fine[0, 0], values.shape), CLEAR / 2, opacity)
        heat = Image.fromarray(palette[(values * 255.0).astype(np.uint8)])
        mask = Image.fromarray(opacity.astype(np.uint8))
        block = 1 << trace.block_level
        shown = (0.0, 0.0, trace.canvas.width / block, trace.canvas.height / block)
        heat, mask = (part.resize(size, Image.Resampling.NEAREST, box=shown) for part in (heat, mask))
        picture.paste(heat, (0, 0), mask)
    if trace.plan is not None and evaluation is not None:
        strip = plan_strip(trace.plan, steps_done(trace.plan, evaluation), size[0])
        picture.paste(Image.fromarray(strip), (0, size[1] - STRIP))
    return picture


def steps_done(plan: Plan, evaluation: Evaluation) -> int:
    """The steps of a plan up to and with that of an evaluation."""
    planned = plan.passes[evaluation.pass_index]
    sigma = evaluation.sigma
    value = float(sigma.flatten()[0]) if isinstance(sigma, Tensor) else sigma
    return sum(p.steps for p in plan.passes[: evaluation.pass_index]) + planned.step_at(value) + 1


def plan_strip(plan: Plan, done: int, width: int) -> np.ndarray:
    """A bar for each step of a plan, as high as its share of the full tokens, (STRIP, width, 3), 8 bits.

    The first `done` are bright.
    """
    levels = np.array([LEVELS.index(level) for p in plan.passes for level in p.levels])
    tokens = np.array([n for p in plan.passes for n in p.tokens(plan.canvas)])
    step = np.arange(width) * plan.steps // width
    heights = np.maximum((STRIP - 2) * tokens / plan.canvas.tokens(0), 2)
    shade = np.where(np.arange(plan.steps) < done, 1.0, 0.35)[:, None]
    colours = (LEVEL_COLOURS[levels] * shade).astype(np.uint8)
    rows = np.arange(STRIP)[:, None]
    inside = rows >= STRIP - heights[step]
    inside[:, 1:] &= step[1:] == step[:-1]  # a line between bars
    return np.where(inside[..., None], colours[step], np.uint8(20)).astype(np.uint8)


def _on_grid(fine: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of blocks (rows, columns), boolean, on another grid of the same picture."""
    marks = fine.float()[None, None]
    return torch.nn.functional.interpolate(marks, size=shape, mode="nearest")[0, 0].cpu().numpy() > 0.5
