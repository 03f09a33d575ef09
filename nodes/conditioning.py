"""Conditioning that lies on the canvas, brought along to a coarse look.

Areas, masks, and start and end percents need no care: the host resolves them on the canvas, before the look.
What the network itself receives in the canvas's size is merged here; ControlNets are called on what the
network sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from .run import Run, times_as_fine

REFERENCES = ("ref_latents",)  # lists of pictures of any size that the network reads as more image tokens


def at_level(run: Run, x: Tensor, conds: dict[str, Any]) -> dict[str, Any]:
    """The network's keyword arguments for a canvas (or area) x, its spatial tensors merged to the run's
    level.

    Merged are reference latents, and every floating-point tensor of 4 or more dimensions whose sides are the
    canvas's or a whole multiple of them (camera paths and masks at pixel resolution).
    """
    return {name: _merged(run, x, value, name in REFERENCES) for name, value in conds.items()}


def _merged(run: Run, x: Tensor, value: Any, always: bool) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_merged(run, x, item, always) for item in value)
    spatial = isinstance(value, Tensor) and value.ndim >= 4 and value.is_floating_point()
    if spatial and (always or times_as_fine(value, x)):
        return run.condition(value, x)
    return value


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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)

    def get_instance_for_device(self, device: Any) -> LevelControl:
        """The host's multi-GPU clones, seen the same way."""
        return LevelControl(self._control.get_instance_for_device(device), self._run)

    def get_control(self, x_noisy: Tensor, t: Tensor, cond: dict, *args: Any, **kwargs: Any) -> Any:
        """The host's call, with canvas and sigma brought to the level."""
        state, sigma = self._run.coarse(x_noisy, t, cond.get("transformer_options", {}))
        with _ranges_judged_at(self._control, t):
            return self._control.get_control(state, sigma, cond, *args, **kwargs)


@contextmanager
def _ranges_judged_at(control: Any, sigma: Tensor) -> Iterator[None]:
    """Let every ControlNet of the chain be active or not as it is at `sigma`, whatever sigma it is called
    with."""
    always, never = (float("inf"), float("-inf")), (float("-inf"), float("inf"))
    saved = []
    while control is not None:
        limits = getattr(control, "timestep_range", None)
        if limits is not None:
            active = not (sigma[0] > limits[0] or sigma[0] < limits[1])
            saved.append((control, limits))
            control.timestep_range = always if active else never
        control = getattr(control, "previous_controlnet", None)
    try:
        yield
    finally:
        for control, limits in saved:
            control.timestep_range = limits
