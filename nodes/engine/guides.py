"""Guides at a level: pictures and clips that steer a video, on its own grid.

LTX-Video's are frames behind the video's own: they lie in the latent and are looked at as it is. What tells
the network where in the video they belong is made for the full grid: the places of every token
(`keyframe_idxs`), and how many tokens each guide has (`guide_attention_entries`). MiniMax H3's keyframes are
beside the latent, and its network makes their places anew of what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...fresco_core import Canvas
from ...fresco_core.canvas.levels import THREE_QUARTERS, block
from .control_pictures import continued_picture
from .kept_pixels import MASK
from .thin_guides import PLACES, factors_of

ENTRIES = "guide_attention_entries"
WEIGHTS = "pixel_mask"  # of an entry, (1, 1, frames, h, w): how much a guide's pixels count
DRAWN = "generated_keyframes"  # frames behind the video's own that are made with it, each a single picture
PACKED = "minimax_payload"  # what MiniMax H3 sees and hears besides, in one sequence with what it makes
SEEN, HEARD = "cond_video_latents", "cond_audio_latents"  # of that: the keyframes' first


def guides_at(
    conds: dict[str, Any], size: tuple[int, int], low: tuple[int, int], whole: tuple[int, int]
) -> dict[str, Any]:
    """The guides of a video of `size` (rows and columns of tokens) for a look of `low`, continued to `whole`.

    A run of `low` has places from 0 on at the same distance, so a guide's are the full grid's first ones.
    """
    full, few = size[0] * size[1], low[0] * low[1]
    made: dict[str, Any] = {}
    places: Tensor | None = conds.get(PLACES)
    if places is not None:
        grid = places.unflatten(2, (places.shape[2] // full, *size))  # none in a window without guides
        made[PLACES] = grid[:, :, :, : low[0], : low[1]].flatten(2, 4)
    if conds.get(ENTRIES) is not None:
        made[ENTRIES] = [
            {
                **entry,
                "pre_filter_count": entry["pre_filter_count"] // full * few,
                "latent_shape": [entry["latent_shape"][0], *thinned(entry["latent_shape"][1:], size, low)],
                **mask_of(entry, size, whole),
            }
            for entry in conds[ENTRIES]
        ]
    if conds.get(DRAWN) is not None:
        made[DRAWN] = {**conds[DRAWN], "tokens_per_frame": few}
    return made


def mask_of(entry: dict[str, Any], size: tuple[int, int], whole: tuple[int, int]) -> dict[str, Tensor]:
    """The mask of a guide's entry, where it has one, as far as the video of `size` is continued."""
    mask = entry.get(WEIGHTS)
    return {} if mask is None or whole == size else {WEIGHTS: continued_picture(mask, size, whole)}


def thinned(own: list[int], size: tuple[int, int], low: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a guide that has `own` of the video's `size`, at a look of `low`."""
    return low[0] * own[0] // size[0], low[1] * own[1] // size[1]


def guide_frames(given: dict[str, Any], canvas: Canvas) -> int:
    """How many frames behind the video's own are guides, in a run whose conditioning is `given` by name."""
    places = given.get(PLACES)
    return 0 if places is None else places.shape[2] // (canvas.height * canvas.width)


def unplaceable(given: dict[str, Any], canvas: Canvas, level: float) -> str | None:
    """Why the guides of a run, whose conditioning is `given` by name, have no places at a level; None where
    they have, or there are none. Reads from the device, where there are guides."""
    places, mask = given.get(PLACES), given.get(MASK)
    if places is None:
        return None
    if places.shape[2] % (canvas.height * canvas.width):
        return f"a guide of {places.shape[2]} tokens is not on the grid of {canvas.height}x{canvas.width}"
    factors = (1,) if mask is None else factors_of(mask)
    if factors is None:
        return "a guide on a grid of its own has no whole number of the video's pixels in each of its own"
    coarsest = max(factors)
    side, (height, width) = block(level)[0], (canvas.height, canvas.width)
    if coarsest > 1 and (level == THREE_QUARTERS or height % (coarsest * side) or width % (coarsest * side)):
        own = f"{height // coarsest}x{width // coarsest}"
        return f"a guide on a grid of its own, {own}, has no whole blocks of {side}x{side}"
    return None


def keyframes_in(packed: dict[str, Any]) -> int:
    """How many of the pictures that MiniMax H3 sees are keyframes, which lie on the video's grid."""
    return sum(frame.get("latent") is not None for frame in packed.get("keyframes") or ())


def keyframes_at(packed: dict[str, Any], merged: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """MiniMax H3's payload with its keyframes brought to a level by `merged`; the network lays them out."""
    frames = [
        frame if frame.get("latent") is None else {**frame, "latent": merged(frame["latent"])}
        for frame in packed["keyframes"]
    ]
    seen = [frame["latent"] for frame in frames if frame.get("latent") is not None]
    rest = {name: value for name, value in packed.items() if name != "layout"}
    return {**rest, "keyframes": frames, SEEN: [*seen, *packed[SEEN][len(seen) :]]}
