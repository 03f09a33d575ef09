"""A small network that reads a scene back from a picture: the judge of generated pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .scene import slots_of
from .vocabulary import Vocabulary

INPUT_SIDE = 96
FEATURES = 128


@dataclass(frozen=True)
class Reading:
    """Logits; class 0 of objects and sizes is "nothing here"."""

    objects: Tensor
    """(B, 9, objects + 1), one row per place."""
    sizes: Tensor
    """(B, 9, sizes + 1)."""
    kinds: Tensor
    """(B, kinds)."""
    colours: Tensor
    """(B, colours)."""
    features: Tensor
    """(B, 10 * FEATURES): the nine places and the mean, for distances between sets of pictures."""


class SceneClassifier(nn.Module):
    """Convolutions down to a 3 x 3 grid, one object and size per cell, one ground per picture."""

    def __init__(self, vocabulary: Vocabulary):
        super().__init__()
        self.vocabulary = vocabulary
        steps = (
            (3, 32, 2),
            (32, 64, 2),
            (64, 96, 2),
            (96, 96, 1),
            (96, FEATURES, 2),
            (FEATURES, FEATURES, 1),
        )
        layers: list[nn.Module] = []
        for n_in, n_out, stride in steps:
            layers += [nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1), nn.GroupNorm(8, n_out), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.cell = nn.Conv2d(FEATURES, FEATURES, 2, stride=2)
        self.objects = nn.Linear(FEATURES, len(vocabulary.objects) + 1)
        self.sizes = nn.Linear(FEATURES, len(vocabulary.sizes) + 1)
        self.kinds = nn.Linear(FEATURES, len(vocabulary.kinds))
        self.colours = nn.Linear(FEATURES, len(vocabulary.colours))

    def forward(self, images: Tensor) -> Reading:
        """Images (B, 3, H, W) in [0, 1], square, brought to 96 x 96 by area means."""
        if images.shape[-2:] != (INPUT_SIDE, INPUT_SIDE):
            images = F.interpolate(images, (INPUT_SIDE, INPUT_SIDE), mode="area")
        fine = self.trunk(images)
        cells = F.relu(self.cell(fine)).flatten(2).transpose(1, 2)
        mean = fine.mean(dim=(2, 3))
        return Reading(
            self.objects(cells),
            self.sizes(cells),
            self.kinds(mean),
            self.colours(mean),
            torch.cat((cells.flatten(1), mean), dim=1),
        )


@dataclass(frozen=True)
class Fidelity:
    """How well pictures show what their prompts say, shares in [0, 1]."""

    objects: float
    """Of the objects asked for, those found anywhere in the picture."""
    places: float
    """Of the objects found, those at the place asked for."""
    sizes: float
    """Of the objects at their place, those of the size asked for."""
    spurious: float
    """Mean number of cells per picture that show an object nobody asked for there."""
    kinds: float
    colours: float


def places_wanted(ids: Tensor) -> Tensor:
    """Object index per place, (B, 9), 0 for none, from ids (B, ID_COLUMNS)."""
    return _spread(ids, 0)


def sizes_wanted(ids: Tensor) -> Tensor:
    """Size index per place, (B, 9), 0 for none, from ids (B, ID_COLUMNS)."""
    return _spread(ids, 2)


def _spread(ids: Tensor, column: int) -> Tensor:
    objects = slots_of(ids)
    cells = torch.zeros(len(ids), 10, dtype=ids.dtype, device=ids.device)
    return cells.scatter(1, objects[..., 1], objects[..., column])[:, 1:]


def fidelity_marks(reading: Reading, ids: Tensor) -> dict[str, Tensor]:
    """Marks per picture, for means and bootstrap: counts of objects asked, found, at their place, and so on,
    (B,)."""
    wanted, seen = places_wanted(ids), reading.objects.argmax(-1)
    asked = wanted > 0
    found = ((wanted[:, :, None] == seen[:, None, :]) & asked[:, :, None]).any(-1)
    placed = asked & (wanted == seen)
    sized = placed & (sizes_wanted(ids) == reading.sizes.argmax(-1))
    return {
        "asked": asked.sum(1),
        "found": found.sum(1),
        "placed": placed.sum(1),
        "sized": sized.sum(1),
        "spurious": ((seen > 0) & ~asked).sum(1),
        "kinds": (reading.kinds.argmax(-1) + 1 == ids[:, -2]).long(),
        "colours": (reading.colours.argmax(-1) + 1 == ids[:, -1]).long(),
    }


def fidelity(reading: Reading, ids: Tensor) -> Fidelity:
    """Shares over all pictures of a reading, with the ids (B, ID_COLUMNS) of their prompts."""
    marks = {name: value.double() for name, value in fidelity_marks(reading, ids).items()}
    total = {name: value.sum().clamp(min=1) for name, value in marks.items()}
    return Fidelity(
        objects=float(marks["found"].sum() / total["asked"]),
        places=float(marks["placed"].sum() / total["found"]),
        sizes=float(marks["sized"].sum() / total["placed"]),
        spurious=float(marks["spurious"].mean()),
        kinds=float(marks["kinds"].mean()),
        colours=float(marks["colours"].mean()),
    )
