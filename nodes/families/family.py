"""What is known of a family of models: one value of these types in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from torch import Tensor

from ...fresco_core.cost import TRAINED_PIXELS, Architecture
from ..mixed.call import Conditions, Evaluate


class Kind(Enum):
    """What a coarse look does to a conditioning."""

    MAP = "a map of the canvas, or a whole number of times as fine or as coarse: merged"
    MASKED = "a map whose last 64 channels, if it has them, are the 8x8 pixels of a mask: merged as pixels"
    REFERENCE = "pictures of any size, seen as more tokens: merged on their own grid"
    UNTOUCHED = "text, sounds, numbers, pictures that an encoder of their own sees: as they are"
    GRID = "places or counts of the full grid's tokens: the run is plain"
    REBUILT = "places of the grid's tokens: made anew for the level's"


MAP, MASKED, REFERENCE, UNTOUCHED, GRID, REBUILT = Kind


def kinds(**names: str) -> dict[str, Kind]:
    """Conditionings by their kind, each given as one line of names: kinds(MAP="c_concat image_cond")."""
    return {name: Kind[kind] for kind, line in names.items() for name in line.split()}


@dataclass(frozen=True)
class MixedAdapter:
    """How a family's networks take mixed sequences, through the host's own forward and its patches.

    network: the host's class, and no other that is derived from it. arguments: those of the network that are
    known beside the text. misfit(network): why this host's network is not what the adapter was written for,
    or None. one_clock(network, conditions): why coarse tokens share the clock of fine ones in a run whose
    conditioning gives the network these arguments, or None where they can have their own.
    """

    network: str
    arguments: frozenset[str]
    misfit: Callable[[Any], str | None]
    one_clock: Callable[[Any, Conditions], str | None]
    evaluate: Evaluate


OwnClock = Callable[[Any, tuple, dict, Tensor, float], tuple[tuple, dict]]
"""own_clock(network, args, kwargs, times, level) -> (args, kwargs): the arguments of a network that makes
several streams (video and its sound), as a DIFFUSION_MODEL wrapper gets them, with the first one's timesteps
`times` (B,) what they were, which is the level's clock, and the others' as they are."""

Trained = tuple[int, int | None]
"""Fewest and most pixels of a picture or frame; None for any."""


@dataclass(frozen=True)
class Family:
    """A family of models.

    name: as messages call it. classes: of the host's models, of its networks and of packs' networks, that all
    of the family derive from. trained: the sizes that they make good pictures of; None where nobody has told,
    which counts as an unknown class. pixels: of a picture per latent pixel, by class of latent format, where
    that is not 8 and the format does not say. packed: side of the patch of pixels that a latent format holds
    in its channels. readers: what a step costs, read from a network's own configuration, by class of network.
    conditions: what the family's own conditionings are, by the name of the network's argument; with a class
    of the host's models and a dot before it where that class means something else by the name. clocks: by
    class of network, how one that makes several streams takes a clock of its own for the first.
    """

    name: str
    classes: frozenset[str] = frozenset()
    trained: Trained | None = TRAINED_PIXELS
    pixels: Mapping[str, int] = field(default_factory=dict)
    packed: Mapping[str, int] = field(default_factory=dict)
    readers: Mapping[str, Callable[[Any], Architecture]] = field(default_factory=dict)
    conditions: Mapping[str, Kind] = field(default_factory=dict)
    mixed: MixedAdapter | None = None
    clocks: Mapping[str, OwnClock] = field(default_factory=dict)
