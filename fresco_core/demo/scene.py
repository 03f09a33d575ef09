"""What a picture of the demo model shows, or as much of it as a prompt says; in words and as indices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .vocabulary import Vocabulary

NOTHING = 0
"""The index that stands for an absent word; word `i` of a vocabulary has index `i + 1`."""

NUMBERS = ("one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Item:
    """One object of a scene. In an open vocabulary an empty word stays open, and the name may be a
    family's."""

    name: str
    place: str
    size: str = "medium"


@dataclass(frozen=True)
class Scene:
    """What a picture shows: objects on a ground. In an open vocabulary an empty word stays open."""

    items: tuple[Item, ...]
    kind: str = "plain"
    colour: str = "grey"
    count: int = NOTHING
    """How many objects there are in all, listed or not; of open vocabularies only."""

    def prompt(self, vocabulary: Vocabulary | None = None) -> str:
        """The scene in words; `parse` reads it back to an equal scene. Of an open vocabulary, which must then
        be given, with no word more than the scene has."""
        if vocabulary is not None and vocabulary.open:
            return _open_prompt(self)
        parts = [f"{_article(_phrase(item))} {_phrase(item)} {item.place}" for item in self.items]
        ground = f"plain {self.colour}" if self.kind == "plain" else f"{self.colour} {self.kind}"
        if self.kind == "gradient":
            ground = f"{_article(ground)} {ground}"
        return ", ".join([*parts, f"on {ground}"])


def _phrase(item: Item) -> str:
    return item.name if item.size == "medium" else f"{item.size} {item.name}"


def _article(words: str) -> str:
    return "an" if words[0] in "aeio" else "a"


def _open_prompt(scene: Scene) -> str:
    parts = []
    for item in scene.items:
        words = " ".join(word for word in (item.size, item.name or "thing", item.place) if word)
        parts.append(f"{_article(words)} {words}")
    said = ", ".join(parts)
    if scene.count and scene.count == len(scene.items):
        said = f"only {said}"
    elif scene.count:
        things = f"{NUMBERS[scene.count - 1]} thing{'s' if scene.count > 1 else ''}"
        said = f"{things}: {said}" if said else things
    order = (scene.kind, scene.colour) if scene.kind == "plain" else (scene.colour, scene.kind)
    ground = " ".join(word for word in order if word)
    return ", ".join(filter(None, (said, f"on {ground}" if ground else "")))


def scene_ids(scenes: Iterable[Scene], vocabulary: Vocabulary) -> Tensor:
    """Scenes as indices, (B, vocabulary.columns) int64, 0 for what a scene does not have or does not say."""

    def index(known: tuple[str, ...], word: str) -> int:
        return known.index(word) + 1 if word else NOTHING

    rows = []
    for scene in scenes:
        row = [NOTHING] * vocabulary.columns
        for slot, item in enumerate(scene.items):
            row[3 * slot : 3 * slot + 3] = (
                index(vocabulary.names, item.name),
                index(vocabulary.places, item.place),
                index(vocabulary.sizes, item.size),
            )
        if vocabulary.open:
            row[-3] = scene.count
        row[-2:] = index(vocabulary.kinds, scene.kind), index(vocabulary.colours, scene.colour)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, vocabulary.columns)


def scenes_of(ids: Tensor, vocabulary: Vocabulary) -> list[Scene]:
    """The scenes, or what is said of them, that ids (B, vocabulary.columns) stand for."""

    def word(known: tuple[str, ...], index: int) -> str:
        return known[index - 1] if index else ""

    scenes = []
    for row, slots in zip(ids.tolist(), slots_of(ids).tolist(), strict=True):
        items = tuple(
            Item(word(vocabulary.names, name), word(vocabulary.places, place), word(vocabulary.sizes, size))
            for name, place, size in slots
            if name or place or size
        )
        count = row[-3] if vocabulary.open else NOTHING
        scenes.append(Scene(items, word(vocabulary.kinds, row[-2]), word(vocabulary.colours, row[-1]), count))
    return scenes


def slots_of(ids: Tensor) -> Tensor:
    """The objects in ids (B, columns) of any vocabulary: a view (B, slots, 3), name, place and size each."""
    slots = (ids.shape[1] - 2) // 3
    return ids[:, : 3 * slots].unflatten(1, (slots, 3))
