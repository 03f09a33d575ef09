"""The lines of the ready schedules, by name.

Each is a rule that fits any number of steps, any size, pictures and video: percentages of the steps instead
of counts; `min` keeps the full steps that a picture needs where there are few; `~` keeps the draft within the
sizes that the model is trained for. Where a rule does not fit, the run is plain and says why.
"""

from __future__ import annotations

PRESETS: dict[str, str] = {
    "off": "full",
    "quality": "draft ~1/4 40% to refine; refine 60% min x2",
    "balanced": "draft ~1/4 50% to refine; refine 50% min x2",
    "fast": "draft ~1/4 75% to refine; refine 25% min x2",
    "spectral": "spectral 80%, full 20% min x3",
    "progressive": "~1/2 40%, ~mixed 25%..75% low 40%, full 20%",
}

USUAL = ("quality", "balanced", "fast")
"""Those that a user chooses among, the most careful first."""

RESEARCH = ("progressive",)
"""Presets that are the paper's own procedure or a study of it, and that dense steps of equal cost beat
(`python -m benchmarks.quality --suite progressive`)."""
