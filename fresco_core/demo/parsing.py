"""Read prompts of the scene grammar; `scenes` states it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from .scene import NOTHING, NUMBERS, Item, Scene
from .vocabulary import Vocabulary

_ARTICLES = {"a", "an", "the", "one", "some"}
_SAME_WORD = {
    "center": "centre",
    "middle": "centre",
    "large": "big",
    "little": "small",
    "gray": "grey",
    "upper": "top",
    "lower": "bottom",
    "background": "",
    "ground": "",
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
_THING = "thing"
_COUNTS = {word: count for count, word in enumerate(NUMBERS, 1)} | {str(n): n for n in range(1, 10)}


class SceneError(ValueError):
    """A prompt that the grammar cannot read; the message says what to write instead."""


def parse(prompt: str, vocabulary: Vocabulary) -> Scene:
    """Read a prompt.

    A missing size is medium, a missing place the first free one (centre first), a missing ground plain and of
    the vocabulary's last colour; in an open vocabulary what is missing stays open.

    Raises:
        SceneError: unknown word (names the nearest known ones), two objects at one place, too many objects,
            or fewer in all than are listed.
    """
    text = re.sub(r"\s+", " ", prompt.lower().replace(".", " ").replace(" and ", ", ")).strip(" ,")
    body, _, ground = f" {text}".partition(" on ")
    kind, colour = _parse_ground(ground, vocabulary)
    if vocabulary.open:
        return _parse_open(body, kind, colour, vocabulary)
    phrases = [part.strip() for part in body.split(",") if part.strip()]
    _check_slots(len(phrases), vocabulary)
    read = [_parse_item(_without_articles(_words(phrase)), phrase, vocabulary) for phrase in phrases]
    taken = _places(read, vocabulary)
    items = []
    for item in read:
        place = item.place
        if not place:
            place = next(word for word in _PLACE_ORDER if word not in taken)
            taken.append(place)
        items.append(Item(item.name, place, item.size or "medium"))
    return Scene(tuple(items), kind or "plain", colour or vocabulary.colours[-1])


def _parse_open(body: str, kind: str, colour: str, vocabulary: Vocabulary) -> Scene:
    body = body.strip()
    only = body.startswith("only ")
    total, body = _parse_total(body.removeprefix("only "))
    items, numbered = [], False
    for phrase in filter(None, (part.strip() for part in body.split(","))):
        words = _words(phrase)
        count = _COUNTS.get(words[0], 1) if words else 1
        if words and words[0] in _COUNTS:
            words, numbered = words[1:], numbered or count > 1
        item = _parse_item(_without_articles(words), phrase, vocabulary)
        if item != Item("", "", ""):
            items += [item] * count
    _places(items, vocabulary)
    if not total and (only or numbered):
        total = len(items)
    _check_slots(max(total, len(items)), vocabulary)
    if total and total < len(items):
        listed = len(items)
        raise SceneError(f"{total} objects in all, but {listed} listed: say at least {listed} in all.")
    return Scene(tuple(items), kind, colour, total)


def _parse_total(body: str) -> tuple[int, str]:
    """How many objects there are in all, if a prompt says so, and what else it says."""
    found = re.match(rf"({'|'.join(_COUNTS)}) {_THING}s?(?: *: *| *, *| *$)", body)
    if not found:
        return NOTHING, body
    return _COUNTS[found[1]], body[found.end() :]


def _check_slots(count: int, vocabulary: Vocabulary) -> None:
    if count > vocabulary.slots:
        raise SceneError(f"{count} objects asked for, at most {vocabulary.slots} fit: remove some.")


def _places(items: Iterable[Item], vocabulary: Vocabulary) -> list[str]:
    """The places that objects are given. Raises SceneError where two share one."""
    taken = [item.place for item in items if item.place]
    for place in taken:
        if taken.count(place) > 1:
            raise SceneError(
                f"Two objects at '{place}': give each its own place of {_list(vocabulary.places)}."
            )
    return taken


def _words(text: str) -> list[str]:
    return [word for word in (_SAME_WORD.get(word, word) for word in text.split()) if word]


def _without_articles(words: list[str]) -> list[str]:
    while words and words[0] in _ARTICLES:
        words = words[1:]
    return words


def _parse_item(words: list[str], phrase: str, vocabulary: Vocabulary) -> Item:
    """An object, with "" for what is not said of it."""
    size = ""
    if words and words[0] in vocabulary.sizes and " ".join(words[:2]) not in vocabulary.names:
        size, words = words[0], words[1:]
    for count in range(len(words), 0, -1):
        said = " ".join(words[:count])
        name = _name(said, vocabulary)
        if name is not None:
            place = " ".join(word for word in words[count:] if word != "the")
            if place in ("right top", "left top", "right bottom", "left bottom"):
                place = " ".join(reversed(place.split()))
            if place and place not in vocabulary.places:
                raise SceneError(_unknown("place", place, vocabulary.places, f"after '{said}'"))
            return Item(name, place, size)
    for place in sorted(vocabulary.places, key=len, reverse=True):
        if " ".join(words).endswith(f" {place}"):
            words = words[: -len(place.split())]
            break
    raise SceneError(_unknown("object", " ".join(words) or phrase, vocabulary.names))


def _name(said: str, vocabulary: Vocabulary) -> str | None:
    """The vocabulary's name for a word or, in an open one, for its plural; "" for a thing, None if there is
    none."""
    if said in vocabulary.names:
        return said
    if not vocabulary.open:
        return None
    singulars = [said, said.removesuffix("s"), said.removesuffix("es"), re.sub("ies$", "y", said)]
    if _THING in singulars:
        return ""
    return next((word for word in singulars if word in vocabulary.names), None)


def _parse_ground(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """Kind and colour, "" for what is not said."""
    kind = colour = ""
    for word in _words(text.replace(",", " ")):
        if word in vocabulary.kinds:
            kind = word
        elif word in vocabulary.colours:
            colour = word
        elif word not in _ARTICLES:
            raise SceneError(_unknown("ground word", word, (*vocabulary.kinds, *vocabulary.colours)))
    return kind, colour


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
