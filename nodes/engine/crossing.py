"""The bridge on the host: a draft goes through the model's VAE before a later pass refines it."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import check_finite
from ...fresco_core.look.bridge import bicubic, bridged
from ...fresco_core.text.in_words import plan_in_words
from ..host.loading import reload
from ..host.model import derives_from
from ..host.vae import HostAutoencoder, enlarged_by
from ..host.versions import show_where_executing
from .experts import EXPERTS
from .run import Run

LAYERED = frozenset({"QwenImage"})
"""Classes of the host's models whose latent frames are pictures of their own."""


def cross(
    run: Run, index: int, levels: tuple[float, float], samples: Tensor, guider: Any, seed: int | None
) -> Tensor:
    """The clean canvas (B, C, ..., H, W), in the model's scale, brought over pixels before a pass from the
    level that it was drawn at to a finer one; with the run's models on their device again.

    Guides behind a video stay as they are: they are no part of the clip, nor are layers of one another.
    """
    bridge, canvas = run.settings.bridge, run.trace.canvas
    assert bridge is not None
    begin = time.perf_counter()
    tell(run, f"carrying the draft over pixels, from {canvas.size(levels[0])}")
    autoencoder = HostAutoencoder(bridge.vae, run.target.model, canvas.scale, seed or 0)

    def enlarge(pixels: Tensor, size: tuple[int, int]) -> Tensor:
        if bridge.upscale_model is not None:
            pixels = enlarged_by(bridge.upscale_model, pixels)
        return bicubic(pixels, size)

    assert run.course is not None
    behind = run.view.given.behind
    clip = samples[:, :, : samples.shape[2] - behind] if behind else samples
    layered = samples.ndim == 5 and derives_from(run.target.model, LAYERED)
    if layered:
        clip = clip.transpose(1, 2).flatten(0, 1).unsqueeze(2)
    out = bridged(clip, *levels, autoencoder, canvas, enlarge, halvings=run.course.look.halvings)
    if layered:
        out = out.squeeze(2).unflatten(0, (len(samples), -1)).transpose(1, 2)
    if behind:
        out = torch.cat((out, samples[:, :, -behind:]), dim=2)
    check_finite("draft behind the VAE", out)
    experts = guider.model_options["transformer_options"].get(EXPERTS)
    if experts is None:
        reload(guider, tuple(samples.shape))
    else:
        experts.forget()  # the next evaluation loads the one that it asks
    run.trace.crossings[index] = time.perf_counter() - begin
    tell(run, f"the draft went over pixels in {run.trace.crossings[index]:.2g} s")
    return out


def tell(run: Run, words: str) -> None:
    """Say where the bridge is: below the plan where that is told, else on the sampler node that the host
    executes."""
    if run.settings.tell is None:
        show_where_executing(f"Fresco: {words}")
    else:
        run.settings.tell(f"{plan_in_words(run.plan)}\n{words}")
