"""The host's own video VAEs in miniature: its loader recognises their state dicts, as it does those of files.

Where the loader builds a class of a fixed width, it is lent a narrower one while it builds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import comfy.sd
import tiny
import torch

LTX_DECODER = [
    ["res_x", {"num_layers": 1, "inject_noise": False}],
    ["compress_all", {"residual": True, "multiplier": 2}],
    ["compress_all", {"residual": True, "multiplier": 2}],
    ["res_x", {"num_layers": 1, "inject_noise": False}],
    ["compress_all", {"residual": True, "multiplier": 2}],
    ["res_x", {"num_layers": 1, "inject_noise": False}],
]
"""Of LTX-Video 0.9.7 and LTX-2, with fewer layers: eight times in time, and with the patch 32 in space."""
LTX_ENCODER = [
    ["res_x", {"num_layers": 1}],
    ["compress_space_res", {"multiplier": 2}],
    ["compress_time_res", {"multiplier": 1}],
    ["compress_all_res", {"multiplier": 1}],
    ["compress_all_res", {"multiplier": 1}],
    ["res_x", {"num_layers": 1}],
]
LTX = {
    "dims": 3,
    "latent_channels": 128,
    "encoder_blocks": LTX_ENCODER,
    "decoder_blocks": LTX_DECODER,
    "norm_layer": "pixel_norm",
    "patch_size": 4,
    "latent_log_var": "uniform",
    "timestep_conditioning": True,
}
WIDTHS = [8, 16, 16, 32, 64]  # of HunyuanVideo 1.5's; the last is twice its 32 latent channels


@dataclass(frozen=True)
class VideoVAE:
    """A video VAE: how it is built, and how it packs.

    scale: pixels a latent pixel; frames: of T latent ones.
    """

    build: Callable[[], comfy.sd.VAE]
    channels: int
    scale: int
    frames: Callable[[int], int]


def _narrower(module: Any, name: str, change: Callable[[dict], dict]) -> Any:
    """A module's class of that name, built of changed arguments."""
    kind = getattr(module, name)
    return mock.patch.object(module, name, lambda **given: kind(**change(given)))


def _drawn(network: torch.nn.Module, metadata: dict | None = None) -> comfy.sd.VAE:
    """The host's VAE of a network's state dict, with random weights."""
    tiny.fill(network, 1)
    return comfy.sd.VAE(sd=network.state_dict(), metadata=metadata, dtype=torch.float32)


def _wan() -> comfy.sd.VAE:
    from comfy.ldm.wan.vae import WanVAE

    return _drawn(
        WanVAE(
            dim=8,
            z_dim=16,
            dim_mult=[1, 2, 4, 4],
            num_res_blocks=2,
            attn_scales=[],
            temperal_downsample=[False, True, True],
            dropout=0.0,
        )
    )


def _ltx() -> comfy.sd.VAE:
    from comfy.ldm.lightricks.vae import causal_video_autoencoder as module

    with ExitStack() as lent:  # hosts before 0.14 read no widths
        for part, width in (("Encoder", 32), ("Decoder", 8)):
            lent.enter_context(_narrower(module, part, partial(_with, base_channels=width)))
        network = module.VideoVAE(config=LTX)
        network.per_channel_statistics.get_buffer("std-of-means").fill_(1.0)
        network.per_channel_statistics.get_buffer("mean-of-means").zero_()
        return _drawn(network, {"config": json.dumps({"vae": LTX})})


def _with(given: dict, **changes: Any) -> dict:
    return given | changes


def _hunyuan() -> comfy.sd.VAE:
    from comfy.ldm.models.autoencoder import AutoencoderKL

    ddconfig = {
        "double_z": True,
        "z_channels": 16,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 2, 2],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
        "conv3d": True,
        "time_compress": 4,
    }
    with _narrower(comfy.sd, "AutoencoderKL", lambda given: given | {"ddconfig": dict(ddconfig)}):
        return _drawn(AutoencoderKL(ddconfig=dict(ddconfig), embed_dim=16))


def _hunyuan_15() -> comfy.sd.VAE:
    from comfy.ldm.models.autoencoder import AutoencodingEngine

    config = {
        "block_out_channels": WIDTHS,
        "in_channels": 3,
        "out_channels": 3,
        "num_res_blocks": 1,
        "ffactor_spatial": 16,
        "ffactor_temporal": 4,
        "downsample_match_channel": True,
        "upsample_match_channel": True,
        "z_channels": 32,
    }

    def small(given: dict) -> dict:
        parts = ("encoder_config", "decoder_config")
        return given | {part: given[part] | {"params": dict(config)} for part in parts}

    where = "comfy.ldm.hunyuan_video.vae_refiner."
    given = {
        "regularizer_config": {"target": "comfy.ldm.models.autoencoder.EmptyRegularizer"},
        "encoder_config": {"target": where + "Encoder", "params": dict(config)},
        "decoder_config": {"target": where + "Decoder", "params": dict(config)},
    }
    with _narrower(comfy.sd, "AutoencodingEngine", small):
        return _drawn(AutoencodingEngine(**given))


VAES = {
    "wan": VideoVAE(_wan, 16, 8, lambda t: 1 + 4 * (t - 1)),
    "hunyuan_video": VideoVAE(_hunyuan, 16, 8, lambda t: 1 + 4 * (t - 1)),
    "hunyuan_video15": VideoVAE(_hunyuan_15, 32, 16, lambda t: 1 + 4 * (t - 1)),
    "ltx": VideoVAE(_ltx, 128, 32, lambda t: 1 + 8 * (t - 1)),
}
