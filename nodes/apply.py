"""FrescoApply: any sampler node behind it runs through Fresco."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fresco_core import Schedule
from .engine.recording import Recordings
from .engine.run import Bridge
from .engine.wrappers import apply_fresco
from .host import versions
from .host.kept_presets import meanings
from .inputs import (
    CATEGORY,
    DEFAULT_PRESET,
    SEARCH_WORDS,
    FrescoTraceType,
    baseline_input,
    explained,
    live_input,
    preset_input,
    schedule_input,
    to_schedule,
    upscale_input,
    vae_input,
)
from .server.known_setting import told_on


class FrescoApply(io.ComfyNode):
    """MODEL and preset in, patched clone and the record of its runs out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoApply",
            display_name="Fresco Apply",
            category=CATEGORY,
            description="Makes a model sample coarse to fine on a full-size canvas, in less time. Works with "
            "any sampler node behind it, and says on the node what it did and how much faster that was. The "
            "incoming model is not changed.",
            search_aliases=SEARCH_WORDS,
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="The model to accelerate. The node patches a clone."),
                preset_input(
                    "Which steps are coarse. 'quality', 'balanced' and 'fast' are each faster than the one "
                    "before, or as fast where steps are few; 'off' takes no coarse step.",
                    optional=True,
                ),
                vae_input(),
                schedule_input("", " Leave empty to use the preset.", optional=True),
                upscale_input(),
                live_input(),
                baseline_input(),
            ],
            outputs=[
                io.Model.Output(tooltip="The model; connect it to any sampler or guider."),
                FrescoTraceType.Output(
                    display_name="trace",
                    tooltip="What each step did. Connect it to Fresco Convergence, and the sampler's latent "
                    "or its picture too, so that it is read behind the sampler.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, schedule: str | None = None) -> bool | str:
        return explained(to_schedule, schedule)  # None where it is connected, and not known yet

    @classmethod
    def fingerprint_inputs(cls, preset: Any = None, schedule: Any = None, **others: Any) -> str:
        return meanings(preset, schedule)

    @classmethod
    def execute(
        cls,
        model: Any,
        preset: str = DEFAULT_PRESET,
        vae: Any = None,
        schedule: Schedule | str = "",
        upscale_model: Any = None,
        live_heatmap: bool = False,
        baseline_steps: int = 0,
    ) -> io.NodeOutput:
        runs = Recordings()
        patched = apply_fresco(
            model,
            to_schedule(schedule, preset),
            runs,
            baseline_steps=baseline_steps,
            live=live_heatmap,
            bridge=None if vae is None else Bridge(vae, upscale_model),
            **told_on(cls),
        )
        return io.NodeOutput(patched, runs)
