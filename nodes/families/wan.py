"""Wan 2.1 and 2.2: timesteps along the sequence, rotations made by the network's `rope_encode`.

Coarse tokens have their own clock. The text is seen by cross-attention. Where a step mixes, all tokens lie in
one frame.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .. import compat
from ..mixing import Conditions, MixedCall, with_options
from .focus import Focus
from .strip import View, single_frame, takes, through_strip

CONDITIONS = frozenset({"clip_fea"})
FORWARD = "x timestep context clip_fea time_dim_concat transformer_options"


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    wanted = ("t", "h", "w", "device", "dtype", "transformer_options")
    encode = getattr(network, "rope_encode", None)
    if not takes(encode, *wanted) or not takes(network._forward, *FORWARD.split()):
        return "the host's Wan makes its positions in another way than this version of Fresco knows"
    return "this Wan model has tokens of several frames" if network.patch_size[0] != 1 else None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones: they never must."""
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network, layout = executor.class_obj, call.layout
    if call.key_values is not None:
        args, kwargs = with_options(args, kwargs, FirstOfBlock(call).around)
    given = compat.bound(FORWARD, args, kwargs)
    options = given["transformer_options"]
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def positions(x: Tensor) -> Tensor:
        size = {"device": x.device, "dtype": torch.float32, "transformer_options": options}
        return unrotated.rope_encode(*x.shape[2:], **size).squeeze(2)

    ids = single_frame(layout, positions(given["x"]), positions(call.state))
    if call.native:
        given["timestep"] = timesteps(given["timestep"], call)
    view = View(network, rope_embedder=lambda _: network.rope_embedder(ids))
    positional = tuple(given.pop(name, None) for name in FORWARD.split())
    return through_strip(executor, view, positional, given, call)


class FirstOfBlock(Focus):
    """The attention of a focus step where a block attends to the text apart: its first is the image's own."""

    _block: int | None = None

    def _joins(self, length: int, options: dict[str, Any]) -> bool:
        last, self._block = self._block, options["block_index"]
        return self._block != last


def timesteps(fine: Tensor, call: MixedCall) -> Tensor:
    """Timesteps (B, M) of the sequence, from those of fine tokens (B,): one for each run of L / M tokens.

    The host repeats them over equal runs, as for the frames of image to video; long runs keep its modulation
    small.
    """
    counts = call.layout.fine.shape[1], call.layout.coarse.shape[1]
    run = math.gcd(*counts)
    parts = [clock[:, None].expand(-1, n // run) for clock, n in zip((fine, call.timestep), counts)]
    return torch.cat(parts, dim=1)
