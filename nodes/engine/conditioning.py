"""Conditioning that lies on the canvas, brought along to a coarse look.

Areas, masks, and start and end percents need no care: the host resolves them on the canvas, before the look.
What the network itself receives on the canvas's grid is merged here; ControlNets are called on what the
network sees, and what they and patches of the network look at is continued as far (control_pictures.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.canvas.haar import pack_channels, padded_size, unpack_channels
from ...fresco_core.canvas.levels import side_at
from ..families import kind_of
from ..families.family import MAP, MASKED, REBUILT, REFERENCE, Kind
from ..host.lending import lent
from ..host.samplers import chained
from .control_pictures import hints_continued, reach
from .frames import told_rate
from .guides import DRAWN, PACKED, PLACES, guides_at, keyframes_at
from .look import CanvasView
from .refusals import watched
from .run import Run

MASK_SIDE = 8  # pixels of a cell


def at_level(view: CanvasView, x: Tensor, conds: dict[str, Any]) -> dict[str, Any]:
    """The network's keyword arguments for a canvas (or area) x (B, C, ..., H, W), brought to the view's
    level: maps of the canvas and pictures of reference merged, what is neither as it is."""
    kinds = {name: kind_of(view.target.model, name, view.given.maps) for name in conds}
    brought = {
        name: _merged(view, x, value, kinds[name]) if kinds[name] in (MAP, MASKED, REFERENCE) else value
        for name, value in conds.items()
    }
    if (conds.get(PACKED) or {}).get("keyframes"):
        brought[PACKED] = keyframes_at(conds[PACKED], lambda latent: view.condition(latent, x))
    if REBUILT in kinds.values():
        level = view.look.level
        size = padded_size((x.shape[-2], x.shape[-1]), level, view.canvas.patch)
        low = side_at(size[0], level), side_at(size[1], level)
        if PLACES in conds or DRAWN in conds:
            brought |= guides_at(conds, (x.shape[-2], x.shape[-1]), low, size)
        else:
            brought |= rebuilt(conds, (*x.shape[:-2], *low))
    return told_rate(brought, view.look.halvings)


def _merged(view: CanvasView, x: Tensor, value: Any, kind: Kind) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_merged(view, x, item, kind) for item in value)
    if not isinstance(value, Tensor) or value.ndim < 4 or not value.is_floating_point():
        return value
    if kind is MASKED:
        return _masked(view, x, value)
    return view.condition(value, x, on_canvas=kind is MAP)


def _masked(view: CanvasView, x: Tensor, value: Tensor) -> Tensor:
    """A map (B, ..., C, [T,] H, W) whose last channels are the pixels of a mask: pixel (i, j) of each cell in
    channel 8 i + j of them."""
    axis = value.ndim - x.ndim + 1
    channels = value.shape[axis] - MASK_SIDE**2
    if channels <= 0 or channels % x.shape[1]:
        return view.condition(value, x, on_canvas=True)
    picture, mask = value.split((channels, MASK_SIDE**2), axis)
    pixels = unpack_channels(mask.movedim(axis, -3), MASK_SIDE).movedim(-3, axis)
    pixels = view.condition(pixels, x, on_canvas=True).movedim(axis, -3)
    mask = pack_channels(pixels, MASK_SIDE).movedim(-3, axis)
    return torch.cat((view.condition(picture, x, on_canvas=True), mask), axis)


def rebuilt(conds: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Tensor]:
    """HiDream O1's places of its tokens for a state of `shape` (B, 3, h, w), as the host makes them.

    conds: its arguments for the full canvas. Runs with reference pictures never come here.
    """
    from comfy.ldm.hidream_o1.conditioning import build_extra_conds

    like = conds["input_ids"]
    state = torch.empty(shape, device=like.device)
    made = build_extra_conds(like, state, None, target_patch_size=32)
    return {name: made[name] for name in ("position_ids", "token_types", "vinput_mask") if name in conds}


def with_level_controls(run: Run, conds: list[list[dict] | None]) -> list[list[dict] | None]:
    """The conditionings with every ControlNet replaced by one that sees the run's level."""

    def replaced(cond: dict) -> dict:
        control = cond.get("control")
        if control is None:
            return cond
        if id(control) not in run.controls:
            run.controls[id(control)] = LevelControl(control, run)
        return {**cond, "control": run.controls[id(control)]}

    return [None if group is None else [replaced(cond) for cond in group] for group in conds]


class LevelControl:
    """Stands for a ControlNet while the model looks at a level: same object, called on the level's state.

    Its start and end percents are judged at the canvas's sigma.
    """

    def __init__(self, control: Any, run: Run):
        self._control = control
        self._run = run
        self._lock = threading.Lock()
        self._hints: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)

    def get_instance_for_device(self, device: Any) -> LevelControl:
        """The host's multi-GPU clones, seen the same way."""
        instance = self._control.get_instance_for_device(device)
        return self if instance is self._control else LevelControl(instance, self._run)

    def get_control(self, x_noisy: Tensor, t: Tensor, cond: dict, *args: Any, **kwargs: Any) -> Any:
        """The host's call, with canvas and sigma brought to the level."""
        state, sigma = self._run.view.coarse(x_noisy, t, cond.get("transformer_options", {}))
        size, level = (x_noisy.shape[-2], x_noisy.shape[-1]), self._run.view.look.level
        whole = reach(self._run.trace.canvas, size, level)
        with (
            watched(self._run),
            self._lock,
            lent(_ranges_judged_at(self._control, t)),
            hints_continued(chained(self._control), size, whole, self._hints),
        ):
            return self._control.get_control(state, sigma, cond, *args, **kwargs)


def _ranges_judged_at(control: Any, sigma: Tensor) -> Iterator[tuple[Any, str, Any]]:
    """What lets every ControlNet of the chain be active or not as it is at `sigma`, whatever lower sigma it
    is called with; and Advanced-ControlNet's keyframes, which hold from their own sigma down."""
    always, never = (float("inf"), float("-inf")), (float("-inf"), float("inf"))
    for one in chained(control):
        limits = getattr(one, "timestep_range", None)
        if limits is not None:
            active = not (sigma[0] > limits[0] or sigma[0] < limits[1])
            yield one, "timestep_range", always if active else never
        for keyframe in getattr(getattr(one, "timestep_keyframes", None), "keyframes", ()):
            if keyframe.start_t < sigma[0]:
                yield keyframe, "start_t", float("-inf")
