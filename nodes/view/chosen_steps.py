"""Which steps of a run a line of text means. Steps are those of the sampler, counted from 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

ALL = "all"
Range = tuple[int, int]


def ranges(text: str) -> int | list[Range]:
    """What a line asks for: every how manieth step ('all', 'every 4'), or (first, last) of numbers and
    ranges, '1, 4, 7-10, -1'.

    -1 is the last step, and 0 is taken for the first. Raises ValueError that names what is wrong.
    """
    words = text.strip().lower()
    if names_none(text):
        return 1
    every = re.fullmatch(r"every\s+(\d{1,6})", words)
    if every and int(every[1]) > 0:
        return int(every[1])
    found: list[Range] = []
    for part in words.split(","):
        match = re.fullmatch(r"(-1|\d{1,6})(?:\s*-\s*(\d{1,6}))?", part.strip())
        if match is None:
            raise ValueError(
                f"steps has {part.strip()[:80]!r}; expected 'all', 'every 4', or numbers and ranges such as "
                "'1, 4, 7-10, -1'"
            )
        first = int(match[1])
        found.append((first, first if match[2] is None else int(match[2])))
    if any(last < first for first, last in found if first >= 0):
        raise ValueError(f"steps {words[:80]!r} counts downwards; write ranges upwards, such as '2-5'")
    return found


def names_none(text: str) -> bool:
    """Whether a line leaves the steps open: 'all', or nothing."""
    return text.strip().lower() in ("", ALL)


def chosen_steps(text: str, valued: Sequence[int], count: int) -> list[int]:
    """The steps among `valued`, which have values, that a line means in a run of `count`.

    A step without a value stands for the next one with it, and a number beyond the run for the last.
    `valued` must not be empty. Raises ValueError like `ranges`.
    """
    asked = ranges(text)
    if isinstance(asked, int):
        return list(valued[::asked])
    found: list[int] = []
    for first, last in asked:
        start, end = within(first, count), within(last, count)
        inside = [step for step in valued if start <= step <= end]
        found += inside if start < end and inside else [with_value(start, valued)]
    return list(dict.fromkeys(found))


def within(step: int, count: int) -> int:
    """A step of a run of `count`: -1 and what lies beyond are the last, 0 the first."""
    return count if step < 0 else min(max(step, 1), count)


def with_value(step: int, valued: Sequence[int]) -> int:
    """The step itself where it has a value, else the next that has, else the last that has."""
    return next((other for other in valued if other >= step), valued[-1])
