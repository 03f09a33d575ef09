"""What a run costs on its model: its plan before the first step, and every call of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...fresco_core import Canvas, MixedLook, Plan
from ...fresco_core.cost import Architecture, crossings, plan_cost
from ...fresco_core.text.in_words import plan_in_words
from ..host.conds import conditions_of
from ..host.model import bare_canvas
from ..host.vae import flops
from .guides import HEARD, PACKED, SEEN, keyframes_in
from .look import CanvasView
from .spending import Spent
from .streams import Streams

TEXTS = ("c_crossattn", "txt_byt5")  # a prompt's tokens, and those of the words that HunyuanVideo 1.5 writes


def as_run(architecture: Architecture, conds: dict[str, list[dict]], streams: Streams) -> Architecture:
    """The architecture with a run's sound, and as many text tokens as its first conditioning has, where that
    is known."""
    architecture = replace(architecture, sound_tokens=sound_tokens(architecture, streams))
    for cond in (cond for group in conds.values() for cond in group):
        parts = [cond.get("model_conds", {}).get(name) for name in TEXTS]
        if parts[0] is not None:
            return replace(architecture, text_tokens=sum(p.cond.shape[1] for p in parts if p is not None))
    return architecture


def references_of(model: Any, conds: dict[str, list[dict]]) -> list[Canvas]:
    """The pictures of reference of a run's first conditioning that has some."""
    found = next(iter(conditions_of(conds).get("ref_latents", ())), None)
    return [bare_canvas(model, tuple(picture.shape)) for picture in pictures_in(found)]


def pictures_in(given: Any) -> list[Tensor]:
    """The latents (B, C, ..., H, W) among what a network is given as references: one, or several."""
    several = given if isinstance(given, (list, tuple)) else [given]
    return [one for one in several if isinstance(one, Tensor) and one.ndim >= 4]


def sound_tokens(architecture: Architecture, streams: Streams, given: Sequence[Tensor] = ()) -> int:
    """Tokens of the sound that a run holds beside its video, and of what is `given` (1, C, ...) to hear."""
    values = sum(math.prod(shape) for shape in streams.shapes[1:]) + sum(sound.numel() for sound in given)
    return values // architecture.sound if architecture.sound else 0


def call_flops(
    view: CanvasView, streams: Streams, images: list[Tensor], text: Tensor | None, conds: dict[str, Any]
) -> Spent:
    """What a call of the network costs at the view's look, and at full resolution.

    `streams` are what the call holds, and `images` the canvas (or an area or window of it) and pictures of
    reference, all at full size.
    """
    architecture, look = view.target.architecture, view.look
    values = sum(image.numel() for image in images)
    held = values, 0 if conds.get("control") is None else values
    if architecture is None:
        return Spent(0, 0, *held)
    canvases = [bare_canvas(view.target.model, tuple(image.shape)) for image in images]
    glyphs, vision = (conds.get(name) for name in ("txt_byt5", "clip_fea"))
    length = sum(part.shape[1] for part in (text, glyphs) if part is not None)
    packed = conds.get(PACKED) or {}
    pictures = [bare_canvas(view.target.model, tuple(seen.shape)) for seen in packed.get(SEEN, ())]
    on_grid = keyframes_in(packed)
    canvases += pictures[:on_grid]
    batch, seen = images[0].shape[0], 0 if vision is None else vision.shape[-2]
    beside = sum(picture.tokens(0) for picture in pictures[on_grid:])
    full = beside + sum(c.tokens(0) for c in canvases)
    if isinstance(look, MixedLook):
        now = full - canvases[0].tokens(0) + look.layout.tokens
    else:
        now = beside + canvases[0].tokens(look.level, look.halvings)
        now += sum(c.tokens(look.level) for c in canvases[1:])
    sound = sound_tokens(architecture, streams, packed.get(HEARD, ()))
    rest = batch, length, seen, sound
    return Spent(architecture.step_flops(now, *rest), architecture.step_flops(full, *rest), *held)


def bridge_flops(plan: Plan, vae: Any) -> int | None:
    """FLOPs of carrying the plan's drafts over pixels through a host's VAE, for one picture or video; None
    where they cannot be counted."""
    total, canvas = 0, plan.canvas
    for crossing in crossings(plan):
        cost = flops(vae, canvas, *crossing)
        if cost is None:
            return None
        total += cost
    return total


def describe_plan(
    plan: Plan,
    architecture: Architecture | None,
    baseline_steps: int,
    vae: Any = None,
    windows: tuple[int, int] | None = None,
    references: Sequence[Canvas] = (),
) -> str:
    """The plan in words, with its cost where the architecture is known, in as many `windows` of so many
    frames, beside pictures of reference."""
    words, canvas = plan_in_words(plan), plan.canvas
    if canvas.unknown and not plan.plain:
        words += (
            f"\nunknown model class {canvas.family}: half resolution at the most, not below {canvas.fewest}"
        )
    if architecture is None:
        return words
    bridge = 0 if vae is None else bridge_flops(plan, vae)
    count, frames = windows or (1, canvas.frames)
    seen = replace(plan, canvas=replace(canvas, frames=frames))
    heard = replace(architecture, sound_tokens=architecture.sound_tokens * frames // canvas.frames)
    return f"{words}\n{plan_cost(seen, heard, count, None, bridge, references).describe(baseline_steps)}"
