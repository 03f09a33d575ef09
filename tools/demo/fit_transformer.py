"""Train transformer and prompt encoder as a rectified flow on cached latents."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn

from fresco_core.demo.prompt import PromptEncoder
from fresco_core.demo.transformer import DemoTransformer

from .budgets import Budget
from .latents import Latents, read_latents
from .work import Course, Workplace, save

log = logging.getLogger(__name__)


class DemoModel(nn.Module):
    """Transformer and prompt encoder as one."""

    def __init__(self, budget: Budget):
        super().__init__()
        shape = budget.transformer_shape
        self.transformer = DemoTransformer(shape)
        self.prompt = PromptEncoder(budget.vocabulary(), shape.context_size, shape.pooled_size)

    def forward(self, x: Tensor, sigma: Tensor, ids: Tensor) -> Tensor:
        """Velocity of latents x (B, 16, H, W) at sigma (B,) under prompts given as ids (B, ID_COLUMNS)."""
        context, pooled = self.prompt(ids)
        return self.transformer(x, sigma, context, pooled)


def optimisers(model: DemoModel, budget: Budget) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for everything else."""
    matrices, rest = [], []
    for name, value in model.named_parameters():
        inside = "_blocks." in name and value.ndim == 2
        (matrices if inside else rest).append(value)
    stage = budget.transformer
    return [
        torch.optim.Muon(matrices, lr=stage.matrix_rate, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def draw_sigma(count: int, random: torch.Generator) -> Tensor:
    """Noise levels (count,): three of four from a logistic normal, the rest uniform."""
    normal = torch.sigmoid(0.2 + torch.randn(count, generator=random))
    even = torch.rand(count, generator=random)
    return torch.where(torch.rand(count, generator=random) < 0.25, even, normal)


def flow_loss(model: nn.Module, clean: Tensor, ids: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the velocity noise - clean at (1 - sigma) clean + sigma noise."""
    s = sigma[:, None, None, None]
    got = model((1 - s) * clean + s * noise, sigma, ids)
    return (got.float() - (noise - clean)).square().mean()


def fit_transformer(work: Workplace) -> None:
    """Train until the stage's budget is spent; goes on from the checkpoint if there is one."""
    budget, stage = work.budget, work.budget.transformer
    latents, held_out = read_latents(work), read_latents(work, held_out=True)
    torch.manual_seed(budget.seed + 2)
    model = DemoModel(budget).to(work.device)
    average = copy.deepcopy(model).requires_grad_(False)
    steppers, course, random = optimisers(model, budget), Course(stage), work.generator(30)
    noise_random = torch.Generator(work.device).manual_seed(budget.seed * 1000003 + 32)
    checkpoint = work.file("transformer.pt")
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=work.device)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        if "course" in state:  # else weights alone, to train on from
            for stepper, kept in zip(steppers, state["steppers"], strict=True):
                stepper.load_state_dict(kept)
            random.set_state(state["random"].cpu())
            noise_random.set_state(state["noise_random"].cpu())
            course.load(state["course"])
    rates = [group["lr"] for stepper in optimisers(model, budget) for group in stepper.param_groups]
    run = torch.compile(model, dynamic=False) if work.compile else model

    def keep(name: str = "transformer.pt") -> None:
        save(
            work.file(name),
            {
                "model": model.state_dict(),
                "average": average.state_dict(),
                "random": random.get_state(),
                "noise_random": noise_random.get_state(),
                "steppers": [stepper.state_dict() for stepper in steppers],
                "course": course.state(),
            },
        )

    seen: list[list[Tensor]] = [[], [], []]
    saved, fresh = course.elapsed(), False
    while course.progress < 1:
        decaying = course.rate_factor() < 1 and course.step > stage.warmup
        if not decaying:
            fresh = True
        elif fresh:
            keep("transformer-before-decay.pt")
            fresh = False
        level = course.level(random)
        loss = flow_loss_of_batch(work, run, latents, level, stage.batch[level], random, noise_random)
        for stepper in steppers:
            stepper.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        groups = [group for stepper in steppers for group in stepper.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * course.rate_factor()
        for stepper in steppers:
            stepper.step()
        course.step += 1
        follow(average, model, min(budget.ema, (1 + course.step) / (10 + course.step)))
        seen[level].append(loss.detach())
        if course.step % 100 == 0:
            means = [f"{torch.stack(some).mean():.4f}" if some else "-" for some in seen]
            log.info(
                "transformer step %d (%.0f s): loss full %s half %s quarter %s",
                course.step,
                course.elapsed(),
                *means,
            )
            seen = [[], [], []]
        if course.elapsed() - saved > 120:
            saved = course.elapsed()
            keep()
            log.info(
                "transformer step %d: held-out loss full %.4f half %.4f quarter %.4f",
                course.step,
                *held_out_loss(work, average, held_out),
            )
    keep()
    log.info(
        "transformer step %d: held-out loss full %.4f half %.4f quarter %.4f",
        course.step,
        *held_out_loss(work, average, held_out),
    )


def flow_loss_of_batch(
    work: Workplace,
    run: nn.Module,
    latents: Latents,
    level: int,
    count: int,
    random: torch.Generator,
    noise_random: torch.Generator,
) -> Tensor:
    """Loss of one random batch at a level, with some prompts dropped for guidance.

    Noise comes from a generator on the device, which would otherwise wait for it.
    """
    chosen = torch.randint(len(latents), (count,), generator=random).to(work.device)
    kept = torch.rand(count, 1, generator=random) >= work.budget.drop_prompt
    clean = latents.levels[level][chosen].float()
    noise = torch.randn(clean.shape, generator=noise_random, device=work.device)
    sigma = draw_sigma(count, random).to(work.device)
    with work.autocast():
        return flow_loss(run, clean, latents.ids[chosen] * kept.to(work.device), sigma, noise)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, keep: float) -> None:
    """Exponential moving average of the weights."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)


@torch.no_grad()
def held_out_loss(work: Workplace, model: nn.Module, latents: Latents, count: int = 64) -> list[float]:
    """Loss per level on held-out scenes with noise and noise levels that never change."""
    losses, count = [], min(count, len(latents))
    for level in range(3):
        random = work.generator(31)
        clean = latents.levels[level][:count].float()
        noise = torch.randn(clean.shape, generator=random).to(work.device)
        sigma = torch.linspace(0.02, 0.98, count).to(work.device)
        with work.autocast():
            losses.append(float(flow_loss(model, clean, latents.ids[:count], sigma, noise)))
    return losses
