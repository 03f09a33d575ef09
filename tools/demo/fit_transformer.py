"""Train transformer and prompt encoder as a rectified flow on cached latents."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fresco_core.demo.prompt import PromptEncoder
from fresco_core.demo.transformer import PATCH, DemoTransformer

from .budgets import Budget
from .export import export
from .held_out import HeldOut
from .latents import Latents, read_latents
from .leaving_out import leave_out
from .pool import Pool
from .quick_attention import attend_quick
from .recognition import Recogniser
from .work import Course, Workplace, save

log = logging.getLogger(__name__)

LOG_EVERY = 50
"""Steps."""
KEEP_EVERY = 300.0
"""Seconds between checkpoints, each with the held-out losses."""
EXPORT_EVERY = 1200.0
"""Seconds between exports while training."""
GROW_EVERY, GROW_EVERY_AT_FIRST, AT_FIRST = 8, 4, 8192
"""Steps between slices of new scenes, and while there are fewer scenes than AT_FIRST."""


class DemoModel(nn.Module):
    """Transformer and prompt encoder as one."""

    def __init__(self, budget: Budget):
        super().__init__()
        shape = budget.transformer_shape
        self.transformer = DemoTransformer(shape)
        self.prompt = PromptEncoder(budget.vocabulary(), shape.context_size, shape.pooled_size)

    def forward(self, x: Tensor, sigma: Tensor, ids: Tensor) -> Tensor:
        """Velocity of latents x (B, 16, H, W) at sigma (B,) under prompts given as ids (B, columns)."""
        context, pooled = self.prompt(ids)
        return self.transformer(x, sigma, context, pooled)


def optimisers(model: DemoModel, budget: Budget, *others: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for everything else and for `others`; of an open budget
    AdamW for the modulations too, which start at zero and see one vector a picture."""
    matrices, rest = [], [value for other in others for value in other.parameters()]
    for name, value in model.named_parameters():
        inside = "_blocks." in name and value.ndim == 2
        if budget.open and ("_mod." in name or "modulation." in name):
            inside = False
        (matrices if inside else rest).append(value)
    stage = budget.transformer
    return [
        torch.optim.Muon(matrices, lr=stage.matrix_rate, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def draw_sigma(count: int, random: torch.Generator, centre: float = 0.2) -> Tensor:
    """Noise levels (count,): three of four from a logistic normal about `centre`, the rest uniform."""
    normal = torch.sigmoid(centre + torch.randn(count, generator=random))
    even = torch.rand(count, generator=random)
    return torch.where(torch.rand(count, generator=random) < 0.25, even, normal)


def flow_loss(
    model: Callable[[Tensor, Tensor, Tensor], Tensor],
    clean: Tensor,
    ids: Tensor,
    sigma: Tensor,
    noise: Tensor,
) -> Tensor:
    """Mean squared error of the velocity noise - clean at (1 - sigma) clean + sigma noise."""
    s = sigma[:, None, None, None]
    got = model((1 - s) * clean + s * noise, sigma, ids)
    return (got.float() - (noise - clean)).square().mean()


class Training:
    """A transformer in training: weights, their average, optimisers, random states, clock; a checkpoint holds
    them all."""

    def __init__(self, work: Workplace):
        self.work, self.stage = work, work.budget.transformer
        torch.manual_seed(work.budget.seed + 2)
        self.model = DemoModel(work.budget).to(work.device)
        if work.device == "cpu":
            self.model.transformer.attend_dense = attend_quick
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        words = len(work.budget.vocabulary().objects)
        self.recogniser = Recogniser(self.model.transformer, words).to(work.device)
        self.steppers = optimisers(self.model, work.budget, self.recogniser)
        self.course: Course = work.course(self.stage)
        self.random = work.generator(30)
        self.noise_random = torch.Generator(work.device).manual_seed(work.budget.seed * 1000003 + 32)
        self.rates = [group["lr"] for group in self._groups()]
        self.run = torch.compile(self.model, dynamic=False) if work.compile else self.model
        if work.file("transformer.pt").exists():
            self._load()

    def _groups(self) -> list[dict[str, Any]]:
        """The optimisers' own, which a checkpoint that is loaded replaces."""
        return [group for stepper in self.steppers for group in stepper.param_groups]

    def _load(self) -> None:
        state = torch.load(self.work.file("transformer.pt"), map_location=self.work.device)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        if "course" not in state:  # weights alone, to train on from
            return
        self.recogniser.load_state_dict(state["recogniser"])
        for stepper, kept in zip(self.steppers, state["steppers"], strict=True):
            stepper.load_state_dict(kept)
        self.random.set_state(state["random"].cpu())
        self.noise_random.set_state(state["noise_random"].cpu())
        self.course.load(state["course"])

    def keep(self, name: str = "transformer.pt") -> None:
        """Write a checkpoint."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "recogniser": self.recogniser.state_dict(),
            "random": self.random.get_state(),
            "noise_random": self.noise_random.get_state(),
            "steppers": [stepper.state_dict() for stepper in self.steppers],
            "course": self.course.state(),
        }
        save(self.work.file(name), state)

    def advance(self, clean: Tensor, ids: Tensor, level: int, names: Tensor | None = None) -> Tensor:
        """One step on latents (B, 16, H, W) of a picture size, with prompts as ids and, where known, the
        objects' places (B, cells, cells); its flow loss.

        Noise comes from a generator on the device, which would otherwise wait for it.
        """
        clean, ids = clean.to(self.work.device), ids.to(self.work.device)
        noise = torch.randn(clean.shape, generator=self.noise_random, device=clean.device)
        sigma = draw_sigma(len(clean), self.random, self.work.budget.centres[level]).to(clean.device)
        with self.work.autocast():
            loss = whole = flow_loss(self.run, clean, ids, sigma, noise)
            if names is not None and self.work.budget.recognition:
                told = self.recogniser.loss(names.to(clean.device), clean.shape[-1] // PATCH, sigma)
                whole = loss + self.work.budget.recognition * told
        for stepper in self.steppers:
            stepper.zero_grad(set_to_none=True)
        whole.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group, rate in zip(self._groups(), self.rates, strict=True):
            group["lr"] = rate * self.course.rate_factor()
        for stepper in self.steppers:
            stepper.step()
        self.course.step += 1
        step = self.course.step
        follow(self.average, self.model, min(self.work.budget.ema, (1 + step) / (10 + step)))
        return loss.detach()

    @property
    def decaying(self) -> bool:
        """Whether the rates fall already."""
        return self.course.rate_factor() < 1 and self.course.step > self.stage.warmup


class Cached:
    """The same latents all the time, some prompts dropped for guidance."""

    def __init__(self, work: Workplace):
        self.work, self.latents = work, read_latents(work)

    def batch(self, level: int, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, None]:
        """Random latents and their ids; where the objects are is not known."""
        latents: Latents = self.latents
        chosen = torch.randint(len(latents), (count,), generator=random).to(self.work.device)
        kept = torch.rand(count, 1, generator=random) >= self.work.budget.drop_prompt
        return latents.levels[level][chosen].float(), latents.ids[chosen] * kept.to(self.work.device), None


class Growing:
    """Latents that are drawn anew, and prompts that leave words out, others at every visit."""

    def __init__(self, work: Workplace):
        self.work, self.pool, self.batches = work, Pool(work, work.budget.pool), 0

    def batch(self, level: int, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Random latents, their ids, and which object is where."""
        self.batches += 1
        if self.batches % (GROW_EVERY if len(self.pool) >= AT_FIRST else GROW_EVERY_AT_FIRST) == 0:
            self.pool.grow()
        clean, ids, names = self.pool.batch(level, count, random)
        return clean, leave_out(ids, self.work.budget.vocabulary(), random), names


def fit_transformer(work: Workplace) -> None:
    """Train until the stage's budget is spent; goes on from the checkpoint if there is one."""
    training, held_out = Training(work), HeldOut(work)
    source = Growing(work) if work.budget.pool else Cached(work)
    course, stage = training.course, work.budget.transformer
    seen: dict[str, list[Tensor]] = {}
    kept = exported = time.monotonic()
    fresh = False
    while course.progress < 1:
        if not training.decaying:
            fresh = True
        elif fresh:
            training.keep("transformer-before-decay.pt")
            fresh = False
        level = course.level(training.random)
        clean, ids, names = source.batch(level, stage.batch[level], training.random)
        loss = training.advance(clean, ids, level, names)
        seen.setdefault(work.budget.sizes[level], []).append(loss)
        if course.step % LOG_EVERY == 0:
            _log_losses(course, seen)
            seen = {}
        now = time.monotonic()
        if now - kept > KEEP_EVERY:
            training.keep()
            held_out.report(training.average, course)
            kept = now
        if now - exported > EXPORT_EVERY:
            export(work)
            exported = now
    training.keep()
    held_out.report(training.average, course)


def _log_losses(course: Course, seen: dict[str, list[Tensor]]) -> None:
    means = ", ".join(f"{size} {torch.stack(some).mean():.4f}" for size, some in sorted(seen.items()))
    log.info("transformer step %d (%.0f s): loss %s", course.step, course.elapsed(), means)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, keep: float) -> None:
    """Exponential moving average of the weights."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)
