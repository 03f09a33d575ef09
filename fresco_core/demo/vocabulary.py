"""The words that the demo model was trained with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PLACES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
"""The nine cells of a 3 x 3 grid in reading order."""

SIZES = ("small", "medium", "big")

GROUND_KINDS = ("plain", "gradient", "checks", "stripes", "dots", "waves")

GROUND_COLOURS = {
    "red": (0.80, 0.30, 0.30),
    "yellow": (0.90, 0.78, 0.35),
    "green": (0.38, 0.66, 0.40),
    "blue": (0.34, 0.52, 0.80),
    "purple": (0.58, 0.42, 0.74),
    "grey": (0.66, 0.66, 0.68),
}
"""Colour word to RGB in [0, 1]."""


@dataclass(frozen=True)
class Vocabulary:
    """Words of one trained model; stored with its prompt encoder, so the order of each tuple never
    changes."""

    objects: tuple[str, ...]
    kinds: tuple[str, ...] = GROUND_KINDS
    colours: tuple[str, ...] = tuple(GROUND_COLOURS)
    places: tuple[str, ...] = PLACES
    sizes: tuple[str, ...] = SIZES

    def to_json(self) -> str:
        """The vocabulary as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read what `to_json` wrote."""
        return cls(**{name: tuple(words) for name, words in json.loads(text).items()})


SMALL_OBJECTS = {
    "red apple": 0x1F34E,
    "banana": 0x1F34C,
    "strawberry": 0x1F353,
    "carrot": 0x1F955,
    "mushroom": 0x1F344,
    "pizza": 0x1F355,
    "doughnut": 0x1F369,
    "guitar": 0x1F3B8,
    "car": 0x1F697,
    "rocket": 0x1F680,
    "cat": 0x1F431,
    "panda": 0x1F43C,
    "frog": 0x1F438,
    "penguin": 0x1F427,
    "octopus": 0x1F419,
    "butterfly": 0x1F98B,
    "sunflower": 0x1F33B,
    "cactus": 0x1F335,
    "football": 0x26BD,
    "umbrella": 0x2614,
    "crown": 0x1F451,
    "house": 0x1F3E0,
    "star": 0x2B50,
    "robot": 0x1F916,
}
"""Object word to Unicode code point: plainly named, visually distinct, for the `cpu` budget."""
