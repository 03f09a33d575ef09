"""Ready schedules: by name, or by a line of text that may be a name."""

from __future__ import annotations

from ..schedule.schedule import Schedule
from ..schedule.wording import ScheduleError
from .grammar import parse
from .preset_lines import PRESETS, RESEARCH, USUAL
from .words import quoted_word

__all__ = ["PRESETS", "RESEARCH", "USUAL", "preset", "schedule_in"]


def preset(name: str) -> Schedule:
    """The schedule of that name in PRESETS; ScheduleError naming them all otherwise."""
    if name not in PRESETS:
        raise ScheduleError(f"unknown preset {quoted_word(name)}; expected one of {', '.join(PRESETS)}")
    return parse(PRESETS[name])


def schedule_in(text: str) -> Schedule:
    """What a line of text means: the preset of that name, else a schedule. Raises ScheduleError."""
    name = text.strip().lower() if isinstance(text, str) else ""
    return preset(name) if name in PRESETS else parse(text)
