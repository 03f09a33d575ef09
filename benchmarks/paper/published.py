"""What the paper reports: speed-ups of arXiv 2601.07462 against 50 steps at full resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

BASELINE_STEPS = 50


@dataclass(frozen=True)
class Published:
    """One row. gain: of FLOPs, or of `measure`. baseline: the model whose 50 steps it is measured against.
    goal: the gain that this pack is meant to reach, where it has one.

    resolution names the picture's size; width, height and frames are those of the run.
    """

    model: str
    resolution: int
    width: int
    height: int
    nfe: int
    gain: float
    baseline: str
    frames: int = 1
    measure: str = "FLOPs"
    goal: float | None = None
    note: str = ""


def size(width: int, height: int, frames: int = 1) -> str:
    """As tables write it: 1024x1024, 1280x720x81."""
    return f"{width}x{height}" + f"x{frames}" * (frames > 1)


FLUX = "flux.1-dev"
ROWS = (
    Published(FLUX, 1024, 1024, 1024, 30, 2.87, FLUX, goal=3.2),
    Published(FLUX, 1024, 1024, 1024, 18, 4.72, FLUX, goal=5.5),
    Published(FLUX, 1024, 1024, 1024, 9, 10.27, FLUX, goal=12.0),
    Published(FLUX, 2048, 2048, 2048, 18, 5.68, FLUX, measure="latency", goal=7.0),
    Published("flux.1-lite", 1024, 1024, 1024, 10, 10.03, FLUX, note="evaluations not published; 10 assumed"),
    Published("flux.1-schnell", 1024, 1024, 1024, 4, 22.10, FLUX, goal=25.0),
    Published("hunyuan-video", 720, 1280, 720, 23, 3.91, "hunyuan-video", frames=125, goal=4.5),
    Published("hunyuan-video", 720, 1280, 720, 18, 4.92, "hunyuan-video", frames=125, goal=6.0),
)


def shift(model: str, tokens: int) -> float:
    """The shift of a model's sigma grid at full resolution.

    FLUX.1-dev and lite: exp(mu), mu through 0.5 at 256 and 1.15 at 4096 image tokens (get_lin_function of
    black-forest-labs/flux). FLUX.1-schnell: none. HunyuanVideo: the 7.0 of Tencent's inference script.
    """
    if model in ("flux.1-dev", "flux.1-lite"):
        return math.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256))
    return {"flux.1-schnell": 1.0, "hunyuan-video": 7.0}[model]
