"""FrescoConvergence: heatmaps, the promotion map, overlays and masks from a trace."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ..fresco_core import Trace
from ..fresco_core.view.colours import DEFAULT_PALETTE, PALETTES
from ..fresco_core.view.heatmap import fitted, overlay
from .engine.recording import Recordings
from .host import versions
from .host.core_nodes import decoded
from .inputs import CATEGORY, FrescoTraceType
from .server.run_file import as_text, save_pictures, save_run
from .view.chosen_steps import ranges
from .view.legend import with_legends
from .view.read_trace import beyond, resolved, summary_of, valueless
from .view.readout import maps, rows, some_rows
from .view.trace_pictures import (
    CHANGE,
    CONVERGED,
    REFINED,
    blank_size,
    caption,
    drawn_steps,
    foreign,
    heatmaps,
    mask_of,
    picture_scale,
    pictures_of,
    promotion,
    unfit,
    value_ticks,
)

MEAN, STRIP = "mean", "strip"


class FrescoConvergence(io.ComfyNode):
    """Trace in; one heatmap per chosen step, the promotion map and a mask out.

    A trace is never the reason that a prompt fails whose picture is done: what it cannot give is black, and a
    note on the node says why.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoConvergence",
            display_name="Fresco Convergence",
            category=CATEGORY,
            description="Shows where the picture has settled: one heatmap per step, bright where blocks "
            "still change, and at which step each block was refined.",
            search_aliases=["fresco", "heatmap", "visualize", "convergence", "draft", "progressive", "trace"],
            is_output_node=True,
            inputs=[
                FrescoTraceType.Input(
                    "trace",
                    tooltip="The trace of a Fresco KSampler, or of a Fresco Apply: then connect samples or "
                    "image too, so that this node runs behind the sampler.",
                ),
                versions.widget(
                    io.Int.Input,
                    "step",
                    default=-1,
                    min=-1,
                    max=10000,
                    tooltip="Which step the mask is taken from, counted from 1; -1 is the last.",
                ),
                versions.widget(
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
        trace: Trace | Recordings,
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
        gallery: bool = False,
    ) -> io.NodeOutput:
        trace, unsure = resolved(trace, samples, image)
        strip = frames == STRIP
        chosen, fewer = drawn_steps(steps, trace, strip)
        told = (unsure, valueless(trace), beyond(trace, step), foreign(trace, samples), fewer)
        notes = [words for words in told if words]
        heats = heatmaps(trace, chosen, palette, strip)
        captions = [caption(trace, i) for i in chosen]

        def labelled(pictures: list[Tensor]) -> Tensor:
            if legend and captions:
                return with_legends(pictures, captions, value_ticks(), palette)
            return torch.cat(pictures)

        if image is None and vae is not None and samples is not None and foreign(trace, samples) is None:
            image = decoded(vae, samples)
        if image is not None and (reason := unfit(image, trace, strip)) is not None:
            notes.append(reason)
            image = None
        overlays: Any = ExecutionBlocker(
            "Fresco Convergence: connect image, or samples and vae, for overlays"
        )
        if image is not None:
            below = pictures_of(image, trace, strip)
            strength = opacity if chosen else 0.0
            overlays = labelled([overlay(heat, below, strength) for heat in heats])
        pictures = labelled(heats)
        refined = promotion(trace, palette, strip, legend)
        shown: dict[str, Any] = {
            "summary": (summary_of(trace),),
            "evaluations": (some_rows(rows(trace, tau)),),
            **kept(trace, tau, palette, image, notes),
        }
        if gallery:
            shown["images"] = save_pictures(pictures)
            shown["promotion"] = save_pictures(refined)
        return io.NodeOutput(pictures, mask_of(trace, mask, step, tau), overlays, refined, ui=shown)

    @classmethod
    def validate_inputs(cls, steps: str | None = None) -> bool | str:
        try:
            ranges(steps or "")  # None where it is connected, and not known yet
        except ValueError as error:
            return str(error)
        return True


def kept(
    trace: Trace, tau: float, palette: str, image: Tensor | None, notes: list[str]
) -> dict[str, tuple[str]]:
    """What the viewer on the node shows: `run`, the name of the file with a run's maps, and `note`, words for
    the user."""
    pictures: list[str] = []
    if image is not None:
        scale = picture_scale(trace)
        size = blank_size(trace, scale)
        pictures = [as_text(picture) for picture in fitted(pictures_of(image, trace, False), size)]
    name = save_run({"evaluations": rows(trace, tau), "maps": maps(trace, palette), "pictures": pictures})
    found = {} if name is None else {"run": (name,)}
    return {**found, "note": ("; ".join(notes),)} if notes else found


def added_inputs() -> list:
    """The inputs that came after the first release; saved graphs know inputs by position."""
    return [
        io.Image.Input("image", optional=True, tooltip="The decoded picture, for the overlays."),
        io.Vae.Input("vae", optional=True, tooltip="Decodes samples for the overlays."),
        versions.widget(
            io.String.Input,
            "steps",
            default="all",
            optional=True,
            tooltip="Which steps to draw: 'all', 'every 4', or numbers and ranges, '1, 4, 7-10, -1'.",
        ),
        versions.widget(
            io.Combo.Input,
            "mask",
            options=[CONVERGED, REFINED, CHANGE],
            default=CONVERGED,
            optional=True,
            tooltip="What the mask shows of `step`: blocks below tau, blocks seen in full resolution, or the "
            "heatmap itself from 0 (converged) to 1 (changing).",
        ),
        versions.widget(
            io.Combo.Input,
            "frames",
            options=[MEAN, STRIP],
            default=MEAN,
            optional=True,
            tooltip="Of a video: the mean over its frames, or some of its frames in a strip.",
        ),
        versions.widget(
            io.Combo.Input,
            "palette",
            options=list(PALETTES),
            default=DEFAULT_PALETTE,
            optional=True,
            tooltip="Colour map. Both are perceptually uniform.",
        ),
        versions.widget(
            io.Float.Input,
            "opacity",
            default=0.6,
            min=0.0,
            max=1.0,
            step=0.05,
            optional=True,
            tooltip="Strength of the heatmap over the picture.",
        ),
        versions.widget(
            io.Boolean.Input,
            "legend",
            default=True,
            optional=True,
            tooltip="Write step, sigma and values below the pictures.",
        ),
        versions.widget(
            io.Boolean.Input,
            "gallery",
            default=False,
            optional=True,
            tooltip="Also save a picture of every chosen step for the host's gallery. The viewer on the node "
            "and the outputs need none.",
        ),
    ]
