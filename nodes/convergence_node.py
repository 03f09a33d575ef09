"""FrescoConvergence: heatmaps, the promotion map, overlays and masks from a trace."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

import nodes as host_nodes

from ..fresco_core import Trace
from ..fresco_core.colours import DEFAULT_PALETTE, PALETTES
from ..fresco_core.heatmap import (
    DECADES,
    brightness_mask,
    converged_mask,
    evenly,
    fitted,
    frames_shown,
    heatmap,
    overlay,
    promotion_map,
    refined_mask,
)
from ..fresco_core.schedule import level_name
from ..fresco_core.trace import signature
from . import compat
from .legend import with_legends
from .readout import maps, recorded, rows
from .steps import chosen_steps, in_range
from .types import CATEGORY, FrescoTraceType

LONGEST_SIDE = 512
CONVERGED, REFINED, CHANGE = "converged below tau", "refined at the step", "change at the step"
MEAN, STRIP = "mean", "strip"


class FrescoConvergence(io.ComfyNode):
    """Trace in; one heatmap per chosen evaluation, the promotion map and a mask out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="FrescoConvergence",
            display_name="Fresco Convergence",
            category=CATEGORY,
            description="Shows where the picture has settled: one heatmap per step, bright where blocks "
            "still change, and at which step each block was refined.",
            search_aliases=["fresco", "heatmap", "visualize"],
            is_output_node=True,
            inputs=[
                FrescoTraceType.Input("trace", tooltip="The trace of a Fresco KSampler."),
                compat.widget(
                    io.Int.Input,
                    "step",
                    default=-1,
                    min=-1,
                    max=10000,
                    tooltip="Which recorded step the mask is taken from, counted from 0; -1 is the last.",
                ),
                compat.widget(
                    io.Float.Input,
                    "tau",
                    default=0.01,
                    min=0.0,
                    max=100.0,
                    step=0.001,
                    round=0.0001,
                    tooltip="Blocks whose value is below tau count as converged in the mask.",
                ),
                io.Latent.Input(
                    "samples",
                    optional=True,
                    tooltip="The latent of the same run; checked against the trace, and decoded for the "
                    "overlays where a VAE is connected.",
                ),
                *added_inputs(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="heatmaps",
                    tooltip="One picture per chosen step, of a video the mean over its frames or a strip.",
                ),
                io.Mask.Output(
                    display_name="converged",
                    tooltip="What `mask` asks for: 1 where the block's value is below tau, for one.",
                ),
                io.Image.Output(
                    display_name="overlays",
                    tooltip="The heatmaps over the picture; needs image, or samples and vae.",
                ),
                io.Image.Output(
                    display_name="promotion",
                    tooltip="At which step each block was first seen in full resolution: dark early, bright "
                    "late, grey never.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        trace: Trace,
        step: int = -1,
        tau: float = 0.01,
        samples: dict | None = None,
        image: Tensor | None = None,
        vae: Any = None,
        steps: str = "all",
        mask: str = CONVERGED,
        frames: str = MEAN,
        palette: str = DEFAULT_PALETTE,
        opacity: float = 0.6,
        legend: bool = True,
    ) -> io.NodeOutput:
        check_trace(trace, samples)
        scale, strip = picture_scale(trace), frames == STRIP
        evaluations = recorded(trace)
        chosen = chosen_steps(steps, len(evaluations))
        heats = [heatmap(evaluations[i], trace, scale, palette, strip) for i in chosen]
        promotion = promotion_map(trace, scale, palette, strip)
        captions = [caption(trace, i) for i in chosen]

        def labelled(pictures: list[Tensor]) -> Tensor:
            if legend:
                return with_legends(pictures, captions, value_ticks(), palette)
            return torch.cat(pictures)

        numbers: dict[str, Any] = {
            "summary": (trace.summary(),),
            "evaluations": (rows(trace, tau),),
            "maps": (maps(trace, palette),),
        }
        if image is None and vae is not None and samples is not None:
            image = host_nodes.VAEDecode().decode(vae, samples)[0]
        overlays: Any = ExecutionBlocker(
            "Fresco Convergence: connect image, or samples and vae, for overlays"
        )
        if image is not None:
            below = pictures_of(image, trace, strip)
            overlays = labelled([overlay(heat, below, opacity) for heat in heats])
            size = (trace.canvas.height * scale, trace.canvas.width * scale)
            numbers["picture"] = preview(cls, fitted(pictures_of(image, trace, False), size))
        if legend:
            words = "refined at step (grey: never)"
            promotion = with_legends([promotion], [words], step_ticks(trace), palette)
        heatmaps = labelled(heats)
        numbers["promotion"] = preview(cls, promotion)
        chosen_mask = mask_of(trace, mask, step, tau)
        return io.NodeOutput(
            heatmaps,
            chosen_mask,
            overlays,
            promotion,
            ui={**ui.PreviewImage(heatmaps, cls=cls).as_dict(), **numbers},
        )


def added_inputs() -> list:
    """The inputs that came after the first release; saved graphs know inputs by position."""
    return [
        io.Image.Input("image", optional=True, tooltip="The decoded picture, for the overlays."),
        io.Vae.Input("vae", optional=True, tooltip="Decodes samples for the overlays."),
        compat.widget(
            io.String.Input,
            "steps",
            default="all",
            optional=True,
            tooltip="Which recorded steps to draw: 'all', 'every 4', or numbers and ranges, '0, 3, 6-9, -1'.",
        ),
        compat.widget(
            io.Combo.Input,
            "mask",
            options=[CONVERGED, REFINED, CHANGE],
            default=CONVERGED,
            optional=True,
            tooltip="What the mask shows of `step`: blocks below tau, blocks seen in full resolution, or the "
            "heatmap itself from 0 (converged) to 1 (changing).",
        ),
        compat.widget(
            io.Combo.Input,
            "frames",
            options=[MEAN, STRIP],
            default=MEAN,
            optional=True,
            tooltip="Of a video: the mean over its frames, or some of its frames in a strip.",
        ),
        compat.widget(
            io.Combo.Input,
            "palette",
            options=list(PALETTES),
            default=DEFAULT_PALETTE,
            optional=True,
            tooltip="Colour map. Both are perceptually uniform.",
        ),
        compat.widget(
            io.Float.Input,
            "opacity",
            default=0.6,
            min=0.0,
            max=1.0,
            step=0.05,
            optional=True,
            tooltip="Strength of the heatmap over the picture.",
        ),
        compat.widget(
            io.Boolean.Input,
            "legend",
            default=True,
            optional=True,
            tooltip="Write step, sigma and values below the pictures.",
        ),
    ]


def picture_scale(trace: Trace) -> int:
    """Heatmap pixels per latent pixel: the picture's own size, 512 pixels at the most."""
    return max(1, min(trace.scale, LONGEST_SIDE // max(trace.canvas.height, trace.canvas.width)))


def caption(trace: Trace, step: int) -> str:
    """The line below a heatmap."""
    evaluation = recorded(trace)[step]
    return f"step {step}   sigma {float(evaluation.sigma):.3g}   level {level_name(evaluation.level)}"


def value_ticks() -> list[tuple[float, str]]:
    """Values along the bar of a heatmap: one per power of ten."""
    count = int(DECADES)
    return [(i / count, "1" if i == count else f"1e-{count - i}") for i in range(count + 1)]


def step_ticks(trace: Trace) -> list[tuple[float, str]]:
    """Evaluations along the bar of a promotion map, with the sigma at both ends."""
    evaluations = trace.evaluations
    last = len(evaluations) - 1
    first_words = f"0 (sigma {float(evaluations[0].sigma):.3g})"
    return [(0.0, first_words), (1.0, f"{last} (sigma {float(evaluations[-1].sigma):.3g})")]


def pictures_of(image: Tensor, trace: Trace, strip: bool) -> Tensor:
    """Pictures (B, n, H, W, 3) to lay heatmaps over, of decoded ones (B, H, W, C) or (B * T, H, W, C)."""
    if image.shape[0] % trace.batch:
        raise ValueError(
            f"image holds {image.shape[0]} pictures and the trace is of {trace.batch}; connect the decoded "
            "pictures of the same Fresco KSampler"
        )
    frames = image[..., :3].reshape(trace.batch, -1, *image.shape[1:3], 3)
    count = frames_shown(trace, strip)
    if frames.shape[1] < count:
        raise ValueError(
            f"image holds {frames.shape[1]} frames of each video and the strip shows {count}; connect all "
            "decoded frames, or set frames to 'mean'"
        )
    return frames[:, evenly(frames.shape[1], count)]


def mask_of(trace: Trace, kind: str, step: int, tau: float) -> Tensor:
    """The mask (B * T, H, W) in the picture's size that the node's widgets mean."""
    evaluations = recorded(trace)
    evaluation = evaluations[in_range(step, len(evaluations))]
    if kind == REFINED:
        return refined_mask(evaluation, trace, trace.scale)
    if kind == CHANGE:
        return brightness_mask(evaluation, trace, trace.scale)
    return converged_mask(evaluation, trace, tau, trace.scale)


def preview(node: type[io.ComfyNode], pictures: Tensor) -> list[dict]:
    """Pictures saved among the host's temporary files, as its /view knows them."""
    return ui.PreviewImage(pictures, cls=node).as_dict()["images"]


def check_trace(trace: Trace, samples: dict | None) -> None:
    """Raise ValueError for a trace without values, or of another run than the latent's."""
    if not isinstance(trace, Trace):
        raise ValueError(f"found {type(trace).__name__}; expected the trace of a Fresco KSampler")
    if not recorded(trace):
        raise ValueError(
            f"the trace holds {len(trace.evaluations)} evaluations and no convergence value, which needs two "
            "of one pass: take more steps, or a latent of pictures or video"
        )
    if samples is None:
        return
    found = tuple(samples["samples"].shape)
    if (found[0], found[-2], found[-1]) != (trace.batch, trace.canvas.height, trace.canvas.width):
        raise ValueError(
            f"the trace is from another run: it recorded {trace.batch} latents of {trace.canvas.height}x"
            f"{trace.canvas.width}, and the latent is {found}; connect the latent of the same Fresco KSampler"
        )
    if trace.result is not None and trace.result != signature(samples["samples"]):
        raise ValueError(
            "the trace is from another run than the latent; connect both from the same Fresco KSampler"
        )
