"""What a run gives its network on the canvas, beside the state."""

from __future__ import annotations

from dataclasses import dataclass, field

from .kept_pixels import Kept
from .thin_guides import ThinGuides


@dataclass
class Given:
    """maps: names of the conditionings that the host says lie on the canvas. kept: what inpainting keeps,
    where the model is shown that without its noise. repeated: frames that every context window has. thin:
    guides on grids of their own. behind: frames behind the video's own that are guides."""

    maps: frozenset[str] = field(default_factory=frozenset)
    kept: Kept | None = None
    repeated: list[int] = field(default_factory=list)
    thin: ThinGuides | None = None
    behind: int = 0
