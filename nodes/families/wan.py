"""Wan 2.1 and 2.2: timesteps along the sequence, rotations made by the network's `rope_encode`.

Coarse tokens have their own clock. The text is seen by cross-attention. Where a step mixes, all tokens lie in
one frame.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ..host.executors import bound
from ..mixed.call import Conditions, MixedCall
from ..mixed.strip import View, single_frame, takes, through_strip
from .family import Family, MixedAdapter, kinds

FORWARD = "x timestep context clip_fea time_dim_concat transformer_options"


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    patch = math.prod(network.patch_size)
    return families.wan(
        "wan",
        width=network.dim,
        mlp=network.ffn_dim,
        layers=network.num_layers,
        patch_inputs=patch * network.in_dim,
        patch_outputs=patch * network.out_dim,
        context=network.text_dim,
        time_features=network.freq_dim,
        vision=None if network.img_emb is None else network.img_emb.proj[1].in_features,
    )


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
    given = bound(FORWARD, args, kwargs)
    options = given["transformer_options"]
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def positions(x: Tensor) -> Tensor:
        size = {"device": x.device, "dtype": torch.float32, "transformer_options": options}
        return unrotated.rope_encode(*x.shape[2:], **size).squeeze(2)

    ids = single_frame(layout, positions(given["x"]), positions(call.state))
    if call.own_clock:
        given["timestep"] = timesteps(given["timestep"], call)
    view = View(network, rope_embedder=lambda _: network.rope_embedder(ids))
    positional = tuple(given.pop(name, None) for name in FORWARD.split())
    return through_strip(executor, view, positional, given, call)


def timesteps(fine: Tensor, call: MixedCall) -> Tensor:
    """Timesteps (B, M) of the sequence, from those of fine tokens (B,): one for each run of L / M tokens.

    The host repeats them over equal runs, as for the frames of image to video; long runs keep its modulation
    small.
    """
    counts = call.layout.fine.shape[1], call.layout.coarse.shape[1]
    run = math.gcd(*counts)
    parts = [clock[:, None].expand(-1, n // run) for clock, n in zip((fine, call.timestep), counts)]
    return torch.cat(parts, dim=1)


ADAPTER = MixedAdapter(
    "comfy.ldm.wan.model.WanModel",
    frozenset({"clip_fea"}),
    misfit,
    one_clock,
    evaluate,
)

WAN = Family(
    "Wan",
    frozenset({"WAN21", "WanModel"}),
    pixels={"Wan22": 16},
    readers={"WanModel": cost},
    conditions=kinds(
        # pose_latents of SCAIL and sam_latents: half as fine as the canvas
        MAP="time_dim_concat camera_conditions pose_latents sam_latents ref_mask_latents control_video",
        MASKED="vace_context",
        REFERENCE="reference_latent context_latents reference_motion",
        # face_pixel_values: 512x512 on any canvas, for a motion encoder
        UNTOUCHED="vace_strength audio_embed face_pixel_values ref_mask_flag clip_fea_pose context_pose "
        "pose_strength reference_strength clip_fea_ref audio_inject_scale",
    ),
    mixed=ADAPTER,
)
