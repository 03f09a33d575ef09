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

from fresco_core.demo.scenes import draw_scene, scene_ids
from fresco_core.demo.subjects import GUIDANCE, LATENT_CHANNELS, SHIFT, PromptedDenoiser
from fresco_core.demo.transformer import PATCH
from fresco_core.demo.weights import FOLDER, DemoWeights, load_demo
from fresco_core.focus import KeyValues
from fresco_core.grammar import parse
from fresco_core.layout import Layout
from fresco_core.mixed import DEFAULT_FRAME
from fresco_core.noise import hashed_noise
from fresco_core.plan import Canvas, Mix, Plan, make_plan
from fresco_core.promotion import Promoter, Promotion
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.trace import Trace
from fresco_core.transform import level_size
from tools.demo.budgets import BUDGETS, Budget
from tools.demo.render import Renderer

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
        self._settled: dict[str, list[int]] = {}
        self.ids = scene_ids([draw_scene(vocabulary, random) for _ in range(count)], vocabulary)

    @property
    def shards(self) -> list[slice]:
        """Which pictures belong together."""
        return [slice(i, min(i + SHARD, len(self.ids))) for i in range(0, len(self.ids), SHARD)]

    def plan(self, setting: Setting) -> Plan:
        """The setting worked out. Raises ScheduleError as make_plan does, ValueError where it runs plain."""
        plan = make_plan(parse(setting.schedule), flow_sigmas(setting.steps, SHIFT), self.canvas)
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
        promotion = Promotion(setting.order, setting.refine, setting.focus)
        start = time.perf_counter()
        latents = sample(
            denoise,
            noise,
            plan,
            prior=setting.prior,
            callback=callback,
            trace=trace,
            rewind=rewind,
            promotion=promotion,
            clock=setting.clock,
            frame=setting.frame,
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
    def step_flops(
        self, level: int, share: float | None = None, frame: str = DEFAULT_FRAME, guidance: float = GUIDANCE
    ) -> int:
        """Floating-point operations of one guided evaluation of one picture at a level, as torch counts
        them: products and attention, a multiply-add is two. `share` of the blocks is fine, or, at level 0,
        queried."""
        denoise = PromptedDenoiser.of(self.demo, self.ids[:1], guidance)
        full, low = (
            torch.zeros(1, LATENT_CHANNELS, *level_size((self.canvas.height, self.canvas.width), k))
            for k in (0, level)
        )
        sigma, memory = torch.ones(1), KeyValues()
        if share is not None and level == 0:
            denoise.focus(full, sigma, self._some_layout(0, 1.0), memory)
        counter = FlopCounterMode(display=False)
        with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            if share is None:
                denoise(low, sigma)
            elif level == 0:
                denoise.focus(full, sigma, self._some_layout(0, share), memory)
            else:
                denoise.mixed(full, sigma, low, sigma, self._some_layout(level, share), frame)
        return counter.get_total_flops()

    def _some_layout(self, level: int, share: float) -> Layout:
        promoter = Promoter(Promotion("even", focus="even"), self.canvas, (share,), level)
        return promoter.layout(Mix(share, share, share), 1, torch.device("cpu"))

    def levels(self, setting: Setting) -> list[int]:
        """Of a setting's steps; where the run settles them, those that the first shard came to."""
        plan = self.plan(setting)
        if not plan.open:
            return [level for p in plan.passes for level in p.levels]
        if setting.key not in self._settled:
            trace = Trace(SHARD, self.canvas, 2, plan)
            self.draw(setting, self.shards[0], trace)
            self._settled[setting.key] = [e.level for e in trace.evaluations]
        return self._settled[setting.key]

    def _looks(self, setting: Setting) -> Counter[tuple[int, float | None]]:
        """How many steps have each level and share, None for dense ones."""
        mixes = [p.mix_at(step) for p in self.plan(setting).passes for step in range(p.steps)]
        shares = [None if mix is None else mix.share for mix in mixes]
        return Counter(zip(self.levels(setting), shares, strict=True))

    def tokens(self, setting: Setting) -> int:
        """Image tokens of one picture of a setting."""
        return sum(
            n * (self.canvas.tokens(level) if share is None else self.canvas.mixed_tokens(level, share))
            for (level, share), n in self._looks(setting).items()
        )

    def flops(self, setting: Setting) -> int:
        """Of one picture of a setting."""
        return sum(
            n * self.step_flops(*look, setting.frame, setting.guidance)
            for look, n in self._looks(setting).items()
        )


def _budget_of(demo: DemoWeights) -> Budget:
    for budget in BUDGETS.values():
        if set(demo.vocabulary.objects) == set(budget.points()):
            return budget
    raise ValueError(
        f"The weights know {len(demo.vocabulary.objects)} objects, which is no budget's vocabulary "
        f"({', '.join(BUDGETS)}); the ruler cannot render real pictures for them."
    )
