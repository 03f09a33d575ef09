"""Wan 2.1 and 2.2: a timestep for every token, rotations made by the network's `rope_encode`.

Coarse tokens have their own clock. That takes one row of the time projection per token, as the host makes it
for image to video. The text is seen by cross-attention, which no override can tell from the picture's own,
so that all tokens lie in one frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import compat
from ..mixing import MixedCall
from .strip import View, lacks, single_frame, through_strip

NATIVE = True
CONDITIONS = frozenset({"clip_fea"})
FORWARD = "x timestep context clip_fea time_dim_concat transformer_options"


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    wanted = ("t", "h", "w", "device", "dtype", "transformer_options")
    if lacks(getattr(network, "rope_encode", None), *wanted) or lacks(network._forward, *FORWARD.split()):
        return "the host's Wan makes its positions in another way than this version of Fresco knows"
    return "this Wan model has tokens of several frames" if network.patch_size[0] != 1 else None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network, layout = executor.class_obj, call.layout
    given = compat.bound(FORWARD, args, kwargs)
    options = given["transformer_options"]
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def positions(x: Tensor) -> Tensor:
        size = {"device": x.device, "dtype": torch.float32, "transformer_options": options}
        return unrotated.rope_encode(*x.shape[2:], **size).squeeze(2)

    ids = single_frame(layout, positions(given["x"]), positions(call.state))
    if call.native:
        fine = given["timestep"][:, None].expand(-1, layout.fine.shape[1])
        coarse = call.timestep[:, None].expand(-1, layout.coarse.shape[1])
        given["timestep"] = torch.cat((fine, coarse), dim=1)
    view = View(network, rope_embedder=lambda _: network.rope_embedder(ids))
    positional = tuple(given.pop(name, None) for name in FORWARD.split())
    return through_strip(executor, view, positional, given, call)
