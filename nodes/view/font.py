"""The font of what is drawn into pictures: Pillow's own, which has the letters of English alone, or one of
the system's where words are in others."""

from __future__ import annotations

import functools
from contextlib import suppress

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FILES = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJK-VF.ttc",
    "NotoSansCJKjp-Regular.otf",
    "NotoSansCJKsc-Regular.otf",
    "meiryo.ttc",
    "YuGothM.ttc",
    "msyh.ttc",
    "msjh.ttc",
    "malgun.ttf",
    "simsun.ttc",
    "Hiragino Sans GB.ttc",
    "PingFang.ttc",
    "AppleSDGothicNeo.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "DejaVuSans.ttf",
)
"""Of Linux, Windows and macOS, those first that draw what Chinese and Japanese share as Japanese has it: they
lack what Chinese alone has."""
TRIED_AT = 16  # pixels
NO_LETTER = "\U0010ffff"  # every font draws its sign for what it lacks


def font_for(words: str, size: int) -> Font:
    """The font, of a size in pixels, that lacks the fewest letters of some words."""
    found = _best(frozenset(c for c in words if c.isprintable() and not c.isspace()))
    if found is None:
        return ImageFont.load_default(size)
    return found.font_variant(size=size, layout_engine=ImageFont.Layout.RAQM)


@functools.lru_cache
def _best(letters: frozenset[str]) -> ImageFont.FreeTypeFont | None:
    """None for Pillow's own."""
    own = _lacking(ImageFont.load_default(TRIED_AT), letters)
    if not own:
        return None
    return min((None, *_installed()), key=lambda font: own if font is None else _lacking(font, letters))


def _lacking(font: Font, letters: frozenset[str]) -> int:
    """How many letters a font that shapes no words draws as it draws what it lacks."""
    lacks = bytes(font.getmask(NO_LETTER))
    return sum(bytes(font.getmask(letter)) == lacks for letter in letters)


@functools.cache
def _installed() -> tuple[ImageFont.FreeTypeFont, ...]:
    """Those of FILES that are in the system's folders."""
    found = []
    for name in FILES:
        with suppress(OSError):
            found.append(ImageFont.truetype(name, TRIED_AT, layout_engine=ImageFont.Layout.BASIC))
    return tuple(found)
