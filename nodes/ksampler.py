"""FrescoKSampler: KSampler with a schedule, and a trace of what it did."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fresco_core import Canvas, Schedule, ScheduleError
from .engine.recording import RunTrace
from .engine.run import Bridge
from .engine.signature import sign
from .engine.wrappers import apply_fresco
from .host import versions
from .host.core_nodes import sampled
from .host.kept_presets import meanings
from .inputs import (
    CATEGORY,
    DEFAULT_PRESET,
    SEARCH_WORDS,
    FrescoTraceType,
    baseline_input,
    cfg_input,
    denoise_input,
    explained,
    live_input,
    preset_input,
    sampler_input,
    schedule_input,
    scheduler_input,
    steps_input,
    to_clean_schedule,
    upscale_input,
    vae_input,
)
from .server.known_setting import told_on


class FrescoKSampler(io.ComfyNode):
    """KSampler's inputs in KSampler's order, then schedule and preset."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoKSampler",
            display_name="Fresco KSampler",
            category=CATEGORY,
            description="KSampler through Fresco: the same seed, sampler and scheduler, with cheap "
            "coarse steps where they "
            "suffice. Also returns a trace of the run.",
            search_aliases=["ksampler", *SEARCH_WORDS],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Model.Input("model", tooltip="The model used for denoising the latent."),
                versions.widget(
                    io.Int.Input,
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The random seed of the noise. The noise is the same as plain KSampler's.",
                ),
                steps_input("Steps over all passes. A schedule without counts divides them."),
                cfg_input(),
                sampler_input("The sampling algorithm; every pass uses it."),
                scheduler_input(
                    "How the steps are spread over the noise levels; every pass keeps its shape."
                ),
                io.Conditioning.Input("positive", tooltip="What to include in the picture."),
                io.Conditioning.Input("negative", tooltip="What to keep out of the picture."),
                io.Latent.Input(
                    "latent_image", tooltip="The latent to denoise, at the full size of the result."
                ),
                denoise_input(),
                schedule_input("", " Leave empty to use the preset."),
                preset_input(
                    "Ready schedules, used while schedule is empty, from 'off' (no coarse step) to 'fast'. "
                    "'spectral' is a rule by the picture's spectrum, 'progressive' is research. Fresco "
                    "Schedule shows what each one does."
                ),
                baseline_input(),
                live_input(),
                vae_input(),
                upscale_input(),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The denoised latent."),
                FrescoTraceType.Output(
                    display_name="trace", tooltip="What each step did; connect to Fresco Convergence."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, schedule: str | None = None) -> bool | str:
        return explained(to_clean_schedule, schedule)  # None where it is connected, and not known yet

    @classmethod
    def fingerprint_inputs(cls, preset: Any = None, schedule: Any = None, **others: Any) -> str:
        return meanings(preset, schedule)

    @classmethod
    def execute(
        cls,
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent_image: dict,
        denoise: float = 1.0,
        schedule: Schedule | str = "",
        preset: str = DEFAULT_PRESET,
        baseline_steps: int = 0,
        live_heatmap: bool = False,
        vae: Any = None,
        upscale_model: Any = None,
    ) -> io.NodeOutput:
        traces: list[RunTrace] = []
        patched = apply_fresco(
            model,
            to_clean_schedule(schedule, preset),
            traces,
            baseline_steps=baseline_steps,
            live=live_heatmap,
            bridge=None if vae is None else Bridge(vae, upscale_model),
            **told_on(cls),
        )
        inputs = (seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image)
        try:
            latent = sampled(patched, denoise, *inputs)
        except ScheduleError as error:
            versions.show_text(cls, str(error))
            raise
        trace = traces[-1] if traces else RunTrace(0, Canvas(1, 1), 0)
        sign(trace, latent["samples"])
        return io.NodeOutput(latent, trace)
