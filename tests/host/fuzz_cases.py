"""Cases of the fuzzer: what a run is made of, drawn from a seed and a number, each alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random

import fuzz_texts
import torch
from tiny_families import EXTRAS, FAMILIES

DEMO = "demo"
NAMES = (*FAMILIES, *EXTRAS, DEMO)
WEIGHTS = {"flux": 12, "wan": 9, "sd15": 4, "sdxl": 3, "hunyuan_image": 2, "flux2": 1, "hunyuan_video15": 1}
WEIGHTS |= {DEMO: 4}  # against 6 of any other family: the last are slow
SIZES = ((16, 16), (24, 16), (16, 32), (20, 28), (17, 23), (10, 14), (32, 32), (9, 11), (40, 12))
TOO_SMALL = ((4, 4), (2, 2), (5, 9))  # for half resolution, with patches of two
COMMON = ("euler", "dpmpp_2m", "dpmpp_2m_sde", "uni_pc", "res_multistep", "lcm", "heun", "euler_ancestral")
STEADY = ("euler", "dpmpp_2m", "ddim", "ipndm", "deis", "res_multistep")
WANDERING = ("dpm_adaptive", "dpm_fast")  # LazyCache fails where a sampler goes back up in sigma
SHARES = {  # noise shares of custom sigmas, falling but where the run is to be refused
    "uneven": (1.0, 0.9, 0.8, 0.7, 0.4, 0.0),
    "repeated": (1.0, 0.8, 0.8, 0.8, 0.6, 0.0),
    "tiny last": (1.0, 0.95, 0.9, 0.5, 0.001, 0.0),
    "two steps": (1.0, 0.5, 0.0),
    "one step": (1.0, 0.0),
    "low": (0.6, 0.5, 0.3, 0.2, 0.1, 0.0),
    "very low": (0.05, 0.02, 0.01, 0.0),
    "head": (1.0, 0.95, 0.9, 0.85, 0.8),
    "tail": (0.8, 0.6, 0.4, 0.2, 0.0),
    "middle": (0.9, 0.8, 0.7, 0.6),
    "not noise": (0.97, 0.9, 0.8, 0.5, 0.2, 0.0),
    "nothing": (1.0,),
    "constant": (0.7, 0.7, 0.7, 0.7),
    "unsorted": (1.0, 0.5, 0.7, 0.2, 0.0),
    "dense": tuple(1.0 - i / 30 for i in range(31)),
}


@dataclass(frozen=True)
class Case:
    """One run.

    any_size: whether the model is taken to be trained for any size, so that `~` and presets do something.
    begin, end: KSampler (Advanced)'s start and end steps, None for none. noisy: whether the run adds noise; a
    run that does not and begins late goes on from the plain run's stage before it. source: what the latent
    is. sigmas: a key of SHARES for a custom sampler's list, else the scheduler's. cache: the host's step
    cache, its threshold, and whether it is set before Fresco is. stop: a failure inside the network and where
    in the run it comes, 0..1.
    """

    seed: int
    number: int
    family: str
    size: tuple[int, int]
    frames: int
    batch: int
    dtype: str
    any_size: bool
    text: str
    sampler: str
    scheduler: str
    steps: int
    sigmas: str | None
    denoise: float
    begin: int | None
    end: int | None
    leftover: bool
    noisy: bool
    source: str
    mask: str | None
    cfg: float
    cache: tuple[str, float, bool] | None
    stop: tuple[str, float] | None

    def __str__(self) -> str:
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("seed", "number")}
        return " ".join(f"{name}={value!r}" for name, value in kept.items() if value is not None)

    @property
    def low(self) -> bool:
        """Whether the run starts from a latent that is not covered by noise."""
        return self.denoise < 1.0 or bool(self.begin) or self.sigmas in ("low", "very low", "tail", "middle")


def draw(seed: int, number: int, samplers: list[str], schedulers: list[str], presets: dict[str, str]) -> Case:
    """The case of that number; the same on every machine with the same host."""
    rng = Random(f"{seed} {number}")
    family = rng.choices(NAMES, [WEIGHTS.get(name, 6) for name in NAMES])[0]
    demo = family == DEMO
    weights = [9 if n in (4, 6, 8) else 3 for n in range(1, 13)]
    steps = 20 if demo else rng.choices([*range(1, 13), 20], [*weights, 3])[0]
    kinds = ("whole", "denoise", "stage", "custom")
    kind = rng.choices(kinds, (10, 50, 30, 10) if demo else (45, 15, 25, 15))[0]
    begin = end = None
    if kind == "stage":
        begin = rng.choice((None, rng.randrange(steps)))
        end = rng.choice((None, steps, 10000, rng.randint((begin or 0) + 1, steps)))
    noisy = begin in (None, 0) or rng.random() < 0.3
    bare = kind == "whole" or (kind == "stage" and not begin)
    sampler = rng.choice(STEADY if demo else rng.choice((COMMON, samplers)))
    return Case(
        seed=seed,
        number=number,
        family=family,
        size=(24, 24) if demo else rng.choice(SIZES if rng.random() < 0.95 else TOO_SMALL),
        frames=rng.choice((1, 2, 3, 5)),
        batch=1 if demo else rng.choices((1, 2, 3), (70, 22, 8))[0],
        dtype="float32" if demo else rng.choices(("float32", "bfloat16", "float16"), (75, 17, 8))[0],
        any_size=rng.random() < 0.8,
        text=fuzz_texts.text(rng, steps if begin is None else steps - begin, presets),
        sampler=sampler,
        scheduler="simple" if demo else rng.choice(schedulers),
        steps=steps,
        sigmas=rng.choice(list(SHARES)) if kind == "custom" else None,
        denoise=rng.choice((0.05, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)) if kind == "denoise" else 1.0,
        begin=begin,
        end=end,
        leftover=rng.random() < 0.7,
        noisy=noisy,
        source="empty" if bare and rng.random() < 0.7 else rng.choice(("picture", "detailed", "flat")),
        mask=rng.choices((None, "hard", "soft", "ones", "zeros", "small"), (66, 16, 9, 3, 3, 3))[0],
        cfg=rng.choice((1.0, 1.0, 2.5, 7.0)),
        cache=_cache(rng) if rng.random() < 0.12 and sampler not in WANDERING else None,
        stop=(rng.choice(("interrupt", "error")), rng.random()) if rng.random() < 0.4 else None,
    )


def _cache(rng: Random) -> tuple[str, float, bool]:
    return rng.choice(("easy", "lazy")), rng.choice((0.1, 0.3, 0.5)), rng.random() < 0.5


def mask_of(case: Case) -> torch.Tensor | None:
    """The noise mask (1, H, W) of a case: 1 where it is painted."""
    height, width = case.size
    if case.mask in (None, "ones", "zeros"):
        return None if case.mask is None else torch.full((1, height, width), float(case.mask == "ones"))
    if case.mask == "small":  # another size than the latent's: the host brings it there
        return (torch.arange(8.0) >= 4).float().expand(1, 8, 8).clone()
    if case.mask == "hard":
        mask = torch.zeros(1, height, width)
        mask[:, : max(height // 2, 1), width // 3 :] = 1.0
        return mask
    return torch.linspace(0.0, 1.0, width).expand(1, height, width).clone()
