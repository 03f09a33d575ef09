"""The scene grammar: what a prompt of the demo model can say.

prompt = [ object { "," object } ] [ [ "," ] "on" ground ]
object = [ article ] [ size ] name [ place ]              "a big red apple top left"
ground = [ article ] ( colour [ kind ] | kind colour )    "green checks", "plain blue", "a grey gradient"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from .vocabulary import Vocabulary

MAX_OBJECTS = 3
PROMPT_TOKENS = MAX_OBJECTS + 2  # a prompt's tokens: its objects, the ground's kind and its colour
NOTHING = 0
"""The index that stands for an absent word; word `i` of a vocabulary has index `i + 1`."""

ID_COLUMNS = 3 * MAX_OBJECTS + 2
"""Columns of a row of ids: (object, place, size) three times, then ground kind and ground colour."""

_ARTICLES = {"a", "an", "the", "one"}
_SAME_WORD = {
    "center": "centre",
    "middle": "centre",
    "large": "big",
    "little": "small",
    "gray": "grey",
    "upper": "top",
    "lower": "bottom",
    "background": "",
    "at": "",
    "in": "",
    "with": "",
}
_PLACE_ORDER = (
    "centre",
    "left",
    "right",
    "top",
    "bottom",
    "top left",
    "bottom right",
    "top right",
    "bottom left",
)


class SceneError(ValueError):
    """A prompt that the grammar cannot read; the message says what to write instead."""


@dataclass(frozen=True)
class Item:
    """One object of a scene."""

    name: str
    place: str
    size: str = "medium"


@dataclass(frozen=True)
class Scene:
    """What a picture shows: up to three objects on a ground."""

    items: tuple[Item, ...]
    kind: str = "plain"
    colour: str = "grey"

    def prompt(self) -> str:
        """The scene in words; `parse` reads it back to an equal scene."""
        parts = [f"{_article(_phrase(item))} {_phrase(item)} {item.place}" for item in self.items]
        ground = f"plain {self.colour}" if self.kind == "plain" else f"{self.colour} {self.kind}"
        if self.kind == "gradient":
            ground = f"{_article(ground)} {ground}"
        return ", ".join([*parts, f"on {ground}"])


def _phrase(item: Item) -> str:
    return item.name if item.size == "medium" else f"{item.size} {item.name}"


def _article(words: str) -> str:
    return "an" if words[0] in "aeio" else "a"


def parse(prompt: str, vocabulary: Vocabulary) -> Scene:
    """Read a prompt.

    A missing size is medium, a missing place the first free one (centre first), a missing ground plain and of
    the vocabulary's last colour.

    Raises:
        SceneError: unknown word (names the nearest known ones), two objects at one place, too many objects.
    """
    text = re.sub(r"\s+", " ", prompt.lower().replace(".", " ").replace(" and ", ", ")).strip(" ,")
    body, _, ground = f" {text}".partition(" on ")
    kind, colour = _parse_ground(ground, vocabulary)
    phrases = [part.strip() for part in body.split(",") if part.strip()]
    if len(phrases) > MAX_OBJECTS:
        raise SceneError(f"{len(phrases)} objects asked for, at most {MAX_OBJECTS} fit: remove some.")
    read = [_parse_item(phrase, vocabulary) for phrase in phrases]
    taken = [place for _, place, _ in read if place]
    for place in taken:
        if taken.count(place) > 1:
            raise SceneError(
                f"Two objects at '{place}': give each its own place of {_list(vocabulary.places)}."
            )
    items = []
    for name, place, size in read:
        if not place:
            place = next(word for word in _PLACE_ORDER if word not in taken)
            taken.append(place)
        items.append(Item(name, place, size))
    return Scene(tuple(items), kind, colour)


def _words(text: str) -> list[str]:
    return [word for word in (_SAME_WORD.get(word, word) for word in text.split()) if word]


def _parse_item(phrase: str, vocabulary: Vocabulary) -> tuple[str, str, str]:
    words = _words(phrase)
    while words and words[0] in _ARTICLES:
        words = words[1:]
    size = "medium"
    if words and words[0] in vocabulary.sizes and " ".join(words[:2]) not in vocabulary.objects:
        size, words = words[0], words[1:]
    for count in range(len(words), 0, -1):
        name = " ".join(words[:count])
        if name in vocabulary.objects:
            place = " ".join(word for word in words[count:] if word != "the")
            if place in ("right top", "left top", "right bottom", "left bottom"):
                place = " ".join(reversed(place.split()))
            if place and place not in vocabulary.places:
                raise SceneError(_unknown("place", place, vocabulary.places, f"after '{name}'"))
            return name, place, size
    for place in sorted(vocabulary.places, key=len, reverse=True):
        if " ".join(words).endswith(f" {place}"):
            words = words[: -len(place.split())]
            break
    raise SceneError(_unknown("object", " ".join(words) or phrase, vocabulary.objects))


def _parse_ground(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    kind, colour = "plain", ""
    for word in _words(text.replace(",", " ")):
        if word in vocabulary.kinds:
            kind = word
        elif word in vocabulary.colours:
            colour = word
        elif word not in _ARTICLES:
            raise SceneError(_unknown("ground word", word, (*vocabulary.kinds, *vocabulary.colours)))
    return kind, colour or vocabulary.colours[-1]


def _unknown(what: str, found: str, known: Iterable[str], where: str = "") -> str:
    known = tuple(known)
    last = found.split()[-1] if found.split() else found
    near = difflib.get_close_matches(found, known, n=3, cutoff=0.5) or difflib.get_close_matches(
        last, known, 3, 0.5
    )
    where = f" {where}" if where else ""
    if near:
        return f"Unknown {what} '{found}'{where}. Nearest known: {_list(near)}."
    return f"Unknown {what} '{found}'{where}. Known: {_list(known[:40])}{', ...' if len(known) > 40 else ''}."


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def draw_scene(vocabulary: Vocabulary, random: np.random.Generator) -> Scene:
    """A random scene: one to three different objects at places where they overlap little."""
    count = int(random.choice((1, 2, 3), p=(0.25, 0.35, 0.40)))
    names = random.choice(len(vocabulary.objects), size=count, replace=False)
    items: list[Item] = []
    for name in names:
        for _ in range(50):
            place, size = int(random.integers(9)), int(random.choice(3, p=(0.25, 0.5, 0.25)))
            item = Item(vocabulary.objects[name], vocabulary.places[place], vocabulary.sizes[size])
            if all(_apart(item, other, vocabulary) for other in items):
                items.append(item)
                break
    kind = vocabulary.kinds[random.integers(len(vocabulary.kinds))]
    return Scene(tuple(items), kind, vocabulary.colours[random.integers(len(vocabulary.colours))])


def _apart(item: Item, other: Item, vocabulary: Vocabulary) -> bool:
    """Whether two objects overlap little: neighbours only when neither is big."""
    here, there = vocabulary.places.index(item.place), vocabulary.places.index(other.place)
    distance = max(abs(here // 3 - there // 3), abs(here % 3 - there % 3))
    return distance >= (2 if "big" in (item.size, other.size) else 1)


def scene_ids(scenes: Iterable[Scene], vocabulary: Vocabulary) -> torch.Tensor:
    """Scenes as indices, (B, ID_COLUMNS) int64, 0 where a scene has no further object."""
    rows = []
    for scene in scenes:
        row = [NOTHING] * ID_COLUMNS
        for slot, item in enumerate(scene.items):
            row[3 * slot : 3 * slot + 3] = (
                vocabulary.objects.index(item.name) + 1,
                vocabulary.places.index(item.place) + 1,
                vocabulary.sizes.index(item.size) + 1,
            )
        row[-2:] = vocabulary.kinds.index(scene.kind) + 1, vocabulary.colours.index(scene.colour) + 1
        rows.append(row)
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, ID_COLUMNS)
