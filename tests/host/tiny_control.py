"""A tiny FLUX ControlNet of the host's own classes (pixel hint, no VAE), and how to attach and watch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# tiny boots the host, so it comes before comfy
from tiny import Conditioning, fill
from tiny_families import FLUX

# isort: split
import comfy.controlnet
import comfy.ldm.flux.controlnet
import comfy.ops


def flux_controlnet(seed: int = 0) -> comfy.controlnet.ControlNet:
    """An XLabs-style ControlNet for `build("flux")`; its hint is an image, 8 pixels to a latent pixel."""
    cpu = torch.device("cpu")
    model = comfy.ldm.flux.controlnet.ControlNetFlux(
        operations=comfy.ops.disable_weight_init,
        device=cpu,
        dtype=torch.float32,
        **FLUX | {"depth": 1, "depth_single_blocks": 1},
    )
    fill(model, seed + 1000)
    return comfy.controlnet.ControlNet(model.eval(), load_device=cpu, extra_conds=["y", "guidance"])


def hint_image(size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """A random IMAGE (1, 8H, 8W, 3) for a canvas of (H, W) latent pixels."""
    return torch.rand((1, size[0] * 8, size[1] * 8, 3), generator=torch.Generator().manual_seed(seed))


def with_control_pair(
    positive: Conditioning,
    negative: Conditioning,
    control: comfy.controlnet.ControlBase,
    hint: torch.Tensor,
    strength: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
) -> tuple[Conditioning, Conditioning]:
    """What ControlNetApplyAdvanced makes of both: they share one copy, so that the host may batch them.

    hint: IMAGE (B, H, W, C) in 0..1; start, end: share of the run.
    """
    if strength == 0:
        return positive, negative
    copies: dict[comfy.controlnet.ControlBase | None, comfy.controlnet.ControlBase] = {}

    def attach(entry: list) -> list:
        earlier = entry[1].get("control")
        if earlier not in copies:
            copies[earlier] = control.copy().set_cond_hint(hint.movedim(-1, 1), strength, (start, end))
            copies[earlier].set_previous_controlnet(earlier)
        return [entry[0], entry[1] | {"control": copies[earlier], "control_apply_to_uncond": False}]

    return [attach(entry) for entry in positive], [attach(entry) for entry in negative]


def with_control(
    conditioning: Conditioning,
    control: comfy.controlnet.ControlBase,
    hint: torch.Tensor,
    strength: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
) -> Conditioning:
    """`with_control_pair` for one side; the host runs sides with controls of their own one by one."""
    return with_control_pair(conditioning, [], control, hint, strength, start, end)[0]


@contextmanager
def count_control_calls(control: comfy.controlnet.ControlNet) -> Iterator[list[tuple[int, int]]]:
    """Yield a list that gets the (H, W) of each x that the control model, shared by all copies, receives."""
    seen: list[tuple[int, int]] = []

    def note(_model: torch.nn.Module, _args: tuple, kwargs: dict) -> None:
        seen.append(tuple(kwargs["x"].shape[-2:]))

    handle = control.control_model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()
