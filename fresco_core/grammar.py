"""Schedules as text.

A schedule is one line:

    full                                  every step at full resolution
    1/2 until 0.55, full                  one pass; half resolution while sigma is above 0.55
    1/2 60%, full 40%                     one pass; by share of the steps
    draft 1/2 x10; refine 0.95 x10         two passes; the second starts again at sigma 0.95
    draft 1/2 x10; refine x10             the second has the draft for the prediction of a first step
    draft 1/4 20%, 1/2 30%; refine 0.8    a draft of two levels; the refine pass takes the steps that are left
    1/2 x6, mixed 25%..75% x8, full x6    between half and full, a growing share of the blocks is fine
    1/2 x6, focus 50% x8, full x6         at full resolution, but the model works on half of the tokens only
    draft ~1/2; refine 0.9 40% min x3     about half, as the model is trained; three full steps at least
    auto 80%, full 20%                    as coarse as the noise allows, step by step

    schedule = pass { ";" pass }
    pass     = [ "draft" | "refine" [ sigma ] ] [ look { "," look } ] [ "to" sigma ]
    look     = ( [ "~" ] ( level | part ) | auto ) [ "until" sigma ] [ amount ] [ "min x" count ]
    amount   = "x" count | share "%"
    level    = "full" | "1/2" | "1/4" | "1/8"
    part     = ( "mixed" | "focus" ) ( share "%" | floor "%.." ceiling "%" ) [ order ] [ clock ] [ frame ]
    order    = "low" | "high" | "edge" | "detail" | "attention" | "even" | "random"
    clock    = "native" | "shared"
    frame    = "fine" | "aligned"
    auto     = "auto" [ level ] [ tolerance ]

Sigmas are noise shares in [0, 1]: the sigma of a flow model, sigma / (1 + sigma) of a variance-exploding one.
In a pass that is divided by `until`, the amount after the last look is the pass's own. Without any amount the
steps are divided evenly among what has none. fitting.py says what `~` means, settling.py what `auto` does.
"""

from __future__ import annotations

import difflib
import re

from .mixed import CLOCKS, FRAMES
from .promotion import FOCUS_ORDERS, ORDERS
from .schedule import (
    AUTO_LEVEL,
    AUTO_TOLERANCE,
    FIRST_STEP,
    MAX_LEVEL,
    MIXED_LEVEL,
    Look,
    Pass,
    Schedule,
    ScheduleError,
)

_WORDS = (
    "draft",
    "refine",
    "full",
    "mixed",
    "focus",
    "auto",
    "until",
    "min",
    "to",
    "off",
    *ORDERS,
    *CLOCKS,
    *FRAMES,
    *(f"1/{1 << k}" for k in range(1, MAX_LEVEL + 1)),
)
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_TOKEN = re.compile(
    rf"\s*(?:(?P<level>\d+\s*/\s*\d+)|x\s*(?P<count>\d+)\b"
    rf"|(?P<range>(?:{_NUMBER})\s*%?\s*\.\.\s*(?:{_NUMBER})\s*%)|(?P<share>{_NUMBER})\s*%"
    rf"|(?P<number>{_NUMBER})|(?P<word>[A-Za-z_]+)|(?P<about>~)|(?P<other>\S))"
)


