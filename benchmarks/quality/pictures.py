"""Held-out prompts, the pictures that a setting draws of them, and the real ones."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fresco_core.canvas.haar import level_size
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.size import Canvas
from fresco_core.demo.autoencoder import PictureCodec
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.subjects import GUIDANCE, LATENT_CHANNELS, SHIFT, PromptedDenoiser
from fresco_core.demo.transformer import PATCH
from fresco_core.demo.weights import FOLDER, DemoWeights, load_demo
from fresco_core.look.bridge import bridged
from fresco_core.look.promotion import Promoter
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.plan import Plan
from fresco_core.schedule.planning import make_plan
from fresco_core.schedule.steps import Step
from fresco_core.text.grammar import parse
from fresco_core.trace import Trace
from tools.demo.budgets import BUDGETS, Budget
from tools.demo.render import Renderer

from .enlargements import ENLARGE
from .orders import ORDERS
from .rewinds import REWINDS
from .settings import Setting

PROMPT_SEED = (0, 6_000_000)
"""Of the held-out prompts; training draws its scenes from other seeds."""
NOISE_SEED = 20
REAL_SEED = 77
SHARD = 64


def fingerprint(folder: Path = FOLDER) -> str:
    """A short name of the weights in a folder."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Drawn:
    """A shard of pictures: latents (B, 16, h, w), pictures (B, 3, H, W) in [0, 1] in steps of 1/255, seconds
    spent on sampling, and seconds that a full step of the same batch takes beside it."""

    latents: Tensor
    pictures: Tensor
    seconds: float = 0.0
    full_step_seconds: float = 0.0


class Studio:
    """The demo model with `count` held-out prompts and as many noise fields."""

    def __init__(self, count: int, folder: Path = FOLDER):
        self.demo: DemoWeights = load_demo(folder)
        self.budget = _budget_of(self.demo)
        side = self.budget.looks.side // 8
        self.canvas = Canvas(side, side, patch=PATCH)
        random = np.random.default_rng(PROMPT_SEED)
        vocabulary = self.demo.vocabulary
        self._found: dict[str, list[Step]] = {}
        self.ids = scene_ids([draw_scene(vocabulary, random) for _ in range(count)], vocabulary)

    @property
    def shards(self) -> list[slice]:
        """Which pictures belong together."""
        return [slice(i, min(i + SHARD, len(self.ids))) for i in range(0, len(self.ids), SHARD)]

    def plan(self, setting: Setting) -> Plan:
        """The setting worked out. Raises ScheduleError as make_plan does, ValueError where it runs plain."""
        sigmas = flow_sigmas(setting.steps, SHIFT)
        plan = make_plan(parse(setting.schedule), sigmas, self.canvas, autoencoder=True)
        if plan.plain and setting.schedule != "full":
            raise ValueError(f"'{setting.name}' would run plain: {plan.reason}")
        return plan

    @torch.no_grad()
    def draw(self, setting: Setting, shard: slice, trace: Trace | None = None) -> Drawn:
        """The setting's pictures of some prompts; noise is bound to the prompt's index. `trace` records."""
        plan = self.plan(setting)
        ids = self.ids[shard]
        size = (len(ids), LATENT_CHANNELS, self.canvas.height, self.canvas.width)
        noise = hashed_noise(NOISE_SEED, size, origin=(shard.start, 0, 0, 0))
        rewind, callback = REWINDS[setting.rewind](plan)

        denoise = PromptedDenoiser.of(self.demo, ids, setting.guidance)
        start = time.perf_counter()
        latents = sample(
            denoise,
            noise,
            plan,
            callback=callback,
            trace=trace,
            rewind=rewind,
            order=ORDERS[setting.order],
            autoencoder=PictureCodec(self.demo.autoencoder),
            enlarge=ENLARGE[setting.enlarge],
        )
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        denoise(noise, torch.ones(len(ids)))
        full_step_seconds = time.perf_counter() - start
        return Drawn(latents, self._decode(latents), seconds, full_step_seconds)

    def _decode(self, latents: Tensor) -> Tensor:
        pictures = torch.cat([self.demo.autoencoder.decode(some) for some in latents.split(16)])
        return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0

    @torch.no_grad()
    def real(self, shard: slice) -> Drawn:
        """Rendered scenes of the same prompts, and their latents."""
        renderer = Renderer(self.budget.points(), self.demo.vocabulary, self.budget.looks)
        random = torch.Generator().manual_seed(REAL_SEED + shard.start)
        pictures = renderer.draw(self.ids[shard], random)
        latents = torch.cat([self.demo.autoencoder.encode(some) for some in pictures.split(16)])
        return Drawn(latents, (pictures * 255.0).round() / 255.0)

    @torch.no_grad()
    def step_flops(self, step: Step, guidance: float = GUIDANCE) -> int:
        """Floating-point operations of one guided evaluation of one picture, as torch counts them: products
        and attention, a multiply-add is two."""
        denoise = PromptedDenoiser.of(self.demo, self.ids[:1], guidance)
        full, low = (
            torch.zeros(1, LATENT_CHANNELS, *level_size((self.canvas.height, self.canvas.width), k))
            for k in (0, step.level)
        )
        sigma, counter = torch.ones(1), FlopCounterMode(display=False)
        with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            if step.fine is None:
                denoise(low, sigma)
            else:
                layout = Promoter(self.canvas, level=step.level).layout(step.fine, 1, sigma.device)
                denoise.mixed(full, sigma, low, sigma, layout)
        return counter.get_total_flops()

    def steps(self, setting: Setting) -> list[Step]:
        """Of a setting; where levels are left to the run, those that the first shard came to."""
        plan = self.plan(setting)
        planned = [step for p in plan.passes for step in p.looks]
        if not plan.open:
            return planned
        if setting.key not in self._found:
            trace = Trace(SHARD, self.canvas, 2, plan)
            self.draw(setting, self.shards[0], trace)
            self._found[setting.key] = [
                Step(e.level) if e.fine is None else step
                for e, step in zip(trace.evaluations, planned, strict=True)
            ]
        return self._found[setting.key]

    def tokens(self, setting: Setting) -> int:
        """Image tokens of one picture of a setting."""
        return sum(step.tokens(self.canvas) for step in self.steps(setting))

    def flops(self, setting: Setting) -> int:
        """Of one picture of a setting."""
        counts = Counter(self.steps(setting))
        steps = sum(n * self.step_flops(step, setting.guidance) for step, n in counts.items())
        passes = self.plan(setting).passes
        levels = ((a.levels[-1], b.levels[0]) for a, b in zip(passes, passes[1:]) if b.via_pixels)
        return steps + sum(self.bridge_flops(*crossed) for crossed in levels)

    @torch.no_grad()
    def bridge_flops(self, level: int, to_level: int) -> int:
        """Of carrying one picture over pixels, counted as those of a step."""
        latent = torch.zeros(1, LATENT_CHANNELS, self.canvas.height, self.canvas.width)
        counter = FlopCounterMode(display=False)
        with counter:
            bridged(latent, level, to_level, PictureCodec(self.demo.autoencoder), self.canvas)
        return counter.get_total_flops()


def _budget_of(demo: DemoWeights) -> Budget:
    for budget in BUDGETS.values():
        if set(demo.vocabulary.objects) == set(budget.points()):
            return budget
    raise ValueError(
        f"The weights know {len(demo.vocabulary.objects)} objects, which is no budget's vocabulary "
        f"({', '.join(BUDGETS)}); the ruler cannot render real pictures for them."
    )
