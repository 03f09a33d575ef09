"""A schedule's text as words, numbers and signs."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import NamedTuple

from ..canvas.levels import LEVELS as KNOWN
from ..look.promotion import ORDERS
from ..schedule.looks import FEWER_FRAMES, level_name
from ..schedule.wording import QUOTED, ScheduleError, quoted
from .preset_lines import PRESETS

LEVELS = {level_name(level): level for level in KNOWN}
_MAIN_WORDS = ("draft", "refine", *LEVELS, "mixed", "spectral", "until", "to", "min", "via", "keep")
_WORDS = (*_MAIN_WORDS, "pixels", "sound", "off", *ORDERS)
_FRAMES = "|".join(FEWER_FRAMES.values())
_GONE = {
    "auto": "it is called 'spectral'",
    "turbo": "write 'fast'",
    "distilled": "write 'balanced', which fits few steps too",
    "focus": "steps that query only some tokens were removed; write 'full' or 'mixed 50%'",
    **dict.fromkeys(("native", "shared"), "leave it out: the model's family decides"),
    **dict.fromkeys(("fine", "aligned"), "leave it out: all tokens have fine positions"),
    **dict.fromkeys(("edge", "detail", "even", "random", "attention"), "write 'low' or 'high'"),
}
"""Words of older schedules, and what to do instead."""
_MOST_DIGITS = 9  # of whole numbers

_NUMBER = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_TOKEN = re.compile(
    r"(?P<level>[0-9]+ ?/ ?[0-9]+)|[xX] ?(?P<count>[0-9]+)(?![\w.])"
    rf"|(?P<range>(?:{_NUMBER}) ?%? ?\.\. ?(?:{_NUMBER}) ?%)|(?P<part>{_NUMBER}) ?%"
    rf"|(?P<number>{_NUMBER})|(?P<frames>(?i:(?:{_FRAMES}) frames))(?!\w)"
    r"|(?P<word>[^\W\d]+)|(?P<about>~)|(?P<comma>,)|(?P<other>[^ ])"
)
_DECIMAL_COMMA = re.compile(r"(?<![0-9./])([0-9]{1,9}),([0-9]{1,9})(?! ?[/0-9.])")


class Token(NamedTuple):
    """kind: level, count, range, part, number, frames, word, about or comma. value: its text in lower case,
    without 'x', '%' and 'frames'."""

    kind: str
    value: str

    def __str__(self) -> str:
        signs = {"count": ("x", ""), "part": ("", "%"), "frames": ("", " frames")}
        before, after = signs.get(self.kind, ("", ""))
        return before + self.value + after


COMMA = Token("comma", ",")


def tokens(text: str) -> list[Token]:
    """The tokens of a text whose white space is single spaces. Raises ScheduleError for what is none."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        value = match.group(kind)
        if kind == "other" or (kind == "word" and not value[0].isalpha() and value[0] != "_"):
            raise ScheduleError(f"found {quoted(value[0])} in {quoted(text)}; {_advice(value[0])}")
        if kind == "word":
            value = value.lower()
            if value not in _WORDS:
                raise ScheduleError(_unknown(match.group(kind), text, match.end()))
        if kind == "frames":
            value = value.lower().partition(" ")[0]
        if kind in ("level", "count"):
            value = _shortened(value, text)
        if kind in ("number", "part"):
            _no_decimal_comma(text, match.start())
        found.append(Token(kind, value))
    return found


def quoted_word(text: object) -> str:
    """As `quoted`, for one word or number of a text that is quoted as well."""
    return quoted(text, QUOTED // 3)


def _advice(sign: str) -> str:
    """What to write instead of a sign that schedules do not know."""
    plain = unicodedata.normalize("NFKC", sign).replace("\N{FRACTION SLASH}", "/")
    if plain != sign and plain.isascii() and plain.isprintable():
        return f"write '{plain.strip()}'"
    if sign in "-\N{EN DASH}\N{MINUS SIGN}":
        return "no number of a schedule is negative, and a growing part is written '25%..75%'"
    if sign == "\N{MULTIPLICATION SIGN}":
        return "write 'x8' for eight steps"
    if sign == "\\":
        return "write a level with '/', as in '1/2'"
    return "expected looks separated by ',' and passes separated by ';'"


def _unknown(found: str, text: str, end: int) -> str:
    if found.lower() == "x":
        after = quoted_word(text[end:].lstrip(" x").partition(",")[0].strip())
        return f"found {after} after 'x' in {quoted(text)}; expected a number of steps from 1 on, such as x8"
    plain = unicodedata.normalize("NFKC", found[: QUOTED // 3]).lower()
    if plain in _GONE:
        return f"found {quoted_word(found)} in {quoted(text)}, which schedules no longer have; {_GONE[plain]}"
    if plain in PRESETS:
        return (
            f"found {quoted_word(found)} in {quoted(text)}, which is the name of a preset and stands alone; "
            f"write nothing else, or change the preset's own line: '{PRESETS[plain]}'"
        )
    near = difflib.get_close_matches(plain, _WORDS, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return (
        f"unknown word {quoted_word(found)} in {quoted(text)}{hint} A schedule knows "
        f"{', '.join(_MAIN_WORDS)}, half frames, counts such as x8, percentages such as 40% and sigmas "
        "such as 0.95"
    )


def _shortened(value: str, text: str) -> str:
    """Whole numbers without leading zeros and spaces, refused where they are too long to be meant."""
    parts = [part.strip().lstrip("0") or "0" for part in value.split("/")]
    if max(map(len, parts)) > _MOST_DIGITS:
        raise ScheduleError(
            f"found the number {quoted_word(value)} in {quoted(text)}; expected {_MOST_DIGITS} digits at the "
            "most"
        )
    return "/".join(parts)


def _no_decimal_comma(text: str, start: int) -> None:
    """Raises ScheduleError for '0,9': no look begins with a number but 1, and no sigma before a look is 0."""
    match = _DECIMAL_COMMA.match(text, start)
    if match is not None and (match[2] != "1" or match[1].strip("0") == ""):
        raise ScheduleError(
            f"found {quoted(match[0])} in {quoted(text)}; decimals take a point: '{match[1]}.{match[2]}'"
        )
