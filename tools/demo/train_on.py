"""Train on from weights that were exported."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from fresco_core.demo.weights import load_classifier, load_demo

from .fit_transformer import DemoModel
from .work import Workplace, save

log = logging.getLogger(__name__)


def lay_out_weights(work: Workplace, folder: Path) -> Workplace:
    """Write a folder's weights as checkpoints where the run's folder has none; the run with the mix of
    picture sizes that a transformer which already draws needs.

    Raises RuntimeError, from torch, where the budget's sizes are not those of the weights, FileNotFoundError
    where the folder lacks some.
    """
    demo, budget = load_demo(folder), work.budget
    model = DemoModel(budget)
    model.transformer.load_state_dict(demo.transformer.state_dict())
    model.prompt.load_state_dict(demo.prompt.state_dict())
    states = {
        "transformer.pt": {"model": model.state_dict(), "average": model.state_dict()},
        "autoencoder.pt": {"model": demo.autoencoder.state_dict()},
        "classifier.pt": {"model": load_classifier(folder).state_dict()},
    }
    for name, state in states.items():
        if not work.file(name).exists():
            save(work.file(name), state)
            log.info("%s: from the weights in %s", name, folder)
    stage = dataclasses.replace(budget.transformer, levels_first=budget.transformer.levels_last)
    return dataclasses.replace(work, budget=dataclasses.replace(budget, transformer=stage))
