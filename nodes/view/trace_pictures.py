"""What Fresco Convergence makes of a trace: pictures, captions and masks, black where there is nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...fresco_core import Trace
from ...fresco_core.schedule.looks import level_name
from ...fresco_core.view.colours import in_colour
from ...fresco_core.view.heatmap import (
    DECADES,
    brightness_mask,
    converged_mask,
    evenly,
    frames_shown,
    heatmap,
    promotion_map,
    refined_mask,
)
from ..engine.signature import made
from .chosen_steps import chosen_steps, names_none, with_value, within
from .legend import with_legends
from .trace_steps import evaluation_of, step_count, valued_steps

LONGEST_SIDE = 512
MOST_PIXELS = 1 << 24  # of the heatmaps of 'all' steps together
SMALLEST_SIDE = 64  # of the picture that stands for an empty trace
CONVERGED, REFINED, CHANGE = "converged below tau", "refined at the step", "change at the step"


def picture_scale(trace: Trace) -> int:
    """Heatmap pixels per latent pixel: the picture's own size, 512 pixels at the most."""
    return max(1, min(trace.scale, LONGEST_SIDE // max(trace.canvas.height, trace.canvas.width)))


def drawn_steps(text: str, trace: Trace, strip: bool) -> tuple[list[int], str | None]:
    """The steps that a line asks for; where 'all' of them have more than MOST_PIXELS, some evenly with both
    ends, and what to say of that. Raises ValueError like `ranges`."""
    valued = valued_steps(trace)
    chosen = chosen_steps(text, valued, step_count(trace)) if valued else []
    height, width = blank_size(trace, picture_scale(trace))
    of_a_step = max(trace.batch, 1) * frames_shown(trace, strip) * height * width
    most = max(MOST_PIXELS // of_a_step, 2)
    if len(chosen) <= most or not names_none(text):
        return chosen, None
    return [chosen[i] for i in evenly(len(chosen), most)], (
        f"{most} of {len(chosen)} steps are drawn, as all would take much memory; 'every 1' in steps draws "
        "each of them"
    )


def heatmaps(trace: Trace, steps: Sequence[int], palette: str, strip: bool) -> list[Tensor]:
    """A heatmap (B, H, W, 3) for each step, counted from 1; one black one where the run has no value."""
    if not steps:
        return [blank(trace).repeat(1, 1, frames_shown(trace, strip), 1)]
    scale = picture_scale(trace)
    return [heatmap(evaluation_of(trace, step), trace, scale, palette, strip) for step in steps]


def promotion(trace: Trace, palette: str, strip: bool, legend: bool) -> Tensor:
    """When each block was first refined, (B, H, W, 3); black for an empty trace."""
    if not trace.evaluations:
        return blank(trace)
    picture = promotion_map(trace, picture_scale(trace), palette, strip)
    if legend:
        return with_legends([picture], ["refined at step (grey: never)"], step_ticks(trace), palette)
    return picture


def blank(trace: Trace) -> Tensor:
    """A black picture (B, H, W, 3) of the size of this trace's heatmaps."""
    height, width = blank_size(trace, picture_scale(trace))
    return torch.zeros(max(trace.batch, 1), height, width, 3)


def blank_size(trace: Trace, scale: int) -> tuple[int, int]:
    """Height and width of what stands for a picture; an empty trace knows none."""
    height, width = trace.canvas.height * scale, trace.canvas.width * scale
    return (height, width) if trace.evaluations else (max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE))


def caption(trace: Trace, step: int) -> str:
    """The line below the heatmap of a step, counted from 1."""
    evaluation = evaluation_of(trace, step)
    return f"step {step}   sigma {float(evaluation.sigma):.3g}   level {level_name(evaluation.level)}"


def value_ticks() -> list[tuple[float, str]]:
    """Values along the bar of a heatmap: one per power of ten."""
    count = int(DECADES)
    return [(i / count, "1" if i == count else f"1e-{count - i}") for i in range(count + 1)]


def step_ticks(trace: Trace) -> list[tuple[float, str]]:
    """Steps along the bar of a promotion map, counted from 1, with the sigma at both ends."""
    evaluations = trace.evaluations
    first_words = f"1 (sigma {float(evaluations[0].sigma):.3g})"
    return [(0.0, first_words), (1.0, f"{step_count(trace)} (sigma {float(evaluations[-1].sigma):.3g})")]


def unfit(image: Tensor, trace: Trace, strip: bool) -> str | None:
    """Why decoded pictures (B, H, W, C) or (B * T, H, W, C) are not those of a trace; None where they fit."""
    if image.shape[0] % max(trace.batch, 1):
        return (
            f"image holds {image.shape[0]} pictures and the trace is of {trace.batch}; connect the decoded "
            "pictures of the same sampler"
        )
    frames, count = image.shape[0] // max(trace.batch, 1), frames_shown(trace, strip)
    if frames < count:
        return (
            f"image holds {frames} frames of each video and the strip shows {count}; connect all "
            "decoded frames, or set frames to 'mean'"
        )
    return None


def pictures_of(image: Tensor, trace: Trace, strip: bool) -> Tensor:
    """Pictures (B, n, H, W, 3) to lay heatmaps over, of decoded ones that fit (see `unfit`)."""
    frames = in_colour(image).reshape(max(trace.batch, 1), -1, *image.shape[1:3], 3)
    return frames[:, evenly(frames.shape[1], frames_shown(trace, strip))]


def mask_of(trace: Trace, kind: str, step: int, tau: float) -> Tensor:
    """The mask (B * T, H, W) in the picture's size that the node's widgets mean.

    step: counted from 1, -1 the last. Where the run has no value, nothing has converged or changes: zeros.
    """
    if trace.evaluations and kind == REFINED:
        evaluation = evaluation_of(trace, within(step, step_count(trace)))
        return refined_mask(evaluation, trace, trace.scale)
    valued = valued_steps(trace)
    if not valued:
        return torch.zeros(max(trace.batch, 1) * trace.canvas.frames, *blank_size(trace, trace.scale))
    evaluation = evaluation_of(trace, with_value(within(step, step_count(trace)), valued))
    if kind == CHANGE:
        return brightness_mask(evaluation, trace, trace.scale)
    return converged_mask(evaluation, trace, tau, trace.scale)


def foreign(trace: Trace, samples: dict | None) -> str | None:
    """Why a latent is not the one that the traced run made; None where it is, or is not connected."""
    if samples is None or not trace.evaluations:
        return None
    found = tuple(samples["samples"].shape)
    if (found[0], found[-2], found[-1]) != (trace.batch, trace.canvas.height, trace.canvas.width):
        return (
            f"the trace is from another run: it recorded {trace.batch} latents of {trace.canvas.height}x"
            f"{trace.canvas.width}, and the latent is {found}; connect the latent of the same sampler"
        )
    if trace.result is not None and not made(trace, samples["samples"]):
        return "the trace is from another run than the latent; connect both from the same sampler"
    return None
