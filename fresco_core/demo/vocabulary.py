"""The words that the demo model was trained with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

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
    families: tuple[str, ...] = ()
    """Words that stand for several objects, "fruit"."""
    family_of: tuple[str, ...] = ()
    """The family of each object, in the order of `objects`, "" for none."""
    slots: int = 3
    """Objects that a scene can have."""
    picture_side: int = 192
    """Pixels of the full-size pictures that the model was trained on."""

    def __post_init__(self) -> None:
        if self.families and len(self.family_of) != len(self.objects):
            raise ValueError(
                f'{len(self.family_of)} families for {len(self.objects)} objects: give each one, or "".'
            )

    @property
    def open(self) -> bool:
        """Whether the model was trained on prompts that leave words out: a word that is not said then stays
        open, where another model's is filled in."""
        return bool(self.families)

    @property
    def smallest_side(self) -> int:
        """Pixels of the smallest pictures that the model was trained on enough to draw drafts at."""
        return self.picture_side // (2 if self.open else 4)

    @property
    def names(self) -> tuple[str, ...]:
        """What an object can be called: its own name or its family's."""
        return self.objects + self.families

    @property
    def columns(self) -> int:
        """Of a row of ids: (name, place, size) for each slot, how many objects if the vocabulary is open,
        the ground's kind and its colour."""
        return 3 * self.slots + 2 + self.open

    @property
    def tokens(self) -> int:
        """Of every prompt: its slots, how many objects if the vocabulary is open, the ground's kind and its
        colour."""
        return self.slots + 2 + self.open

    def family_ids(self) -> list[int]:
        """Name index of the family for every name index from 0, "nothing", on; 0 for none. A family is its
        own."""
        first = len(self.objects) + 1
        words = self.family_of or ("",) * len(self.objects)
        own = [self.families.index(word) + first if word else 0 for word in words]
        return [0, *own, *range(first, first + len(self.families))]

    def to_json(self) -> str:
        """The vocabulary as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Read what `to_json` wrote."""
        words: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(text).items()
        }
        return cls(**words)


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

SHIPPED_WORDS = Vocabulary(tuple(SMALL_OBJECTS))
"""The words of the weights for detailed prompts."""

OPEN_FAMILIES = {
    "animal": {
        "cat": 0x1F431,
        "dog": 0x1F436,
        "panda": 0x1F43C,
        "frog": 0x1F438,
        "fox": 0x1F98A,
        "lion": 0x1F981,
        "pig": 0x1F437,
        "koala": 0x1F428,
        "rabbit": 0x1F430,
        "cow": 0x1F42E,
        "penguin": 0x1F427,
        "owl": 0x1F989,
        "octopus": 0x1F419,
        "whale": 0x1F433,
        "butterfly": 0x1F98B,
        "bee": 0x1F41D,
    },
    "fruit": {
        "red apple": 0x1F34E,
        "banana": 0x1F34C,
        "strawberry": 0x1F353,
        "orange": 0x1F34A,
        "lemon": 0x1F34B,
        "pineapple": 0x1F34D,
        "watermelon": 0x1F349,
        "pear": 0x1F350,
    },
    "vegetable": {
        "carrot": 0x1F955,
        "mushroom": 0x1F344,
        "tomato": 0x1F345,
        "broccoli": 0x1F966,
        "corn": 0x1F33D,
        "aubergine": 0x1F346,
    },
    "snack": {
        "pizza": 0x1F355,
        "doughnut": 0x1F369,
        "hamburger": 0x1F354,
        "cookie": 0x1F36A,
        "ice cream": 0x1F368,
        "cupcake": 0x1F9C1,
    },
    "vehicle": {
        "car": 0x1F697,
        "rocket": 0x1F680,
        "bus": 0x1F68C,
        "tractor": 0x1F69C,
        "sailboat": 0x26F5,
        "train": 0x1F682,
        "helicopter": 0x1F681,
    },
    "plant": {
        "sunflower": 0x1F33B,
        "cactus": 0x1F335,
        "tulip": 0x1F337,
        "rose": 0x1F339,
        "tree": 0x1F333,
        "palm": 0x1F334,
    },
    "instrument": {"guitar": 0x1F3B8, "drum": 0x1F941, "trumpet": 0x1F3BA, "violin": 0x1F3BB},
    "toy": {
        "football": 0x26BD,
        "basketball": 0x1F3C0,
        "balloon": 0x1F388,
        "teddy bear": 0x1F9F8,
        "robot": 0x1F916,
        "kite": 0x1FA81,
    },
    "": {
        "umbrella": 0x2614,
        "crown": 0x1F451,
        "house": 0x1F3E0,
        "star": 0x2B50,
        "gem": 0x1F48E,
        "gift": 0x1F381,
        "key": 0x1F511,
        "bell": 0x1F514,
        "clock": 0x23F0,
        "hat": 0x1F3A9,
        "book": 0x1F4D5,
    },
}
"""Family to object word to Unicode code point, for the `open` budget; "" holds those of no family."""

OPEN_SLOTS = 5


def open_vocabulary() -> Vocabulary:
    """The words of the `open` budget, and of the weights for short prompts."""
    pairs = [(family, word) for family, words in OPEN_FAMILIES.items() for word in words]
    return Vocabulary(
        objects=tuple(word for _, word in pairs),
        families=tuple(family for family in OPEN_FAMILIES if family),
        family_of=tuple(family for family, _ in pairs),
        slots=OPEN_SLOTS,
        picture_side=256,
    )
