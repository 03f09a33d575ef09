"""Draw the same seeds with many steps and with few, under prompts that say all, some, or nothing:

python -m tools.demo.sheets --budget open --work FOLDER --out SHEETS

One sheet per kind of prompt: bands of eight prompts, in each band a row per step count, most steps above.
Beside them `sheets.jsonl`: how well each row shows what its prompts say, where there is a judge.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from fresco_core.demo.classifier import fidelity
from fresco_core.demo.scene import scenes_of
from fresco_core.demo.subjects import GUIDANCE, SHIFT
from fresco_core.sampling import flow_sigmas

from .budgets import BUDGETS
from .export import best_autoencoder, trained_classifier
from .fit_transformer import DemoModel
from .leaving_out import leave_out
from .render import sheet
from .sample import PROMPT_SALT, follow_flow, load_average, read
from .work import Workplace, draw_ids

log = logging.getLogger(__name__)

COLUMNS = 8
KINDS = ("whole", "open", "empty")
RATE = 0.5
"""Of words left out of open prompts."""


def prompts(work: Workplace, kind: str, count: int) -> Tensor:
    """Held-out prompts (count, columns) of a kind, the same scenes for all."""
    ids, vocabulary = draw_ids(work.budget, count, PROMPT_SALT), work.budget.vocabulary()
    if kind == "whole":
        return ids
    if kind == "open":
        return leave_out(ids, vocabulary, work.generator(PROMPT_SALT), RATE)
    return torch.zeros_like(ids)


@torch.no_grad()
def draw(
    work: Workplace, model: DemoModel, ids: Tensor, steps: int, guidance: float, level: int = 0, seed: int = 0
) -> Tensor:
    """Latents of prompts, the same noise for every number of steps."""
    side = work.budget.looks.side // 8 >> level
    noise = torch.randn(len(ids), 16, side, side, generator=torch.Generator().manual_seed(seed))
    sigmas = torch.tensor(flow_sigmas(steps, SHIFT))
    with work.autocast():
        parts = [
            follow_flow(model, some.to(work.device), said.to(work.device), sigmas, guidance)
            for some, said in zip(noise.split(32), ids.split(32), strict=True)
        ]
    return torch.cat(parts).cpu()


def main() -> None:
    """Draw the sheets asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=[n for n, b in BUDGETS.items() if b.open], default="open")
    parser.add_argument("--work", type=Path, required=True, help="training folder")
    parser.add_argument("--out", type=Path, help="folder of the sheets; default sheets in --work")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--steps", type=int, nargs="+", default=(50, 9, 6, 4))
    parser.add_argument("--size", type=int, default=0, help="0 full, 1 half, 2 quarter size")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="1: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    work = Workplace(BUDGETS[args.budget], args.work, bfloat16=True)
    folder, vocabulary = args.out or work.file("sheets"), work.budget.vocabulary()
    folder.mkdir(parents=True, exist_ok=True)
    model, autoencoder = load_average(work), best_autoencoder(work)
    judge = trained_classifier(work) if work.file("classifier.pt").exists() else None
    step = torch.load(work.file("transformer.pt"), map_location="cpu")["course"]["step"]
    for kind in args.kinds:
        ids, rows, started = prompts(work, kind, args.count), [], time.monotonic()
        for steps in args.steps:
            latents = draw(work, model, ids, steps, args.guidance, args.size, args.seed)
            with torch.no_grad(), work.autocast():
                drawn = [autoencoder.decode(some).float().clamp(0, 1) for some in latents.split(8)]
            rows.append(torch.cat(drawn))
            entry = {"step": step, "kind": kind, "size": args.size, "steps": steps, "count": args.count}
            if judge is not None:
                marks = asdict(fidelity(read(judge, rows[-1]), ids, vocabulary))
                entry |= {name: round(value, 4) for name, value in marks.items()}
            with (folder / "sheets.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            log.info("%s (%.0f s)", json.dumps(entry), time.monotonic() - started)
        bands = [row.split(COLUMNS) for row in rows]
        name = f"step-{step:06d}-{kind}-size-{args.size}"
        shown = torch.cat([part for band in zip(*bands, strict=True) for part in band])
        sheet(shown, COLUMNS, folder / f"{name}.png")
        said = [scene.prompt(vocabulary) for scene in scenes_of(ids, vocabulary)]
        (folder / f"{name}.txt").write_text("\n".join(said) + "\n", "utf-8")


if __name__ == "__main__":
    main()
