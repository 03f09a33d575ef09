"""Train the demo model: `python -m tools.train_demo --budget cpu`.

Stages, each resumable at any moment by the same command: autoencoder, classifier, latents, transformer,
decoder, export.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path

import torch

from fresco_core.demo.weights import FOLDER
from tools.demo.budgets import BUDGETS
from tools.demo.work import Workplace

STAGES = ("autoencoder", "classifier", "latents", "transformer", "decoder", "export")


def main() -> None:
    """Run the stages asked for, in order."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", choices=BUDGETS, default="cpu")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--out", type=Path, help="folder for checkpoints, log and sheets; default out/demo-BUDGET"
    )
    parser.add_argument("--export", type=Path, help="folder for the safetensors; default weights in --out")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument(
        "--minutes", type=float, help="work per stage, earlier runs included, in place of the budget's"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="on a GPU: do without torch.compile")
    parser.add_argument(
        "--compile",
        action="store_true",
        help="on a CPU: with torch.compile; minutes to begin, then a quarter faster",
    )
    parser.add_argument(
        "--bf16", action="store_true", help="on a CPU: matrix products in bf16, as a GPU always has them"
    )
    parser.add_argument(
        "--from-weights",
        type=Path,
        nargs="?",
        const=FOLDER,
        help="where the run's folder has no checkpoints, train on from the weights in this one, whose sizes "
        "must be the budget's; default the demo's",
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("high")
    budget = BUDGETS[args.budget]
    if args.minutes:
        timed = {
            name: dataclasses.replace(getattr(budget, name), minutes=args.minutes)
            for name in ("autoencoder", "decoder", "classifier", "transformer")
        }
        budget = dataclasses.replace(budget, **timed)
    folder = args.out or Path("out") / f"demo-{budget.name}"
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(folder / "train.log")],
    )
    gpu = args.device != "cpu"
    work = Workplace(
        budget,
        folder,
        args.device,
        compile=args.compile or (gpu and not args.no_compile),
        bfloat16=gpu or args.bf16,
        export=args.export,
    )
    if args.from_weights:
        from tools.demo.train_on import lay_out_weights

        work = lay_out_weights(work, args.from_weights)
    for stage in args.stages:
        logging.info(
            "stage %s, budget %s, torch %s on %s", stage, budget.name, torch.__version__, args.device
        )
        run_stage(stage, work)


def run_stage(stage: str, work: Workplace) -> None:
    """Run one stage to its end."""
    if stage in ("autoencoder", "decoder"):
        from tools.demo.fit_autoencoder import fit_autoencoder

        fit_autoencoder(work, decoder_only=stage == "decoder")
    elif stage == "classifier":
        from tools.demo.fit_classifier import fit_classifier

        fit_classifier(work)
    elif stage == "latents":
        from tools.demo.latents import write_latents

        write_latents(work)
    elif stage == "transformer":
        from tools.demo.fit_transformer import fit_transformer

        fit_transformer(work)
    else:
        from tools.demo.export import export

        export(work)


if __name__ == "__main__":
    main()
