"""FrescoConvergence: heatmaps and a mask from a trace."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from ..fresco_core import Evaluation, Trace
from ..fresco_core.heatmap import converged_mask, heatmap
from ..fresco_core.trace import signature
from . import compat
from .types import CATEGORY, FrescoTraceType

LONGEST_SIDE = 512


class FrescoConvergence(io.ComfyNode):
    """Trace in, one heatmap per recorded evaluation out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="FrescoConvergence",
            display_name="Fresco Convergence",
            category=CATEGORY,
            description="Shows where the picture has settled: one heatmap per step, bright where blocks "
            "still change.",
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
                    tooltip="The latent of the same run; checked against the trace.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="heatmaps",
                    tooltip="One picture per recorded step, of a video the mean over its frames.",
                ),
                io.Mask.Output(display_name="converged", tooltip="1 where the block's value is below tau."),
            ],
        )

    @classmethod
    def execute(
        cls, trace: Trace, step: int = -1, tau: float = 0.01, samples: dict | None = None
    ) -> io.NodeOutput:
        check_trace(trace, samples)
        recorded = [e for e in trace.evaluations if e.convergence is not None]
        images = torch.cat([heatmap(e, trace, picture_scale(trace)) for e in recorded])
        mask = converged_mask(pick(recorded, step), trace, tau, trace.scale)
        numbers = {"summary": (trace.summary(),), "evaluations": (rows(trace),)}
        return io.NodeOutput(images, mask, ui={**ui.PreviewImage(images, cls=cls).as_dict(), **numbers})


def picture_scale(trace: Trace) -> int:
    """Heatmap pixels per latent pixel: the picture's own size, 512 pixels at the most."""
    return max(1, min(trace.scale, LONGEST_SIDE // max(trace.canvas.height, trace.canvas.width)))


def check_trace(trace: Trace, samples: dict | None) -> None:
    """Raise ValueError for a trace without values, or of another run than the latent's."""
    if not isinstance(trace, Trace):
        raise ValueError(f"found {type(trace).__name__}; expected the trace of a Fresco KSampler")
    if not any(e.convergence is not None for e in trace.evaluations):
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


def pick(recorded: list[Evaluation], step: int) -> Evaluation:
    """The recorded evaluation number `step`; ValueError that names the range."""
    if not -1 <= step < len(recorded):
        raise ValueError(
            f"step {step} is not in the trace, which has values for steps 0 to {len(recorded) - 1}"
        )
    return recorded[step]


def rows(trace: Trace) -> list[dict]:
    """The trace as plain numbers, for the node's ui output and the history."""
    return [
        {
            "pass": e.pass_index,
            "sigma": float(e.sigma),
            "level": e.level,
            "tokens": e.tokens,
            "convergence": None if e.convergence is None else float(e.convergence.mean()),
        }
        for e in trace.evaluations
    ]
