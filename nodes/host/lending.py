"""Other values for the attributes of objects of the host's or of other packs', for the time of a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def lent(values: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Let attributes (object, name, value) have these values, and their own again behind it."""
    saved: list[tuple[Any, str, Any]] = []
    try:
        for one, name, value in values:
            saved.append((one, name, getattr(one, name)))
            setattr(one, name, value)
        yield
    finally:
        for one, name, own in reversed(saved):
            setattr(one, name, own)