def parse(text: str) -> Schedule:
    """Read a schedule's one line. Raises ScheduleError that quotes the place and what is expected."""
    if not isinstance(text, str) or not text.strip():
        raise ScheduleError(
            "the schedule is empty; write for example 'draft 1/2 50%; refine 0.95 50%', or 'full'"
        )
    if text.strip().lower() == "off":
        return Schedule()
    parts = text.strip().rstrip(";").split(";")
    return Schedule(tuple(_parse_pass(part, index) for index, part in enumerate(parts)))


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    for match in _TOKEN.finditer(text.rstrip()):
        kind = match.lastgroup or ""
        value = match.group(kind)
        if kind == "word":
            value = value.lower()
            if value not in _WORDS:
                near = difflib.get_close_matches(value, _WORDS, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else "."
                raise ScheduleError(
                    f"unknown word '{match.group(kind)}' in '{text.strip()}'{hint} A schedule knows "
                    f"{', '.join(_WORDS)}, counts such as x8, shares such as 40% and sigmas such as 0.95"
                )
        if kind == "other" and value != ",":
            raise ScheduleError(
                f"found '{value}' in '{text.strip()}'; expected looks separated by ',' "
                "and passes separated by ';'"
            )
        found.append((kind, value))
    return found


def _parse_pass(text: str, index: int) -> Pass:
    tokens = _tokens(text)
    quoted = f"'{text.strip()}'"
    start = None
    if tokens and tokens[0] == ("word", "draft"):
        if index:
            raise ScheduleError(f"{quoted}: only the first pass is a draft; later passes are 'refine'")
        tokens = tokens[1:]
    elif tokens and tokens[0] == ("word", "refine"):
        if index == 0:
            raise ScheduleError(
                f"{quoted}: the first pass has nothing to refine; begin with 'draft 1/2; ...'"
            )
        start, tokens = FIRST_STEP, tokens[1:]
        if tokens and tokens[0][0] == "number":
            start, tokens = float(tokens[0][1]), tokens[1:]
    elif index:
        raise ScheduleError(
            f"{quoted}: a later pass begins with 'refine', for example 'refine x8' or 'refine 0.95 x8'"
        )
    end = 0.0
    if len(tokens) >= 2 and tokens[-2] == ("word", "to"):
        if tokens[-1][0] != "number":
            raise ScheduleError(f"{quoted}: 'to' needs a sigma, for example 'to 0.1'")
        end = float(tokens[-1][1])
        tokens = tokens[:-2]
    groups: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("other", ","):
            groups.append([])
        else:
            groups[-1].append(token)
    first = groups[0][0] if groups[0] else None
    if start is not None and (first is None or first[0] in ("count", "share") or first[1] == "min"):
        groups[0].insert(0, ("word", "full"))  # 'refine 0.95 x8' refines at full resolution
    if not any(groups):
        raise ScheduleError(f"pass {index + 1} is empty; expected for example 'draft 1/2' or 'refine 0.95'")
    return Pass(tuple(_parse_look(group, quoted) for group in groups), start, end)


def _parse_look(tokens: list[tuple[str, str]], quoted: str) -> Look:
    if not tokens:
        raise ScheduleError(f"{quoted}: a look is missing between commas; expected 'full', '1/2' or '1/4'")
    about = tokens[0][0] == "about"
    tokens = tokens[about:]
    kind, value = tokens[0] if tokens else ("other", "~")
    rest, fine, auto = tokens[1:], None, None
    order, clock, frame = None, None, None
    if (kind, value) in (("word", "mixed"), ("word", "focus")):
        level = MIXED_LEVEL if value == "mixed" else 0
        fine, rest = _parse_fine(value, rest, quoted), rest[1:]
        order, rest = _parse_name(rest, ORDERS if level else FOCUS_ORDERS)
        clock, rest = _parse_name(rest, CLOCKS if level else ())
        frame, rest = _parse_name(rest, FRAMES if level else ())
    elif (kind, value) == ("word", "auto"):
        level, auto = AUTO_LEVEL, AUTO_TOLERANCE
        if rest and rest[0][0] == "level":
            level, rest = _parse_level(rest[0][1], quoted), rest[1:]
        if rest and rest[0][0] == "number":
            auto, rest = float(rest[0][1]), rest[1:]
    elif (kind, value) == ("word", "full") or (kind == "number" and float(value) == 1.0):
        level = 0
    elif kind == "level":
        level = _parse_level(value, quoted)
    else:
        raise ScheduleError(
            f"{quoted}: found '{value}' where a level belongs; expected 'full', 'mixed 50%', 'focus 50%', "
            "'auto', '1/2' or '1/4'"
        )
    least = 1
    until, count, share = None, None, None
    while rest:
        kind, value = rest[0]
        if (kind, value) == ("word", "until"):
            if until is not None or len(rest) < 2 or rest[1][0] != "number":
                raise ScheduleError(f"{quoted}: 'until' needs one sigma, for example '1/2 until 0.55'")
            until, rest = float(rest[1][1]), rest[2:]
        elif (kind, value) == ("word", "min") and len(rest) == 2 and rest[1][0] == "count":
            least, rest = int(rest[1][1]), []
        elif kind in ("count", "share") and count is None and share is None:
            if kind == "count":
                count = int(value)
            else:
                share = float(value) / 100.0
            rest = rest[1:]
        else:
            raise ScheduleError(
                f"{quoted}: did not expect '{value}' after '{tokens[0][1]}'; a look is a level, then "
                "'until SIGMA', 'xCOUNT' or 'SHARE%', then 'min xCOUNT'"
            )
    return Look(level, until, count, share, fine, least, about, auto, order, clock, frame)


def _parse_fine(word: str, tokens: list[tuple[str, str]], quoted: str) -> tuple[float, float]:
    if not tokens or tokens[0][0] not in ("share", "range"):
        what = "blocks that are fine" if word == "mixed" else "tokens that are queried"
        raise ScheduleError(
            f"{quoted}: '{word}' needs the share of the {what}, for example '{word} 50%', or "
            f"'{word} 25%..75%' for a share that grows"
        )
    parts = [float(part.strip(" %")) / 100.0 for part in tokens[0][1].split("..")]
    return parts[0], parts[-1]


def _parse_name(tokens: list[tuple[str, str]], known: tuple[str, ...]) -> tuple[str | None, list]:
    """One of the words `known`, if it comes next, and what follows."""
    return (tokens[0][1], tokens[1:]) if tokens and tokens[0][1] in known else (None, tokens)


def _parse_level(value: str, quoted: str) -> int:
    top, bottom = (int(n) for n in value.split("/"))
    levels = {1 << k: k for k in range(MAX_LEVEL + 1)}
    if top != 1 or bottom not in levels:
        raise ScheduleError(
            f"{quoted}: unknown level '{value}'; expected full, "
            + ", ".join(f"1/{n}" for n in levels if n > 1)
        )
    return levels[bottom]
