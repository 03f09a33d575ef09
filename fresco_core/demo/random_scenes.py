"""Random scenes of a vocabulary."""

from __future__ import annotations

import numpy as np

from .scene import NOTHING, Item, Scene
from .vocabulary import Vocabulary

FAMILY_SHARE = 0.33
"""Of an open vocabulary's scenes, those whose objects are of one family."""
REPEATED_SHARE = 0.15
"""Of an open vocabulary's scenes, those where an object may come more than once."""


def draw_scene(vocabulary: Vocabulary, random: np.random.Generator) -> Scene:
    """A random scene: one to three different objects at places where they overlap little, or one to five of
    an open vocabulary, where only big neighbours keep their distance."""
    chances = (0.2, 0.25, 0.25, 0.18, 0.12) if vocabulary.open else (0.25, 0.35, 0.40)
    count = int(random.choice(np.arange(len(chances)) + 1, p=chances))
    names = _draw_names(vocabulary, count, random)
    apart = _a_little_apart if vocabulary.open else _apart
    items: list[Item] = []
    for name in names:
        for _ in range(50):
            place, size = int(random.integers(9)), int(random.choice(3, p=(0.25, 0.5, 0.25)))
            item = Item(vocabulary.objects[name], vocabulary.places[place], vocabulary.sizes[size])
            if all(apart(item, other, vocabulary) for other in items):
                items.append(item)
                break
    kind = vocabulary.kinds[random.integers(len(vocabulary.kinds))]
    colour = vocabulary.colours[random.integers(len(vocabulary.colours))]
    return Scene(tuple(items), kind, colour, len(items) if vocabulary.open else NOTHING)


def _draw_names(vocabulary: Vocabulary, count: int, random: np.random.Generator) -> list[int]:
    """Indices of different objects; in an open vocabulary a third of the scenes are of one family, and in
    some an object comes twice."""
    if not vocabulary.open:
        return list(random.choice(len(vocabulary.objects), size=count, replace=False))
    among = np.arange(len(vocabulary.objects))
    if random.random() < FAMILY_SHARE:
        family = vocabulary.families[random.integers(len(vocabulary.families))]
        among = np.array([index for index in among if vocabulary.family_of[index] == family])
    repeated = random.random() < REPEATED_SHARE or len(among) < count
    return list(random.choice(among, size=count, replace=repeated))


def _distances(item: Item, other: Item, vocabulary: Vocabulary) -> tuple[int, int]:
    here, there = vocabulary.places.index(item.place), vocabulary.places.index(other.place)
    return abs(here // 3 - there // 3), abs(here % 3 - there % 3)


def _apart(item: Item, other: Item, vocabulary: Vocabulary) -> bool:
    """Whether two objects overlap little: neighbours only when neither is big."""
    return max(_distances(item, other, vocabulary)) >= (2 if "big" in (item.size, other.size) else 1)


def _a_little_apart(item: Item, other: Item, vocabulary: Vocabulary) -> bool:
    """Whether two objects leave each other to be seen: big ones not side by side."""
    return sum(_distances(item, other, vocabulary)) >= (2 if item.size == other.size == "big" else 1)
