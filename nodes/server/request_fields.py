"""Fields of a request from the browser, each checked for what it must be."""

from __future__ import annotations

import reprlib
from typing import Any

from ...fresco_core.schedule.wording import MAX_LENGTH

MOST_NUMBERS = 10001  # of a list


class RequestError(ValueError):
    """A request that the editor would not send; says which field and what was expected."""


def shown(value: Any) -> str:
    """A value as errors show it: the beginning of it."""
    return f"{reprlib.repr(value):.40}"


def text(fields: dict, name: str, default: str) -> str:
    """The line of text in a field. Raises RequestError."""
    value = fields.get(name, default)
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        raise RequestError(
            f"{name}: found {shown(value)}; expected a line of text of {MAX_LENGTH} characters at the most"
        )
    return value


def choice(fields: dict, name: str, options: tuple[str, ...]) -> str:
    """The one of `options` in a field, the first where there is none. Raises RequestError."""
    value = text(fields, name, options[0])
    if value not in options:
        raise RequestError(f"{name}: found {shown(value)}; expected one of {', '.join(options)}")
    return value


def number(
    fields: dict, name: str, low: float, high: float, whole: bool = False, default: float | None = None
) -> float:
    """The number in a field, from `low` to `high`. Raises RequestError."""
    value = fields.get(name, default)
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        wanted = "a whole number" if whole else "a number"
        raise RequestError(f"{name}: found {shown(value)}; expected {wanted} from {low:g} to {high:g}")
    return value


def numbers(
    fields: dict, name: str, count: int | None, low: float, high: float, default: list | None = None
) -> list[float]:
    """The `count` numbers in a field, as many as there are for None. Raises RequestError."""
    value = fields.get(name, default)
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= MOST_NUMBERS
        or len(value) != (count or len(value))
    ):
        raise RequestError(f"{name}: found {shown(value)}; expected a list of {count or 'some'} numbers")
    return [number({name: item}, name, low, high) for item in value]
