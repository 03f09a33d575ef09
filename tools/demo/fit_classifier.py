"""Train the judge of generated pictures on rendered scenes."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor

from fresco_core.demo.classifier import (
    INPUT_SIDE,
    Reading,
    SceneClassifier,
    fidelity,
    places_wanted,
    sizes_wanted,
)

from .open_render import OpenRenderer
from .render import Renderer
from .work import Workplace, draw_ids, save

log = logging.getLogger(__name__)

HELD_OUT_SALT = 8_000_000
HELD_OUT = 1024


def reading_loss(reading: Reading, ids: Tensor) -> Tensor:
    """Cross entropy of all heads against the scenes' ids (B, ID_COLUMNS)."""
    return (
        F.cross_entropy(reading.objects.flatten(0, 1), places_wanted(ids).flatten())
        + 0.5 * F.cross_entropy(reading.sizes.flatten(0, 1), sizes_wanted(ids).flatten())
        + 0.2 * F.cross_entropy(reading.kinds, ids[:, -2] - 1)
        + 0.2 * F.cross_entropy(reading.colours, ids[:, -1] - 1)
    )


def disturbed(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Slight blur, noise and change of contrast, so that small faults of generated pictures do not
    mislead."""
    pictures = F.interpolate(pictures, (INPUT_SIDE, INPUT_SIDE), mode="area")
    a, b, c = torch.rand(3, generator=random).tolist()
    if a < 0.4:
        pictures = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    pictures = pictures + 0.04 * b * torch.randn_like(pictures)
    return (pictures - 0.5) * (0.9 + 0.2 * c) + 0.5


class Pictures:
    """Rendered scenes for the judge. Where rendering takes most of the time, on a CPU, each step draws one
    `fresh`th of its pictures anew and takes the others from the last `kept` ones."""

    def __init__(self, work: Workplace, renderer: Renderer | OpenRenderer, kept: int = 12288, fresh: int = 4):
        self.work, self.renderer, self.kept = work, renderer, kept
        self.fresh = fresh if work.budget.open else 1
        self._pictures: list[Tensor] = []
        self._ids: list[Tensor] = []

    def batch(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (count, 3, INPUT_SIDE, INPUT_SIDE) in [0, 1] and their ids (count, columns)."""
        new = count // self.fresh if len(self._ids) > count else count
        ids = draw_ids(self.work.budget, new, int(torch.randint(1 << 30, (1,), generator=random)))
        drawn = F.interpolate(self.renderer.draw(ids, random), (INPUT_SIDE, INPUT_SIDE), mode="area")
        self._pictures = [*self._pictures, *(drawn * 255).round().byte()][-self.kept :]
        self._ids = [*self._ids, *ids][-self.kept :]
        chosen = torch.randint(len(self._ids), (count - new,), generator=random).tolist()
        chosen += range(len(self._ids) - new, len(self._ids))
        pictures = torch.stack([self._pictures[index] for index in chosen]).float() / 255
        return pictures.to(self.work.device), torch.stack([self._ids[i] for i in chosen]).to(self.work.device)


def fit_classifier(work: Workplace) -> None:
    """Train until the stage's budget is spent, then report the accuracy on held-out scenes."""
    stage, course, renderer = work.budget.classifier, work.course(work.budget.classifier), work.renderer()
    torch.manual_seed(work.budget.seed + 1)
    model = SceneClassifier(work.budget.vocabulary()).to(work.device)
    adam = torch.optim.AdamW(model.parameters(), stage.rate, (0.9, 0.99), weight_decay=0.01)
    random, checkpoint = work.generator(20), work.file("classifier.pt")
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=work.device)
        model.load_state_dict(state["model"])
        if "course" in state:  # else weights alone, to train on from
            adam.load_state_dict(state["adam"])
            random.set_state(state["random"].cpu())
            course.load(state["course"])
    source = Pictures(work, renderer)
    while course.progress < 1:
        pictures, ids = source.batch(stage.batch[0], random)
        pictures = disturbed(pictures, random)
        for group in adam.param_groups:
            group["lr"] = stage.rate * course.rate_factor()
        with work.autocast():
            loss = reading_loss(model(pictures), ids)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        course.step += 1
        if course.step % 100 == 0 or course.progress >= 1:
            log.info("classifier step %d (%.0f s): loss %.4f", course.step, course.elapsed(), loss.detach())
            save(
                checkpoint,
                {
                    "model": model.state_dict(),
                    "adam": adam.state_dict(),
                    "random": random.get_state(),
                    "course": course.state(),
                },
            )
    measure(work, model, renderer)


@torch.no_grad()
def measure(work: Workplace, model: SceneClassifier, renderer: Renderer | OpenRenderer) -> None:
    """Accuracy on held-out scenes, as the fidelity that perfect pictures would be given."""
    ids = draw_ids(work.budget, HELD_OUT, HELD_OUT_SALT).to(work.device)
    random = work.generator(HELD_OUT_SALT)
    readings = [model(renderer.draw(part, random).to(work.device)) for part in ids.split(64)]
    whole = Reading(
        *(torch.cat([getattr(r, name) for r in readings]) for name in Reading.__dataclass_fields__)
    )
    marks = asdict(fidelity(whole, ids, work.budget.vocabulary()))
    marks["cells"] = float((whole.objects.argmax(-1) == places_wanted(ids)).double().mean())
    log.info("classifier on %d held-out scenes: %s", HELD_OUT, json.dumps(marks))
    work.file("classifier.json").write_text(json.dumps(marks, indent=1) + "\n", "utf-8")
