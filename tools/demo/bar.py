"""Whether a model in training can serve as a ruler: are few plain steps measurably worse than many?

python -m tools.demo.bar --work FOLDER --count 1024 --kind open --steps 50 6 4

Frechet distances on the judge's features to rendered scenes of the same prompts, each with its interval, to
`bar.jsonl` in the folder of sheets; at half size to rendered scenes of half the size.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.quality.statistics import FeatureSpace, bootstrap, estimate, frechet_over
from fresco_core.demo.classifier import SceneClassifier, fidelity
from fresco_core.demo.subjects import GUIDANCE

from .budgets import BUDGETS
from .export import best_autoencoder, trained_classifier
from .sample import PROMPT_SALT, load_average, read
from .sheets import KINDS, draw, prompts
from .work import Workplace, downscale

log = logging.getLogger(__name__)


@torch.no_grad()
def real_features(work: Workplace, judge: SceneClassifier, count: int, level: int) -> np.ndarray:
    """Features (count, features) of the rendered scenes that the held-out prompts are of."""
    whole, random, renderer = prompts(work, "whole", count), work.generator(PROMPT_SALT + 1), work.renderer()
    parts = [judge(downscale(renderer.draw(some, random), level)).features for some in whole.split(32)]
    return torch.cat(parts).numpy()


def distance(drawn: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Frechet distance of features (N, features) of the same prompts and its 95 % interval."""
    space = FeatureSpace.of(real)
    value, draws = bootstrap(frechet_over(space.project(drawn), space.project(real)), len(real))
    return {name: round(number, 3) for name, number in asdict(estimate(value, draws)).items()}


def pictures(work: Workplace, latents: Tensor) -> Tensor:
    """Latents decoded, in [0, 1]."""
    autoencoder = best_autoencoder(work)
    with torch.no_grad(), work.autocast():
        return torch.cat([autoencoder.decode(some).float().clamp(0, 1) for some in latents.split(16)])


def main() -> None:
    """Measure every number of steps asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=[n for n, b in BUDGETS.items() if b.open], default="open")
    parser.add_argument("--work", type=Path, required=True, help="training folder")
    parser.add_argument("--kind", choices=KINDS, default="open")
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--steps", type=int, nargs="+", default=(50, 9, 6, 4))
    parser.add_argument("--size", type=int, default=0, help="0 full, 1 half, 2 quarter size")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="1: none")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    work = Workplace(BUDGETS[args.budget], args.work, bfloat16=True)
    folder = work.file("sheets")
    folder.mkdir(exist_ok=True)
    model, judge = load_average(work), trained_classifier(work)
    real = real_features(work, judge, args.count, args.size)
    ids, vocabulary = prompts(work, args.kind, args.count), work.budget.vocabulary()
    step = torch.load(work.file("transformer.pt"), map_location="cpu")["course"]["step"]
    for steps in args.steps:
        started = time.monotonic()
        drawn = pictures(work, draw(work, model, ids, steps, args.guidance, args.size))
        reading = read(judge, drawn)
        entry = vars(args) | {"work": str(args.work), "step": step, "steps": steps}
        entry |= {"fd": distance(reading.features.numpy(), real)} | asdict(fidelity(reading, ids, vocabulary))
        with (folder / "bar.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        log.info("%s (%.0f s)", json.dumps(entry), time.monotonic() - started)


if __name__ == "__main__":
    main()
