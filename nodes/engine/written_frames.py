"""Clean frames that a node writes into what the network sees, and where their speakers are: Wan InfiniteTalk.

Its node wraps the model's call from within the run, inside of Fresco's own look, and keeps the places of two
speakers by the network's tokens. Both are of the canvas, and a coarse look has its own of them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import comfy.patcher_extension
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...fresco_core.canvas.haar import extend, repeated
from ..host.caches import patches_of
from ..host.lending import lent
from .control_pictures import reach
from .look import CanvasView

WRITER = "MultiTalk_apply_model"
"""The host's key of the wrapper that writes the frames: `init_latents` (1, C, T, H, W), clean."""
SPEAKERS = "ref_target_masks"
"""The attribute of its patch of the network's attention: booleans (speakers, tokens of a frame)."""


def frames_written_at_level(options: dict, view: CanvasView, x: Tensor) -> AbstractContextManager[None]:
    """Let the frames be those of the look that the model is called at for the canvas x (B, C, T, H, W), and
    the speakers' places."""
    writers = writers_of(options)
    lookers = [one for one in patches_of(options) if getattr(one, SPEAKERS, None) is not None]
    wanted = [(one, "init_latents", view.condition(one.init_latents, x)) for one in writers]
    wanted += [(one, SPEAKERS, speakers_at_level(getattr(one, SPEAKERS), view)) for one in lookers]
    return lent(wanted)


def writers_of(options: dict) -> list[Any]:
    """The host's wrappers that write frames."""
    wrappers = options.get("wrappers", {}).get(comfy.patcher_extension.WrappersMP.APPLY_MODEL, {})
    return [one for one in wrappers.get(WRITER, ()) if hasattr(one, "init_latents")]


def with_frames_written(clip: Tensor, options: dict) -> Tensor:
    """A clean clip (B, C, T, H, W) of the canvas with the frames that the network has seen in place of what
    it predicts of them, which its node leaves out of the result too."""
    for one in writers_of(options):
        frames = repeated(one.init_latents.to(clip), len(clip))
        clip = torch.cat((frames, clip[:, :, frames.shape[2] :]), dim=2)
    return clip


def speakers_at_level(masks: Tensor, view: CanvasView) -> Tensor:
    """Masks (speakers, tokens of the canvas) for the look's tokens, as the host's node makes them for a video
    of that size: of every token the nearest."""
    canvas, level = view.canvas, view.look.level
    size = canvas.height, canvas.width
    rows, columns, height, width = (side // canvas.patch for side in (*size, *reach(canvas, size, level)))
    whole = extend(masks.float().unflatten(-1, (rows, columns)), (height, width))
    return (interpolate(whole[None], canvas.blocks(level), mode="nearest")[0] > 0).flatten(1)
