"""The pack's own socket types, and inputs that several nodes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.samplers
from comfy_api.latest import io

from ..fresco_core import Schedule, ScheduleError
from ..fresco_core.schedule.looks import Dense, Pass, Phase, Portion
from ..fresco_core.schedule.planning import check_end
from ..fresco_core.text import words
from .host import versions
from .host.kept_presets import named_schedule, preset_names, schedule_in

FrescoScheduleType = io.Custom("FRESCO_SCHEDULE")
FrescoTraceType = io.Custom("FRESCO_TRACE")

CATEGORY = "sampling/fresco"
DEFAULT_PRESET = "balanced"

EXAMPLES = (
    "Examples: 'draft 1/2 x10 to refine; refine x10' (two passes on the same noise: 10 steps at half "
    "resolution, then 10 full steps from where they end), "
    "'1/2 until 0.95, full' (one pass), '1/2 40%, mixed 50% high 40%, full' (mixed steps, half of the blocks "
    "fine; 'low' or 'high' says which first), 'full' (off), or the name of a preset."
)


SEARCH_WORDS = [
    *("fresco", "accelerate", "speed up", "faster", "fast", "performance", "optimize", "turbo", "low vram"),
    *("low res", "draft", "progressive resolution", "two pass", "hires fix", "cache"),
    *("flux", "wan", "qwen", "z-image", "sdxl", "hunyuan"),
]
"""What people look for who want what the pack does."""


def schedule_input(default: str, extra_help: str = "", optional: bool = False) -> Any:
    """A text widget that also takes a FRESCO_SCHEDULE connection."""
    text = versions.widget(
        io.String.Input,
        "schedule",
        default=default,
        multiline=False,
        optional=optional,
        tooltip="Resolution schedule in one line, or a connected Fresco Schedule. "
        + EXAMPLES
        + extra_help,
    )
    return io.MultiType.Input(text, types=[FrescoScheduleType])


def preset_input(tooltip: str, *more: str, optional: bool = False) -> Any:
    """The choice of a ready schedule; `more` options follow the presets."""
    options = [*preset_names(), *more]
    return versions.widget(
        io.Combo.Input,
        "preset",
        options=options,
        default=DEFAULT_PRESET,
        optional=optional,
        tooltip=tooltip,
    )


def steps_input(tooltip: str) -> Any:
    """The number of steps over all passes."""
    return versions.widget(io.Int.Input, "steps", default=20, min=1, max=10000, tooltip=tooltip)


def cfg_input() -> Any:
    """The scale of classifier-free guidance, as KSampler has it."""
    return versions.widget(
        io.Float.Input,
        "cfg",
        default=8.0,
        min=0.0,
        max=100.0,
        step=0.1,
        round=0.01,
        tooltip="Classifier-free guidance scale.",
    )


def sampler_input(tooltip: str) -> Any:
    """The choice of the host's samplers."""
    names = comfy.samplers.KSampler.SAMPLERS
    return versions.widget(io.Combo.Input, "sampler_name", options=names, tooltip=tooltip)


def denoise_input() -> Any:
    """How much of the noise a run begins with, as KSampler has it."""
    return versions.widget(
        io.Float.Input,
        "denoise",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Below 1 the latent's own content is kept in part (image to image).",
    )


def scheduler_input(tooltip: str) -> Any:
    """The choice of the host's schedulers."""
    names = comfy.samplers.SCHEDULER_NAMES
    return versions.widget(io.Combo.Input, "scheduler", options=names, default="simple", tooltip=tooltip)


def baseline_input() -> Any:
    """The number of full steps to compare the cost with. Append it last: saved workflows go by position."""
    return versions.widget(
        io.Int.Input,
        "baseline_steps",
        default=0,
        min=0,
        max=10000,
        advanced=True,
        optional=True,
        tooltip="Steps at full resolution that you would take otherwise; the speed-up over them is told too. "
        "0 compares with the same number of steps only. Changes nothing in the picture.",
    )


def live_input() -> Any:
    """The switch of the live heatmap. Append it last: saved workflows go by position."""
    return versions.widget(
        io.Boolean.Input,
        "live_heatmap",
        default=False,
        optional=True,
        tooltip="Draw over the previews where the picture still changes, and how far the plan is. Needs a "
        "preview method in the settings. Changes nothing in the picture.",
    )


def vae_input() -> Any:
    """What carries drafts over pixels, where a schedule says 'via pixels'."""
    return io.Vae.Input(
        "vae",
        optional=True,
        tooltip="The model's VAE, for schedules with 'via pixels': the draft is decoded, enlarged and "
        "encoded before it is refined. Without it drafts are copied, and refined from high sigmas.",
    )


def upscale_input() -> Any:
    """What enlarges drafts that are carried over pixels."""
    return io.UpscaleModel.Input(
        "upscale_model",
        optional=True,
        tooltip="Enlarges the draft instead of bicubic interpolation, by any factor. Needs vae.",
    )


FROM_TEXT, FROM_NUMBERS = "from text", "from numbers"
LEVELS = {name: level for name, level in words.LEVELS.items() if level}  # that a draft may have


def built(source: str, text: str, draft_level: str, draft_part: float, refine_from: float) -> Schedule:
    """The schedule that FrescoSchedule's widgets mean. Raises ScheduleError."""
    if source == FROM_TEXT:
        return schedule_in(text)
    if source == FROM_NUMBERS:
        draft = Phase(Dense(LEVELS[draft_level]), Portion(round(draft_part, 4)))
        refine = Phase(Dense(0), Portion(round(1.0 - draft_part, 4)))
        return Schedule((Pass((draft,), end=None), Pass((refine,), start=round(refine_from, 4))))
    return named_schedule(source)


def to_schedule(value: Schedule | str | None, preset_name: str = DEFAULT_PRESET) -> Schedule:
    """What a `schedule` input and a preset mean: what is connected or written, else the preset."""
    if isinstance(value, Schedule):
        return value
    if value is None or (isinstance(value, str) and not value.strip()):
        return named_schedule(preset_name)
    return schedule_in(value)


def to_clean_schedule(value: Schedule | str | None, preset_name: str = DEFAULT_PRESET) -> Schedule:
    """As `to_schedule`, for runs that end clean. Raises ScheduleError for schedules that end coarse."""
    schedule = to_schedule(value, preset_name)
    check_end(schedule)
    return schedule


def explained(read: Callable[..., Schedule], *values: Any) -> bool | str:
    """What `validate_inputs` answers: True where `read` makes a schedule of the values, else what is wrong.

    The host marks the node and shows the words before anything runs.
    """
    try:
        read(*values)
    except ScheduleError as error:
        return str(error)
    return True
