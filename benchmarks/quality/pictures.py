"""The pictures that a setting draws of held-out prompts, and the real ones."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fresco_core.canvas.haar import level_size
from fresco_core.canvas.levels import LEVELS, side_at
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.size import Canvas
from fresco_core.cost import crossings
from fresco_core.demo.autoencoder import DOWNSCALE, LATENT_CHANNELS, PictureCodec
from fresco_core.demo.subjects import GUIDANCE, PromptedDenoiser
from fresco_core.demo.transformer import PATCH
from fresco_core.demo.weights import CLASSIFIER, FOLDER, VAE, DemoWeights, load_demo
from fresco_core.look.bridge import bridged
from fresco_core.look.promotion import Promoter
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.plan import Plan
from fresco_core.schedule.planning import make_plan
from fresco_core.schedule.steps import Step
from fresco_core.text.grammar import parse
from fresco_core.trace import Trace
from tools.demo.budgets import BUDGETS, Budget
from tools.demo.work import Workplace, downscale

from .enlargements import ENLARGE
from .orders import ORDERS
from .prompts import BASIS_SEED, held_out_scenes, said_of
from .quick import quick
from .rewinds import REWINDS
from .rivals import Painter, rival_of
from .rivals.speed import fit_spectrum
from .settings import Setting

NOISE_SEED = 20
REAL_SEED = 77
SHARD = 64
BASIS_COUNT = 512
AT_ONCE = 16
"""Pictures that are decoded or encoded together."""


def fingerprint(folder: Path = FOLDER, names: tuple[str, ...] = ("*.safetensors",)) -> str:
    """A short name of the weights in a folder, all of them or files of some names."""
    digest = hashlib.sha256()
    for file in sorted(file for name in names for file in folder.glob(name)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def fingerprint_of_real(folder: Path = FOLDER) -> str:
    """A short name of the weights that measures of real pictures depend on."""
    return fingerprint(folder, (CLASSIFIER, VAE))


@dataclass(frozen=True)
class Drawn:
    """A shard of pictures: latents (B, 16, h, w), pictures (B, 3, H, W) in [0, 1] in steps of 1/255, seconds
    spent on sampling, seconds that a full step of the same batch takes beside it (NaN where that was not
    timed), and the mean FLOPs of a picture."""

    latents: Tensor
    pictures: Tensor
    seconds: float = 0.0
    full_step_seconds: float = 0.0
    flops: float = 0.0


class Studio:
    """The demo model with `count` held-out prompts and as many noise fields.

    prompts: a kind in `benchmarks.quality.prompts.PROMPTS`. fast: whether the transformer's products are in
    bfloat16. compiled: whether those are, see QuickTransformer.
    """

    def __init__(
        self,
        count: int,
        folder: Path = FOLDER,
        prompts: str = "full",
        fast: bool = False,
        compiled: bool = False,
    ):
        self.exact: DemoWeights = load_demo(folder)
        self.demo = quick(self.exact, compiled) if fast else self.exact
        self.budget = _budget_of(self.demo)
        side = self.budget.looks.side // DOWNSCALE
        least = self.demo.vocabulary.smallest_side // DOWNSCALE
        self.canvas = Canvas(side, side, patch=PATCH, trained=(least**2, None))
        self.scenes = held_out_scenes(self.demo.vocabulary, count)
        self.ids = said_of(self.scenes, self.demo.vocabulary, prompts)
        self._found: dict[str, list[Step]] = {}
        self._step_flops: dict[tuple[Step, float], int] = {}
        self._bridge_flops: dict[tuple[int, int], int] = {}
        if fast and compiled:
            self._compile()

    @torch.no_grad()
    def _compile(self) -> None:
        """All sizes of looks now, so that no clock of a setting counts it."""
        denoise = PromptedDenoiser.of(self.demo, self.ids[:1], GUIDANCE)
        for level in LEVELS[:4]:
            side = side_at(self.canvas.height, level)
            denoise(torch.zeros(1, LATENT_CHANNELS, side, side), torch.ones(1))

    @property
    def shards(self) -> list[slice]:
        """Which pictures belong together."""
        return [slice(i, min(i + SHARD, len(self.ids))) for i in range(0, len(self.ids), SHARD)]

    @property
    def codec(self) -> PictureCodec:
        """The autoencoder as the bridge has it."""
        return PictureCodec(self.demo.autoencoder)

    @staticmethod
    def is_rival(setting: Setting) -> bool:
        """Whether it is another method than a schedule."""
        return rival_of(setting.schedule) is not None

    def plan(self, setting: Setting) -> Plan:
        """The setting worked out. Raises ScheduleError as make_plan does, ValueError where it runs plain."""
        sigmas = flow_sigmas(setting.steps, setting.shift)
        side = self.canvas.height >> setting.size
        canvas = replace(self.canvas, height=side, width=side)
        plan = make_plan(parse(setting.schedule), sigmas, canvas, autoencoder=True)
        if plan.plain and setting.schedule != "full":
            raise ValueError(f"'{setting.name}' would run plain: {plan.reason}")
        return plan

    @torch.no_grad()
    def draw(self, setting: Setting, shard: slice, trace: Trace | None = None) -> Drawn:
        """The setting's pictures of some prompts; noise is bound to the prompt's index. `trace` records."""
        ids, side = self.ids[shard], self.canvas.height >> setting.size
        size = (len(ids), LATENT_CHANNELS, side, side)
        noise = hashed_noise(NOISE_SEED, size, origin=(shard.start, 0, 0, 0))
        denoise = PromptedDenoiser.of(self.exact if setting.exact else self.demo, ids, setting.guidance)
        rival, start = rival_of(setting.schedule), time.perf_counter()
        if rival is not None:
            painter = self._painter(setting, shard, noise)
            latents = rival(painter, flow_sigmas(setting.steps, setting.shift))
            flops = float(painter.flops.mean())
        else:
            latents = self._sample(setting, denoise, noise, trace)
            flops = float(self.flops(setting))
        seconds = time.perf_counter() - start
        beside, start = math.nan, time.perf_counter()
        if shard.start == 0:
            denoise(noise, torch.ones(len(ids)))
            beside = time.perf_counter() - start
        return Drawn(latents, self._decode(latents), seconds, beside, flops)

    def _sample(
        self, setting: Setting, denoise: PromptedDenoiser, noise: Tensor, trace: Trace | None
    ) -> Tensor:
        plan = self.plan(setting)
        rewind, callback = REWINDS[setting.rewind](plan)
        if plan.open and trace is None:
            trace = Trace(len(noise), plan.canvas, 2, plan)
        latents = sample(
            denoise,
            noise,
            plan,
            callback=callback,
            trace=trace,
            rewind=rewind,
            order=ORDERS[setting.order],
            autoencoder=self.codec,
            enlarge=ENLARGE[setting.enlarge],
        )
        if plan.open and trace is not None:
            planned = [step for p in plan.passes for step in p.looks]
            self._found[setting.key] = [
                Step(e.level) if e.fine is None else step
                for e, step in zip(trace.evaluations, planned, strict=True)
            ]
        return latents

    def _painter(self, setting: Setting, shard: slice, noise: Tensor) -> Painter:
        ids = self.ids[shard]

        def denoiser(rows: Tensor | None) -> PromptedDenoiser:
            return PromptedDenoiser.of(self.demo, ids if rows is None else ids[rows], setting.guidance)

        return Painter(
            denoiser=denoiser,
            codec=self.codec,
            noise=noise,
            first=shard.start,
            shift=setting.shift,
            step_flops=lambda level: self.step_flops(Step(level), setting.guidance),
            crossing_flops=lambda: self.bridge_flops(1, 0),
            spectrum=lambda: self.spectrum,
        )

    @cached_property
    def spectrum(self) -> tuple[float, float]:
        """Amplitude and exponent of real latents' power, see rivals/speed.py."""
        return fit_spectrum(self.real(slice(0, min(SHARD, len(self.ids)))).latents)

    def _decode(self, latents: Tensor) -> Tensor:
        pictures = torch.cat([self.demo.autoencoder.decode(some) for some in latents.split(AT_ONCE)])
        return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0

    @cached_property
    def basis_scenes(self) -> Tensor:
        """Ids of scenes that no setting is measured on."""
        return held_out_scenes(self.demo.vocabulary, BASIS_COUNT, BASIS_SEED)

    @property
    def basis_shards(self) -> list[slice]:
        """Shards of those."""
        return [slice(i, min(i + SHARD, BASIS_COUNT)) for i in range(0, BASIS_COUNT, SHARD)]

    @torch.no_grad()
    def real(self, shard: slice, size: int = 0, scenes: Tensor | None = None) -> Drawn:
        """Rendered scenes (behind the prompts, or others) at a size of settings, and their latents."""
        random = torch.Generator().manual_seed(REAL_SEED + shard.start)
        pictures = self._renderer.draw((self.scenes if scenes is None else scenes)[shard], random)
        pictures = (downscale(pictures, size) * 255.0).round() / 255.0
        latents = torch.cat([self.demo.autoencoder.encode(some) for some in pictures.split(AT_ONCE)])
        return Drawn(latents, pictures)

    @cached_property
    def _renderer(self):  # noqa: ANN202
        return Workplace(self.budget, Path()).renderer()

    def step_flops(self, step: Step, guidance: float = GUIDANCE) -> int:
        """Floating-point operations of one guided evaluation of one picture, as torch counts them: products
        and attention, a multiply-add is two."""
        if (step, guidance) not in self._step_flops:
            self._step_flops[step, guidance] = self._counted(lambda: self._evaluate(step, guidance))
        return self._step_flops[step, guidance]

    def _evaluate(self, step: Step, guidance: float) -> None:
        denoise = PromptedDenoiser.of(self.exact, self.ids[:1], guidance)
        full, low = (
            torch.zeros(1, LATENT_CHANNELS, *level_size((self.canvas.height, self.canvas.width), k))
            for k in (0, step.level)
        )
        sigma = torch.ones(1)
        if step.fine is None:
            denoise(low, sigma)
        else:
            layout = Promoter(self.canvas, level=step.level).layout(step.fine, 1, sigma.device)
            denoise.mixed(full, sigma, low, sigma, layout)

    @staticmethod
    @torch.no_grad()
    def _counted(work: Callable[[], object]) -> int:
        counter = FlopCounterMode(display=False)
        with counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            work()
        return counter.get_total_flops()

    def steps(self, setting: Setting) -> list[Step]:
        """Of a setting; where levels are left to the run, those that it came to, in the first shard if it has
        not been drawn."""
        plan = self.plan(setting)
        if plan.open and setting.key not in self._found:
            self.draw(setting, self.shards[0])
        return self._found.get(setting.key) or [step for p in plan.passes for step in p.looks]

    def tokens(self, setting: Setting) -> int:
        """Image tokens of one picture of a setting; 0 of a rival, which may take any."""
        if self.is_rival(setting):
            return 0
        return sum(step.tokens(self.plan(setting).canvas) for step in self.steps(setting))

    def flops(self, setting: Setting) -> int:
        """Of one picture of a setting that is a schedule."""
        counts = Counter(self.steps(setting))
        sized = {step: Step(step.level + setting.size, step.fine) for step in counts}
        steps = sum(n * self.step_flops(sized[step], setting.guidance) for step, n in counts.items())
        crossed = crossings(self.plan(setting))
        return steps + sum(self.bridge_flops(level, to_level) for level, to_level, _ in crossed)

    def bridge_flops(self, level: int, to_level: int) -> int:
        """Of carrying one picture over pixels, its decoding and encoding, counted as those of a step."""
        if (level, to_level) not in self._bridge_flops:
            latent = torch.zeros(1, LATENT_CHANNELS, self.canvas.height, self.canvas.width)
            self._bridge_flops[level, to_level] = self._counted(
                lambda: bridged(latent, level, to_level, self.codec, self.canvas)
            )
        return self._bridge_flops[level, to_level]


def _budget_of(demo: DemoWeights) -> Budget:
    for budget in BUDGETS.values():
        if demo.vocabulary.open == budget.open and set(demo.vocabulary.objects) == set(budget.points()):
            return budget
    raise ValueError(
        f"The weights know {len(demo.vocabulary.objects)} objects, which is no budget's vocabulary "
        f"({', '.join(BUDGETS)}); the ruler cannot render real pictures for them."
    )
