"""FrescoSchedule: builds a schedule and tells what it will do."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..fresco_core import Schedule, ScheduleError, flow_sigmas, make_plan, preset
from ..fresco_core.cost.registry import MODELS
from .engine.cost import describe_plan
from .engine.target import unsupported
from .families import adapter_of, architecture_of, canvas_of
from .host import versions
from .host.core_nodes import as_sampled
from .host.kept_presets import meanings
from .host.model import parameterisation_of, sampling_of, shapes_of
from .host.windows import windows_of
from .inputs import (
    CATEGORY,
    DEFAULT_PRESET,
    EXAMPLES,
    FROM_NUMBERS,
    FROM_TEXT,
    LEVELS,
    SEARCH_WORDS,
    FrescoScheduleType,
    baseline_input,
    built,
    explained,
    preset_input,
    scheduler_input,
    steps_input,
)
from .server.plan_preview import known_setting


class FrescoSchedule(io.ComfyNode):
    """A schedule from a preset, a line of text or four numbers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return versions.schema(
            node_id="FrescoSchedule",
            display_name="Fresco Schedule",
            category=CATEGORY,
            description="Builds a resolution schedule and says what it will do: steps, sigmas and "
            "tokens per level.",
            search_aliases=["schedule", "sigmas", *SEARCH_WORDS],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                preset_input(
                    "A ready schedule, or where to take it from: the text below, or the numbers below. "
                    "'spectral' is a rule by the picture's spectrum, 'progressive' is research.",
                    FROM_TEXT,
                    FROM_NUMBERS,
                ),
                versions.widget(
                    io.String.Input,
                    "text",
                    default=str(preset(DEFAULT_PRESET)),
                    multiline=False,
                    tooltip="Used with preset 'from text'. Resolution schedule in one line. " + EXAMPLES,
                ),
                *_numbers(),
                steps_input("Steps over all passes, for SIGMAS and for the description."),
                scheduler_input("Spread of the steps, for SIGMAS."),
                io.Model.Input(
                    "model", optional=True, tooltip="Connect to get SIGMAS, and tokens in the description."
                ),
                io.Latent.Input(
                    "latent", optional=True, tooltip="Connect to get tokens for its size in the description."
                ),
                baseline_input(),
            ],
            outputs=[
                FrescoScheduleType.Output(
                    display_name="schedule", tooltip="Connect to Fresco Apply or Fresco KSampler."
                ),
                io.Sigmas.Output(
                    display_name="SIGMAS", tooltip="The grid for SamplerCustomAdvanced; needs a model."
                ),
                io.String.Output(display_name="plan", tooltip="What the schedule will do, in words."),
            ],
        )

    @classmethod
    def validate_inputs(cls, preset: str | None = None, text: str | None = None) -> bool | str:
        if preset is None or text is None:  # connected, and not known yet
            return True
        return explained(built, preset, text, "1/2", 0.5, 0.95)  # the host checks the numbers

    @classmethod
    def fingerprint_inputs(cls, preset: Any = None, text: Any = None, **others: Any) -> str:
        return meanings(preset, text)

    @classmethod
    def execute(
        cls,
        preset: str,
        text: str,
        draft_level: str,
        draft_share: float,
        refine_from: float,
        steps: int,
        scheduler: str,
        model: Any = None,
        latent: dict | None = None,
        baseline_steps: int = 0,
    ) -> io.NodeOutput:
        schedule = built(preset, text, draft_level, draft_share, refine_from)
        sigmas: Any = ExecutionBlocker("Fresco Schedule: connect a model to get SIGMAS")
        if model is not None:
            sigmas = comfy.samplers.calculate_sigmas(
                model.get_model_object("model_sampling"), scheduler, steps
            )
        known = None if model is None else sigmas
        words = f"{schedule}\n{describe(schedule, steps, known, model, latent, baseline_steps)}"
        versions.show_text(cls, words)
        shown = ui.PreviewText(words).as_dict()
        if model is not None and latent is not None:
            setting = setting_of(sigmas.tolist(), model, *shapes_of(as_sampled(model, latent)))
            shown["fresco_known"] = () if setting is None else (setting,)
        return io.NodeOutput(schedule, sigmas, words, ui=shown)


