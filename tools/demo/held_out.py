"""The flow loss on held-out scenes, under whole prompts and under ones that leave words out."""

from __future__ import annotations

import json
import logging

import torch
from torch import nn

from .latents import read_latents
from .leaving_out import leave_out
from .work import Course, Workplace

log = logging.getLogger(__name__)

COUNT = 64
SALT = 31


class HeldOut:
    """Held-out scenes with noise, noise levels and prompts that never change."""

    def __init__(self, work: Workplace, count: int = COUNT):
        self.work = work
        latents = read_latents(work, held_out=True)
        self.levels = [level[:count].float() for level in latents.levels]
        self.prompts = {"whole": latents.ids[:count]}
        if work.budget.open:
            random = work.generator(SALT)
            self.prompts["open"] = leave_out(latents.ids[:count], work.budget.vocabulary(), random)

    @torch.no_grad()
    def losses(self, model: nn.Module) -> dict[str, float]:
        """Mean squared error of the velocity by picture size and prompts, "half open"."""
        found = {}
        for words, ids in self.prompts.items():
            for size, clean in zip(self.work.budget.sizes, self.levels, strict=True):
                random = self.work.generator(SALT)
                noise = torch.randn(clean.shape, generator=random).to(clean.device)
                sigma = torch.linspace(0.02, 0.98, len(clean)).to(clean.device)
                s = sigma[:, None, None, None]
                with self.work.autocast():
                    got = model((1 - s) * clean + s * noise, sigma, ids)
                found[f"{size} {words}"] = float((got.float() - (noise - clean)).square().mean())
        return found

    def report(self, model: nn.Module, course: Course) -> None:
        """Log the losses and add them as a line of JSON to the run's `curve.jsonl`."""
        losses = {name: round(value, 5) for name, value in self.losses(model).items()}
        entry = {"step": course.step, "seconds": round(course.elapsed())} | losses
        with self.work.file("curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        log.info("held out: %s", json.dumps(entry))
