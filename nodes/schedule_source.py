"""What the widgets of FrescoSchedule mean."""

from __future__ import annotations

from ..fresco_core import Look, Pass, Schedule, parse, preset

FROM_TEXT, FROM_NUMBERS = "from text", "from numbers"
LEVELS = {"1/2": 1, "1/4": 2, "1/8": 3}


def build(source: str, text: str, draft_level: str, draft_share: float, refine_from: float) -> Schedule:
    """The schedule that the node's widgets mean. Raises ScheduleError."""
    if source == FROM_TEXT:
        return parse(text)
    if source == FROM_NUMBERS:
        return Schedule(
            (
                Pass((Look(LEVELS[draft_level], share=round(draft_share, 4)),)),
                Pass((Look(0, share=round(1.0 - draft_share, 4)),), start=round(refine_from, 4)),
            )
        )
    return preset(source)
