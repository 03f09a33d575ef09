"""Draw pictures with a trained demo model and judge them, without any host."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from fresco_core.demo.classifier import Reading, SceneClassifier, fidelity
from fresco_core.demo.parsing import parse
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.subjects import GUIDANCE
from fresco_core.demo.weights import load_classifier, load_demo

from .budgets import BUDGETS
from .fit_transformer import DemoModel
from .render import sheet
from .work import Workplace, draw_ids

log = logging.getLogger(__name__)

PROMPT_SALT = 6_000_000
"""Held-out prompts: drawn apart from every training scene."""


@torch.no_grad()
def euler(model: DemoModel, noise: Tensor, ids: Tensor, steps: int, guidance: float = 1.0) -> Tensor:
    """Follow the flow from noise (B, 16, H, W) at sigma 1 to latents, in equal steps of sigma."""
    return follow_flow(model, noise, ids, torch.linspace(1, 0, steps + 1, device=noise.device), guidance)


@torch.no_grad()
def follow_flow(
    model: DemoModel, noise: Tensor, ids: Tensor, sigmas: Tensor, guidance: float = 1.0
) -> Tensor:
    """Follow the flow from noise (B, 16, H, W) at the first of some sigmas to the last, by Euler's rule."""
    x, empty = noise, torch.zeros_like(ids)
    for here, there in itertools.pairwise(sigmas):
        sigma = here.to(x).expand(len(x))
        velocity = model(x, sigma, ids).float()
        if guidance != 1:
            without = model(x, sigma, empty).float()
            velocity = without + guidance * (velocity - without)
        x = x + (there - here) * velocity
    return x


def load_average(work: Workplace, name: str = "transformer.pt") -> DemoModel:
    """The averaged weights of a checkpoint."""
    model = DemoModel(work.budget).to(work.device)
    model.load_state_dict(torch.load(work.file(name), map_location=work.device)["average"])
    return model.eval()


@torch.no_grad()
def read(classifier: SceneClassifier, pictures: Tensor) -> Reading:
    """Readings of many pictures, 64 at a time."""
    parts = [classifier(some) for some in pictures.split(64)]
    return Reading(
        *(torch.cat([getattr(part, name) for part in parts]) for name in Reading.__dataclass_fields__)
    )


def main() -> None:
    """Sample, judge, write a sheet."""
    parser = argparse.ArgumentParser(description="Sample the demo model and judge its pictures.")
    parser.add_argument("--budget", choices=BUDGETS, default="cpu")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--work", type=Path, help="training folder: use its checkpoints, not the weights in the tree"
    )
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="1: none")
    parser.add_argument("--size", type=int, default=0, help="0 full, 1 half, 2 quarter size")
    parser.add_argument("--prompt", help="one prompt for all pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/sheet.png"))
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    budget = BUDGETS[args.budget]
    work = Workplace(budget, args.work or Path("out"), args.device)
    if args.work:
        from .export import best_autoencoder, trained_classifier

        model, autoencoder, classifier = load_average(work), best_autoencoder(work), trained_classifier(work)
    else:
        demo = load_demo()
        model = DemoModel(budget)
        model.transformer, model.prompt = demo.transformer, demo.prompt
        autoencoder, classifier = demo.autoencoder, load_classifier()
    for part in (model, autoencoder, classifier):
        part.to(args.device).eval().requires_grad_(False)
    vocabulary = model.prompt.vocabulary
    ids = draw_ids(budget, args.count, PROMPT_SALT)
    if args.prompt:
        ids = scene_ids([parse(args.prompt, vocabulary)], vocabulary).expand(args.count, -1)
    side = budget.looks.side // 8 // 2**args.size
    noise = torch.randn(args.count, 16, side, side, generator=torch.Generator().manual_seed(args.seed))
    started, pictures = time.monotonic(), []
    for some, some_ids in zip(noise.to(args.device).split(32), ids.to(args.device).split(32), strict=True):
        latents = euler(model, some, some_ids, args.steps, args.guidance)
        pictures.append(autoencoder.decode(latents).clamp(0, 1).cpu())
    drawn = torch.cat(pictures)
    marks = asdict(fidelity(read(classifier.cpu(), drawn), ids, vocabulary))
    log.info(
        "%d pictures, %d steps, guidance %g, %.0f s: %s",
        args.count,
        args.steps,
        args.guidance,
        time.monotonic() - started,
        json.dumps({name: round(value, 4) for name, value in marks.items()}),
    )
    sheet(drawn[:64], 8, args.out)


if __name__ == "__main__":
    main()
