"""How schedules and traces write numbers, and how errors quote what they were given."""

from __future__ import annotations

from decimal import Decimal

MAX_LENGTH = 2000  # characters of a schedule
QUOTED = 60  # of them that an error quotes at the most; of one word or number, a third


class ScheduleError(ValueError):
    """A schedule that cannot be read, contradicts itself or does not fit the run; says what to do."""


def number(value: float) -> str:
    """The fewest decimals that read back as `value`, without an exponent: 0.55, 1, 0.00001."""
    return f"{Decimal(repr(float(value))).normalize():f}"


def percent(part: float) -> str:
    """A part (0..1) in percent, as exact as `number`: 40%, 33.3%; `part_of` reads it back."""
    return f"{Decimal(repr(float(part))).scaleb(2).normalize():f}%"


def part_of(percentage: str) -> float:
    """The part (0..1) that a number of percent means, rounded once: '33.3' is 0.333 itself."""
    return float(f"{percentage}e-2")


def quoted(text: object, most: int = QUOTED) -> str:
    """The beginning of `text` in quotes, at most `most` characters of it, each one that can be seen."""
    given = str(text)
    short = given if len(given) <= most else given[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return "'" + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short) + "'"


def brief(value: float) -> str:
    """`number` for errors: exact, unless that takes more than a word's room."""
    exact = number(value)
    return exact if len(exact) <= QUOTED // 3 else f"{value:.3g}"


def brief_percent(part: float) -> str:
    """`percent` for errors."""
    exact = percent(part)
    return exact if len(exact) <= QUOTED // 3 else f"{part * 100:.3g}%"
