"""FrescoApply: any sampler node behind it runs through Fresco."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fresco_core import PRESETS, Schedule
from .engine.run import Bridge
from .engine.wrappers import apply_fresco
from .host import versions
from .inputs import (
    CATEGORY,
    DEFAULT_PRESET,
    bridge_inputs,
    explained,
    live_input,
    schedule_input,
    to_schedule,
)


class FrescoApply(io.ComfyNode):
    """MODEL and schedule in, patched clone out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
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
                live_input(),
                *bridge_inputs(),
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
        live_heatmap: bool = False,
        vae: Any = None,
        upscale_model: Any = None,
    ) -> io.NodeOutput:
        bridge = None if vae is None else Bridge(vae, upscale_model)
        patched = apply_fresco(model, to_schedule(schedule), live=live_heatmap, bridge=bridge)
        return io.NodeOutput(patched)