def _numbers() -> list[Any]:
    """The inputs that make two passes of numbers."""
    number = versions.widget
    return [
        number(
            io.Combo.Input,
            "draft_level",
            options=list(LEVELS),
            default="1/2",
            tooltip="Used with preset 'from numbers': resolution of the draft pass.",
        ),
        number(
            io.Float.Input,
            "draft_share",
            default=0.5,
            min=0.05,
            max=0.95,
            step=0.05,
            tooltip="Used with preset 'from numbers': part of the steps that the draft takes.",
        ),
        number(
            io.Float.Input,
            "refine_from",
            default=0.95,
            min=0.05,
            max=0.99,
            step=0.01,
            tooltip="Used with preset 'from numbers': sigma that the draft ends at and the refine pass "
            "starts from. High keeps the seed's detail, low keeps the draft.",
        ),
    ]


def describe(
    schedule: Schedule, steps: int, sigmas: Any, model: Any, latent: dict | None, baseline_steps: int = 0
) -> str:
    """The plan in words, for the model and latent at hand or else for a 1024x1024 picture of FLUX.1-dev.

    A schedule that does not fit this node's steps is described as such; the sampler may have others.
    """
    shapes: tuple[tuple[int, ...], ...] = ((1, 16, 128, 128),)
    if latent is not None:
        shapes = shapes_of(latent["samples"] if model is None else as_sampled(model, latent))
    shape = shapes[0]
    notes, windows = "", None
    try:
        if model is None:
            assumed_model = MODELS["flux.1-dev"]
            architecture = assumed_model.architecture
            canvas = assumed_model.canvas(shape[-1] * assumed_model.pixels, shape[-2] * assumed_model.pixels)
            plan = make_plan(schedule, flow_sigmas(steps), canvas, autoencoder=True)
        else:
            reason = unsupported(model, shape, shapes)
            if reason is not None:
                return f"runs plain: {reason}"
            sampling = sampling_of(model)
            architecture = architecture_of(model.model)
            canvas = canvas_of(model.model, shape)
            windows = windows_of(model.model_options, canvas.frames)
            parameterisation = parameterisation_of(sampling)
            assert parameterisation is not None
            highest = float(sampling.sigma_max)
            plan = make_plan(schedule, sigmas.tolist(), canvas, parameterisation, highest, autoencoder=True)
            reason = adapter_of(model.model.diffusion_model)[1] if plan.mixed else None
            if reason is not None:
                notes = f"\n(mixed steps at full resolution: {reason})"
                plan = plan.dense()
    except ScheduleError as error:
        return f"for the {steps} steps of this node: {error}"
    if schedule.via_pixels:
        notes += "\n('via pixels' needs vae at the node that samples, whose cost is not in these figures)"
    missing = [name for name, value in (("model", model), ("latent", latent)) if value is None]
    if missing:
        of = "FLUX.1-dev, " if model is None else ""
        notes += f"\n({of}a latent of {shape[-2]}x{shape[-1]}; connect {' and '.join(missing)} for yours)"
    return describe_plan(plan, architecture, baseline_steps, windows=windows) + notes


def setting_of(
    sigmas: list[float], model: Any, shape: tuple[int, ...], *others: tuple[int, ...]
) -> dict | None:
    """What the schedule editor needs to know of the model and latent; None where they run plain anyway, and
    where it cannot be told.

    shape, others: of the video and of what one latent holds beside it.
    """
    if unsupported(model, shape, (shape, *others)) is not None:
        return None
    sampling = sampling_of(model)
    parameterisation = parameterisation_of(sampling)
    assert parameterisation is not None
    return known_setting(
        canvas_of(model.model, shape),
        sigmas,
        parameterisation,
        float(sampling.sigma_max),
        architecture_of(model.model),
        adapter_of(model.model.diffusion_model)[1] is None,
    )
