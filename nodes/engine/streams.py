"""Several latents in one: models that make sound with their video hold both in one tensor, end to end.

The host flattens the latents of such a run ("packs" them) before a sampler sees them, and takes them apart
again before the network. The first is the video: it is the canvas, and the only one that is looked at in
coarser levels. The others pass a look as they are, at the canvas's own sigma, so that a call has two noise
levels: sigma_k for the video, and sigma for the rest.

The host knows one sigma a call. It is told the canvas's; the video's timestep is changed on its way into the
network, and what the network makes of it on its way out. A flow's prediction is x - sigma v: with v scaled by
sigma_k / sigma, the host's own x - sigma v is the level's x - sigma_k v.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...fresco_core import Flow, Plan
from ..families import own_clock_of
from ..families.family import OwnClock
from ..host.windows import cuts_several_as_one

CLOCK = "fresco_clock"
TELLS_SHAPES = "latent_shapes"  # the conditioning by which the host takes the latents apart
SOUND_MASK = "audio_denoise_mask"  # the conditioning by which it tells how much of the sound is made


@dataclass(frozen=True)
class Streams:
    """The latents that each tensor of a run holds: their shapes (C, ..., H, W), or none where it is the one
    latent itself."""

    shapes: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, latent_shapes: Any) -> Streams:
        """Those of a run whose latents, with their batch, are of these shapes."""
        several = latent_shapes is not None and len(latent_shapes) > 1
        return cls(tuple(tuple(shape[1:]) for shape in latent_shapes) if several else ())

    def parted(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The video (B, C, ..., H, W) and the rest (B, 1, N) of a run's tensor (B, 1, M). What is not of
        that shape, as all of a run with one latent, is its own first part and has no rest."""
        sizes = [math.prod(shape) for shape in self.shapes]
        if not sizes or tuple(x.shape[1:]) != (1, sum(sizes)):
            return x, None
        return x[..., : sizes[0]].reshape(x.shape[0], *self.shapes[0]), x[..., sizes[0] :]

    def with_first(self, video: Tensor) -> Streams:
        """The same with a video (B, C, ..., h, w) of another size."""
        return Streams((tuple(video.shape[1:]), *self.shapes[1:])) if self.shapes else self

    def of_call(self, told: Any) -> Streams:
        """Those of a call of the network, from its latents' shapes as it is `told` them: in a context window
        both are shorter."""
        return Streams.of(told) if self.shapes and told is not None else self

    def first(self, x: Tensor) -> Tensor:
        """The video of a run's tensor."""
        return self.parted(x)[0]


def joined(first: Tensor, rest: Tensor | None) -> Tensor:
    """Inverse of `Streams.parted`, for a video of any size."""
    return first if rest is None else torch.cat((first.flatten(1).unsqueeze(1), rest.to(first)), dim=-1)


ALONE = Streams()


def shapes_told(conds: list[list[dict] | None]) -> Any:
    """The shapes of the latents that conditionings tell their calls of; None where they tell none."""
    told = (cond.get("model_conds", {}).get(TELLS_SHAPES) for group in conds for cond in group or ())
    return next((shapes.cond for shapes in told if shapes is not None), None)


@dataclass(frozen=True)
class LevelClock:
    """The video's clock in a call at `level`: sigma_k / sigma, shape (B,), and how its network takes it."""

    own: OwnClock
    level: float
    times: Tensor


def with_level_clock(
    network: Any, level: float, sigmas: tuple[Tensor, Tensor], video: Tensor, conds: dict, options: dict
) -> tuple[dict, dict]:
    """The conditioning and transformer options of a call of `network` whose video (B, C, ..., h, w) is the
    level's.

    sigmas: (sigma, sigma_k), each (B,).
    """
    own = own_clock_of(network)
    assert own is not None
    sigma, level_sigma = sigmas
    times = level_sigma / sigma.clamp(min=torch.finfo(sigma.dtype).tiny)
    shapes = [video.shape, *conds[TELLS_SHAPES][1:]]
    return {**conds, TELLS_SHAPES: shapes}, {**options, CLOCK: LevelClock(own, level, times)}


def level_clock(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Around the network: the video's own timestep in, and its own velocity out."""
    options = next(
        (value for value in (*args, *kwargs.values()) if isinstance(value, dict) and CLOCK in value), None
    )
    if options is None:
        return executor(*args, **kwargs)
    clock: LevelClock = options[CLOCK]
    args, kwargs = clock.own(executor.class_obj, args, kwargs, clock.times, clock.level)
    video, *others = executor(*args, **kwargs)
    times = clock.times.reshape(-1, *(1,) * (video.ndim - 1)).to(video.device)
    return [video.float() * times, *others]


def inseparable(sampling: Any, parameterisation: Any) -> str | None:
    """Why two streams cannot have two noise levels under this model_sampling; None where they can: it is a
    flow, whose timestep is a multiple of sigma and whose prediction is x - sigma v."""
    sigmas = torch.tensor([0.25, 0.75])
    one, zero = torch.ones(2, 1, 1), torch.zeros(2, 1, 1)
    if isinstance(parameterisation, Flow):
        told = sampling.timestep(sigmas) / sigmas
        made = sampling.calculate_denoised(sigmas, one, zero).flatten()
        if torch.allclose(told[0], told[1]) and torch.allclose(made, -sigmas):
            return None
    return "the sigmas of several streams in one latent are not those of a plain flow"


def bound_together(streams: Streams, conds: dict[str, list[dict]], model_options: dict) -> str | None:
    """What a run of several streams has that the host lays over all of them as if they were one; None where
    it has nothing of the kind."""
    if not streams.shapes:
        return None
    if cuts_several_as_one(model_options):
        return "this host's context windows cut several streams in one latent as if they were one"
    over = {"control": "ControlNets see", "area": "areas cut", "mask": "masks of a prompt lie on"}
    for name, words in over.items():
        if any(cond.get(name) is not None for group in conds.values() for cond in group):
            return f"{words} several streams in one latent as if they were one"
    given = [cond.get("model_conds", {}) for group in conds.values() for cond in group]
    if any("c_concat" in found for found in given):
        return "what is concatenated to several streams in one latent lies on all of them"
    if any(TELLS_SHAPES not in found for found in given):
        return "the network is not told what its one latent is made of"
    return None


def with_sound_kept(
    streams: Streams, samples: Tensor, latent: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(latent, mask) of a pass that inpaints as the given ones would, and keeps the sound of `samples`, the
    clean result of the pass before. All are tensors of a whole run."""
    sound = streams.parted(samples)[1]
    paints = torch.ones_like(latent) if mask is None else mask.expand_as(latent)
    assert sound is not None
    return joined(streams.first(latent), sound), joined(streams.first(paints), torch.zeros_like(sound))


def told_kept(streams: Streams, x: Tensor) -> dict[str, Any]:
    """What the network is told where all sound is kept: as the host tells it of a mask over that."""
    return {SOUND_MASK: x.new_zeros((x.shape[0], *streams.shapes[1]))}


def words_of(streams: Streams, plan: Plan) -> str:
    """What a plan says of the streams beside the video, if there are any, or if it keeps them."""
    kept = [index for index, p in enumerate(plan.schedule.passes, start=1) if p.keeps_sound]
    if not streams.shapes:
        return "\nthere is no sound to keep beside this latent" if kept else ""
    if not kept:
        then = "and refined with the video in every pass"
    else:
        then = f"and kept as it is in pass {', '.join(map(str, kept))}"
    return f"\nsound beside the video: at its own noise level in every step, coarse or full, {then}"
