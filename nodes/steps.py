"""Which recorded steps a line of text means."""

from __future__ import annotations

import re


def chosen_steps(text: str, count: int) -> list[int]:
    """Steps among `count` that a line means: 'all', 'every 4', or numbers and ranges, '0, 3, 6-9, -1'.

    Counted from 0; -1 is the last. Raises ValueError that names what is wrong and the range.
    """
    words = text.strip().lower()
    if words in ("", "all"):
        return list(range(count))
    every = re.fullmatch(r"every\s+(\d+)", words)
    if every and int(every[1]) > 0:
        return list(range(0, count, int(every[1])))
    steps: list[int] = []
    for part in words.split(","):
        found = re.fullmatch(r"\s*(-?\d+)(?:\s*-\s*(\d+))?\s*", part)
        if found is None:
            raise ValueError(
                f"steps has {part.strip()!r}; expected 'all', 'every 4', or numbers and ranges such as "
                "'0, 3, 6-9, -1'"
            )
        first = in_range(int(found[1]), count)
        last = first if found[2] is None else in_range(int(found[2]), count)
        steps.extend(range(first, last + 1))
    if not steps:
        raise ValueError(f"steps '{text}' names no step; write ranges upwards, such as '2-5'")
    return steps


def in_range(step: int, count: int) -> int:
    """A step among `count` counted from 0, -1 the last; ValueError that names the range."""
    if not -1 <= step < count:
        raise ValueError(f"step {step} is not in the trace, which has values for steps 0 to {count - 1}")
    return count - 1 if step == -1 else step
