"""What inpainting keeps of a latent, as models see it that are shown it without its noise, at a look's level.

Two kinds: models of the image-to-video kind see every pixel that a mask keeps clean, and one that it keeps in
part at a part of the noise. MiniMax H3 sees tokens: all of one is at the noise of its most painted pixel, and
what it has nothing of is shown nearly clean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ...fresco_core import Canvas
from ...fresco_core.canvas.frames import before, continued
from ...fresco_core.canvas.haar import extend, repeated
from ...fresco_core.course import ChosenLook
from ..host.conds import conditions_of
from ..host.model import derives_from, kept_latent, shows_kept_clean
from ..host.windows import windowed
from .target import Target

MASK = "denoise_mask"  # the conditioning by which the host tells a network what is painted
CHANGES_MASK = "denoise_mask_function"  # of model options: Differential Diffusion's
AnyKept = TypeVar("AnyKept", bound="KeptPixels | KeptTokens")


class View(Protocol):
    """A canvas through a look, as far as it is needed here."""

    target: Target
    canvas: Canvas
    look: ChosenLook

    def condition(self, tensor: Tensor, x: Tensor, /) -> Tensor:
        """A tensor on x's grid, brought to the level."""


def seen_of(kept: AnyKept, x: Tensor, transformer_options: dict, frames: list[int]) -> AnyKept | None:
    """What is kept of x, several batches of the canvas or a window of it, with the `frames` that every window
    has; None for other parts of it."""
    found = {name: windowed(part, x, transformer_options, frames) for name, part in vars(kept).items()}
    parts = {name: repeated(part, x.shape[0]).to(x) for name, part in found.items() if part is not None}
    return replace(kept, **parts) if len(parts) == len(found) else None


def rearranged(kept: AnyKept, moved: Callable[[Tensor], Tensor]) -> AnyKept:
    """The same of a canvas whose pixels are `moved`."""
    parts: dict[str, Any] = {name: moved(part) for name, part in vars(kept).items()}
    return replace(kept, **parts)


@dataclass
class KeptPixels:
    """A latent (B, C, ..., H, W), of which pixels are clean where the mask is 0, and in part where it is
    below 1."""

    latent: Tensor
    mask: Tensor

    def part(self, model: Any, sigma: Tensor) -> Tensor:
        """What is kept in a state at sigma (B,): the rest of it is the sampler's own state times the mask."""
        return kept_latent(model, sigma, self.latent, torch.zeros_like(self.latent)) * (1.0 - self.mask)

    def without(self, view: View, x: Tensor, sigma: Tensor) -> Tensor:
        """The noisy part of what the model is to see as x at sigma (B,)."""
        return x - self.part(view.target.model, sigma)

    def beyond(self, state: Tensor, halvings: int) -> Tensor:
        """The noisy part of a canvas that is continued to whole tokens and groups of frames: within it as it
        is, and times the mask beyond."""
        mask = continued(extend(self.mask, (state.shape[-2], state.shape[-1])), halvings).clone()
        inner = mask if not halvings else mask.narrow(-3, before(halvings), self.mask.shape[-3])
        inner[..., : self.mask.shape[-2], : self.mask.shape[-1]] = 1.0
        return state * mask

    def together(self, view: View, state: Tensor, level_sigma: Tensor, x: Tensor) -> Tensor:
        """The level's noisy part, at level_sigma (B,), with what is kept of x."""
        return state + view.condition(self.part(view.target.model, level_sigma), x)


@dataclass
class KeptTokens:
    """A video (B, C, T, H, W) of which MiniMax H3 keeps tokens, and the noise of its run.

    mask: how much of the noise each token has, (B, 1, T, H, W). What a token lacks of it is made up with the
    clean latent and a trace of noise, as the host shows it.
    """

    latent: Tensor
    noise: Tensor
    mask: Tensor

    def without(self, view: View, x: Tensor, sigma: Tensor) -> Tensor:
        """The sampler's own state of what the model is to see as x at sigma (B,): read out of x where that
        has some of it, and where it has none the latent with the run's noise."""
        state = view.target.sampling.noise_scaling(sigma.view(-1, 1, 1, 1, 1), self.noise, self.latent)
        some = self.mask > 0.0
        own = (x - self._shown(self.latent, self.noise) * (1.0 - self.mask)) / self.mask.where(some, 1.0)
        return own.where(some, state)

    def beyond(self, state: Tensor, halvings: int) -> Tensor:
        """A canvas that is continued to whole tokens has its noise everywhere."""
        return state

    def together(self, view: View, state: Tensor, level_sigma: Tensor, x: Tensor) -> Tensor:
        """The level's state with what is kept, each of its tokens at the noise of the most painted pixel."""
        noise = view.condition(self.noise, x) * 2**view.look.level
        patch = view.canvas.patch
        most = F.max_pool3d(view.condition(self.mask, x), (1, patch, patch))
        mask = most.repeat_interleave(patch, -2).repeat_interleave(patch, -1)
        return state * mask + self._shown(view.condition(self.latent, x), noise) * (1.0 - mask)

    @staticmethod
    def _shown(latent: Tensor, noise: Tensor) -> Tensor:
        """A latent as the host shows what is wholly kept of it."""
        from comfy.ldm.minimax.model import VISUAL_COND_TIMESTEP

        return VISUAL_COND_TIMESTEP * latent + (1.0 - VISUAL_COND_TIMESTEP) * noise


Kept = KeptPixels | KeptTokens


def kept_by(model: Any, video: Any, given: dict[str, Any], conds: dict[str, list[dict]]) -> Kept | None:
    """What a run keeps of its canvas that `model` is shown in another way than the sampler has it; None where
    it keeps nothing, or is shown it with its noise.

    video: takes the canvas out of the run's tensors. given: the arguments of the sampler's call.
    """
    latent, mask = given["latent_image"], given.get("denoise_mask")
    if mask is None:
        return None
    if derives_from(model, {"MiniMaxH3"}):
        told = conditions_of(conds).get(MASK)
        return KeptTokens(video(latent), video(given["noise"]), told[0].to(mask)) if told else None
    return KeptPixels(video(latent), video(mask)) if shows_kept_clean(model) else None


def unkeepable(kept: Kept | None, conds: dict[str, list[dict]], model_options: dict) -> str | None:
    """Why what a run keeps has no place at a level; None where it has, or where nothing is kept."""
    if kept is None:
        return None
    if model_options.get(CHANGES_MASK) is not None:
        return "a mask that changes from step to step does not tell this model what it keeps"
    if any(cond.get("area") is not None for group in conds.values() for cond in group or ()):
        return "a prompt of its own area does not say where in it lies what the mask keeps"
    if isinstance(kept, KeptTokens) and not kept.noise.any():
        return "tokens that a mask keeps have the noise of the run, and this run adds none"
    return None
