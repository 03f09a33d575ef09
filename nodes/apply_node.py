"""FrescoApply: any sampler node behind it runs through Fresco."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fresco_core import PRESETS, Schedule
from . import compat
from .types import (
    CATEGORY,
    DEFAULT_PRESET,
    DEFAULT_PRIOR,
    detail_input,
    explained,
    live_input,
    schedule_input,
    to_schedule,
)
from .wrappers import apply_fresco


class FrescoApply(io.ComfyNode):
    """MODEL and schedule in, patched clone out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat.schema(
            node_id="FrescoApply",
            display_name="Fresco Apply",
            category=CATEGORY,
            description="Makes a model sample coarse to fine on a full-size canvas. Works with any "
            "sampler node behind it. "
            "The incoming model is not changed.",
            search_aliases=["fresco", "accelerate", "speed up", "progressive resolution"],
            inputs=[
                io.Model.Input("model", tooltip="The model to accelerate. The node patches a clone."),
                schedule_input(PRESETS[DEFAULT_PRESET], f" Empty means the preset {DEFAULT_PRESET}."),
                detail_input(),
                live_input(),
            ],
            outputs=[io.Model.Output(tooltip="The model; connect it to any sampler or guider.")],
        )

    @classmethod
    def validate_inputs(cls, schedule: str | None = None) -> bool | str:
        return explained(to_schedule, schedule)  # None where it is connected, and not known yet

    @classmethod
    def execute(
        cls,
        model: Any,
        schedule: Schedule | str,
        detail: str = DEFAULT_PRIOR,
        live_heatmap: bool = False,
    ) -> io.NodeOutput:
        return io.NodeOutput(apply_fresco(model, to_schedule(schedule), detail, live=live_heatmap))
