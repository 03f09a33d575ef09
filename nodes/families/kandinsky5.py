"""Kandinsky 5, pictures and video."""

from __future__ import annotations

from .family import Family, kinds

KANDINSKY5 = Family(
    "Kandinsky 5",
    frozenset({"Kandinsky5", "Kandinsky5Image"}),
    conditions=kinds(MAP="time_dim_replace"),  # the start image's latents
)
