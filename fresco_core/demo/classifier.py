"""A small network that reads a scene back from a picture: the judge of generated pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .scene import slots_of
from .vocabulary import SHIPPED_WORDS, Vocabulary

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


def fidelity_marks(
    reading: Reading, ids: Tensor, vocabulary: Vocabulary = SHIPPED_WORDS
) -> dict[str, Tensor]:
    """Marks per picture, for means and bootstrap: counts of objects asked for, found, at their place, and so
    on, (B,).

    Of an open vocabulary's prompts only what they say counts: `placeable` are the objects found that have a
    place, `sizeable` those at their place that have a size. A family is found where one of its objects is,
    two of a name where two are. Uninvited is what is more than the number in all that was said.
    """
    seen = reading.objects.argmax(-1)
    name, place, size = slots_of(ids).unbind(-1)
    families = torch.tensor(vocabulary.family_ids(), device=ids.device)[seen]
    match = (name[:, :, None] == seen[:, None]) | (name[:, :, None] == families[:, None])
    match &= name[:, :, None] > 0
    earlier = (name[:, :, None] == name[:, None, :]).tril().sum(-1)  # of the same name, itself included
    asked = name > 0
    found = asked & (match.sum(-1) >= earlier)
    here = (place - 1).clamp(min=0)
    placed = asked & (place > 0) & match.gather(2, here[:, :, None]).squeeze(2)
    sizes = reading.sizes.argmax(-1).gather(1, here)
    sized = placed & (size > 0) & (sizes == size)
    if vocabulary.open:
        total = ids[:, -3]
        spurious = ((seen > 0).sum(1) - total).clamp(min=0) * (total > 0)
    else:
        spurious = ((seen > 0) & (places_wanted(ids) == 0)).sum(1)
    return {
        "asked": asked.sum(1),
        "found": found.sum(1),
        "placeable": (found & (place > 0)).sum(1),
        "placed": placed.sum(1),
        "sizeable": (placed & (size > 0)).sum(1),
        "sized": sized.sum(1),
        "spurious": spurious,
        "kinds_asked": (ids[:, -2] > 0).long(),
        "kinds": (reading.kinds.argmax(-1) + 1 == ids[:, -2]).long(),
        "colours_asked": (ids[:, -1] > 0).long(),
        "colours": (reading.colours.argmax(-1) + 1 == ids[:, -1]).long(),
    }


def fidelity(reading: Reading, ids: Tensor, vocabulary: Vocabulary = SHIPPED_WORDS) -> Fidelity:
    """Shares over all pictures of a reading, with the ids (B, vocabulary.columns) of their prompts."""
    marks = fidelity_marks(reading, ids, vocabulary)
    total = {name: value.double().sum() for name, value in marks.items()}

    def share(of: str, all_: str) -> float:
        return float(total[of] / total[all_].clamp(min=1))

    return Fidelity(
        objects=share("found", "asked"),
        places=share("placed", "placeable"),
        sizes=share("sized", "sizeable"),
        spurious=float(marks["spurious"].double().mean()),
        kinds=share("kinds", "kinds_asked"),
        colours=share("colours", "colours_asked"),
    )
