"""The resolution schedule: passes over one canvas, each with the looks that its steps take at the model.

A schedule is a frozen value that reads from and prints to one line:

    full                                  every step at full resolution
    1/2 until 0.55, full                  one pass; half resolution while sigma is above 0.55
    1/2 60%, full 40%                     one pass; by share of the steps
    draft 1/2 x12; refine 0.75 x8         two passes; the second starts again at sigma 0.75
    draft 1/4 20%, 1/2 30%; refine 0.8    a draft of two levels; the refine pass takes the steps that are left
    1/2 x6, mixed 25%..75% x8, full x6    between half and full, a growing share of the blocks is fine
    1/2 x6, focus 50% x8, full x6         at full resolution, but the model works on half of the tokens only

    schedule = pass { ";" pass }
    pass     = [ "draft" | "refine" sigma ] [ look { "," look } ] [ "to" sigma ]
    look     = ( level | part ) [ "until" sigma ] [ "x" count | share "%" ]
    level    = "full" | "1/2" | "1/4" | "1/8"
    part     = ( "mixed" | "focus" ) ( share "%" | floor "%.." ceiling "%" )

Sigmas are noise shares in [0, 1]: the sigma of a flow model, sigma / (1 + sigma) of a variance-exploding one.
In a pass that is divided by `until`, the amount after the last look is the pass's own. Without any amount the
steps are divided evenly among what has none.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

MAX_LEVEL = 3
MIXED_LEVEL = 1  # of the coarse tokens of a mixed look

PRESETS: dict[str, str] = {
    "off": "full",
    "quality": "draft 1/2 50%; refine 0.9 50%",
    "balanced": "draft 1/2 60%; refine 0.9 40%",
    "fast": "draft 1/2 70%; refine 0.9 30%",
    "single pass": "1/2 until 0.8, full",
    "progressive": "1/2 40%, mixed 25%..75% 40%, full 20%",
}

_WORDS = (
    "draft",
    "refine",
    "full",
    "mixed",
    "focus",
    "until",
    "to",
    "off",
    *(f"1/{1 << k}" for k in range(1, MAX_LEVEL + 1)),
)
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_TOKEN = re.compile(
    rf"\s*(?:(?P<level>\d+\s*/\s*\d+)|x\s*(?P<count>\d+)\b"
    rf"|(?P<range>(?:{_NUMBER})\s*%?\s*\.\.\s*(?:{_NUMBER})\s*%)|(?P<share>{_NUMBER})\s*%"
    rf"|(?P<number>{_NUMBER})|(?P<word>[A-Za-z_]+)|(?P<other>\S))"
)


def level_name(level: int) -> str:
    """A level as schedules write it: full, 1/2, 1/4, ..."""
    return "full" if level == 0 else f"1/{1 << level}"


class ScheduleError(ValueError):
    """A schedule that cannot be read, contradicts itself or does not fit the run; says what to do."""


@dataclass(frozen=True)
class Look:
    """How the model sees the canvas for some steps of a pass.

    level: 0 full, 1 half, 2 quarter resolution. fine: for a mixed look, floor and ceiling of the share (0..1)
    of its blocks that are seen at full resolution, while the others are seen at `level`; with level 0, for a
    focus look, of the share of its tokens that are queried. until: the look lasts while the noise share is
    above this. count or share: its number of steps, or its share (0..1) of the steps of the whole run. At
    most one of the three divides a pass, except that the last look of a pass divided by `until` carries the
    amount of the pass.
    """

    level: int
    until: float | None = None
    count: int | None = None
    share: float | None = None
    fine: tuple[float, float] | None = None

    @property
    def depth(self) -> tuple[float, float]:
        """How coarse the look is where it begins and where it ends: its level, less the share that is
        fine."""
        floor, ceiling = (self.fine if self.level else None) or (0.0, 0.0)
        return self.level - floor, self.level - ceiling

    def __str__(self) -> str:
        words = [level_name(self.level)]
        if self.fine is not None:
            word = "mixed" if self.level else "focus"
            words = [word, "..".join(f"{part * 100:.10g}%" for part in dict.fromkeys(self.fine))]
        if self.until is not None:
            words.append(f"until {self.until:g}")
        return " ".join(words + _amount(self.count, self.share))


def _amount(count: int | None, share: float | None) -> list[str]:
    if count is not None:
        return [f"x{count}"]
    return [] if share is None else [f"{share * 100:.10g}%"]


@dataclass(frozen=True)
class Pass:
    """One run of the sampler over the canvas.

    looks: coarse to fine. start: the noise share that the canvas is rewound to, None for the first pass. end:
    the noise share at which the pass stops; a later pass refines its last prediction.
    """

    looks: tuple[Look, ...]
    start: float | None = None
    end: float = 0.0

    @property
    def by_sigma(self) -> bool:
        """Whether the looks are divided by noise level; else by steps."""
        return any(look.until is not None for look in self.looks)

    def describe(self, alone: bool) -> str:
        """The pass in the schedule's own words; `alone` for a schedule of one pass."""
        words = [] if alone else ["draft"] if self.start is None else ["refine", f"{self.start:g}"]
        looks = ", ".join(map(str, self.looks))
        if self.start is not None and len(self.looks) == 1 and self.looks[0].level == 0:
            looks = looks.removeprefix("full").strip()
        words += [looks] if looks else []
        return " ".join(words + ([f"to {self.end:g}"] if self.end else []))


@dataclass(frozen=True)
class Schedule:
    """Passes over one canvas. Raises ScheduleError when it contradicts itself or never becomes full."""

    passes: tuple[Pass, ...] = field(default=(Pass((Look(0),)),))

    def __post_init__(self) -> None:
        _check(self)

    def __str__(self) -> str:
        return "; ".join(p.describe(len(self.passes) == 1) for p in self.passes)

    @property
    def off(self) -> bool:
        """True where every step is full and there is one pass: the host's own sampling."""
        partly = any(look.level or look.fine for p in self.passes for look in p.looks)
        return len(self.passes) == 1 and not partly and self.passes[0].end == 0.0

    @property
    def deepest(self) -> int:
        """The coarsest level used."""
        return max(look.level for p in self.passes for look in p.looks)


def preset(name: str) -> Schedule:
    """The schedule of that name in PRESETS; ScheduleError naming them all otherwise."""
    if name not in PRESETS:
        raise ScheduleError(f"unknown preset {name!r}; expected one of {', '.join(PRESETS)}")
    return parse(PRESETS[name])


def parse(text: str) -> Schedule:
    """Read a schedule's one line. Raises ScheduleError that quotes the place and what is expected."""
    if not isinstance(text, str) or not text.strip():
        raise ScheduleError(
            "the schedule is empty; write for example 'draft 1/2 60%; refine 0.9 40%', or 'full'"
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
                    f"{', '.join(_WORDS)}, counts such as x8, shares such as 40% and sigmas such as 0.75"
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
            raise ScheduleError(f"{quoted}: only the first pass is a draft; later passes are 'refine SIGMA'")
        tokens = tokens[1:]
    elif tokens and tokens[0] == ("word", "refine"):
        if index == 0:
            raise ScheduleError(
                f"{quoted}: the first pass has nothing to refine; begin with 'draft 1/2; ...'"
            )
        if len(tokens) < 2 or tokens[1][0] != "number":
            raise ScheduleError(
                f"{quoted}: 'refine' needs the sigma that it starts from, for example 'refine 0.75'"
            )
        start = float(tokens[1][1])
        tokens = tokens[2:]
    elif index:
        raise ScheduleError(
            f"{quoted}: a later pass begins with 'refine SIGMA', for example 'refine 0.75 x8'"
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
    if start is not None and (not groups[0] or groups[0][0][0] in ("count", "share")):
        groups[0].insert(0, ("word", "full"))  # 'refine 0.75 x8' refines at full resolution
    if not any(groups):
        raise ScheduleError(f"pass {index + 1} is empty; expected for example 'draft 1/2' or 'refine 0.75'")
    return Pass(tuple(_parse_look(group, quoted) for group in groups), start, end)


def _parse_look(tokens: list[tuple[str, str]], quoted: str) -> Look:
    if not tokens:
        raise ScheduleError(f"{quoted}: a look is missing between commas; expected 'full', '1/2' or '1/4'")
    kind, value = tokens[0]
    rest, fine = tokens[1:], None
    if (kind, value) in (("word", "mixed"), ("word", "focus")):
        level = MIXED_LEVEL if value == "mixed" else 0
        fine, rest = _parse_fine(value, rest, quoted), rest[1:]
    elif (kind, value) == ("word", "full") or (kind == "number" and float(value) == 1.0):
        level = 0
    elif kind == "level":
        level = _parse_level(value, quoted)
    else:
        raise ScheduleError(
            f"{quoted}: found '{value}' where a level belongs; expected 'full', 'mixed 50%', 'focus 50%', "
            "'1/2' or '1/4'"
        )
    until, count, share = None, None, None
    while rest:
        kind, value = rest[0]
        if (kind, value) == ("word", "until"):
            if until is not None or len(rest) < 2 or rest[1][0] != "number":
                raise ScheduleError(f"{quoted}: 'until' needs one sigma, for example '1/2 until 0.55'")
            until, rest = float(rest[1][1]), rest[2:]
        elif kind in ("count", "share") and count is None and share is None:
            if kind == "count":
                count = int(value)
            else:
                share = float(value) / 100.0
            rest = rest[1:]
        else:
            raise ScheduleError(
                f"{quoted}: did not expect '{value}' after '{tokens[0][1]}'; a look is a level, then "
                "'until SIGMA', 'xCOUNT' or 'SHARE%'"
            )
    return Look(level, until, count, share, fine)


def _parse_fine(word: str, tokens: list[tuple[str, str]], quoted: str) -> tuple[float, float]:
    if not tokens or tokens[0][0] not in ("share", "range"):
        what = "blocks that are fine" if word == "mixed" else "tokens that are queried"
        raise ScheduleError(
            f"{quoted}: '{word}' needs the share of the {what}, for example '{word} 50%', or "
            f"'{word} 25%..75%' for a share that grows"
        )
    parts = [float(part.strip(" %")) / 100.0 for part in tokens[0][1].split("..")]
    return parts[0], parts[-1]


def _parse_level(value: str, quoted: str) -> int:
    top, bottom = (int(n) for n in value.split("/"))
    levels = {1 << k: k for k in range(MAX_LEVEL + 1)}
    if top != 1 or bottom not in levels:
        raise ScheduleError(
            f"{quoted}: unknown level '{value}'; expected full, "
            + ", ".join(f"1/{n}" for n in levels if n > 1)
        )
    return levels[bottom]


def _check(schedule: Schedule) -> None:
    if not schedule.passes:
        raise ScheduleError("a schedule needs at least one pass")
    starts = []
    for index, p in enumerate(schedule.passes):
        where = f"pass {index + 1} ('{p.describe(len(schedule.passes) == 1)}')"
        _check_pass(p, where)
        if (p.start is None) != (index == 0):
            raise ScheduleError(
                f"{where}: "
                + (
                    "the first pass starts where the sampler starts, not at a sigma"
                    if index == 0
                    else "a later pass needs the sigma it starts from"
                )
            )
        if p.start is not None:
            starts.append(p.start)
    if any(late >= early for early, late in zip(starts, starts[1:])):
        raise ScheduleError(
            f"the rewinds are {', '.join(f'{s:g}' for s in starts)}; expected each below the one "
            "before it, or a later pass would undo an earlier one"
        )
    last = schedule.passes[-1]
    if last.looks[-1].level != 0 or last.looks[-1].fine is not None:
        raise ScheduleError(
            f"'{schedule}' never becomes full: the last look of the last pass must be 'full'; add "
            "', full' to it or a pass such as '; refine 0.75'"
        )
    if last.end:
        raise ScheduleError(
            f"'{schedule}' stops at sigma {last.end:g}; only passes before the last may stop early "
            "(set the sampler's end step to keep noise)"
        )
    shares = [look.share for p in schedule.passes for look in p.looks if look.share is not None]
    amounts = [a for p in schedule.passes for a in pass_amounts(p)]
    total = sum(shares)
    if total > 1.0 + 1e-6 or (len(shares) == len(amounts) and total < 1.0 - 1e-6):
        raise ScheduleError(f"the shares of '{schedule}' add up to {total * 100:.4g}%; expected 100%")


def pass_amounts(p: Pass) -> tuple[Look, ...]:
    """The looks that divide the run's steps: one for a pass divided by sigma, else every look."""
    return (p.looks[-1],) if p.by_sigma else p.looks


def _check_pass(p: Pass, where: str) -> None:
    if not p.looks:
        raise ScheduleError(f"{where} has no look")
    for look in p.looks:
        if not 0 <= look.level <= MAX_LEVEL:
            raise ScheduleError(f"{where}: level {look.level} is outside 0..{MAX_LEVEL}")
        if look.count is not None and look.count < 1:
            raise ScheduleError(
                f"{where}: a look of {look.count} steps; expected at least one, or leave the look out"
            )
        if look.share is not None and not 0.0 < look.share <= 1.0:
            raise ScheduleError(
                f"{where}: a share of {look.share * 100:g}%; expected above 0% and up to 100%"
            )
        if look.until is not None and not 0.0 < look.until < 1.0:
            raise ScheduleError(f"{where}: sigma {look.until:g} after 'until'; expected between 0 and 1")
        floor, ceiling = look.fine or (0.0, 1.0)
        if not 0.0 <= floor <= ceiling <= 1.0 or floor == 1.0 or ceiling == 0.0:
            raise ScheduleError(
                f"{where}: {'mixed' if look.level else 'focus'} from {floor * 100:g}% to {ceiling * 100:g}%; "
                "expected rising shares between 0% and 100%; for none of the blocks fine write '1/2', for "
                "all of them 'full'"
            )
        if look.fine is not None and look.level not in (0, MIXED_LEVEL):
            raise ScheduleError(f"{where}: mixed with level {look.level}; expected {MIXED_LEVEL}")
    depths = [look.depth for look in p.looks]
    twice = len({(look.level, look.fine) for look in p.looks}) < len(p.looks)
    if twice or any(b[0] > a[1] or b[1] > a[1] for a, b in zip(depths, depths[1:])):
        raise ScheduleError(f"{where}: looks must go from coarse to fine within a pass, each once")
    if p.start is not None and not 0.0 < p.start < 1.0:
        raise ScheduleError(f"{where}: starts at sigma {p.start:g}; expected between 0 and 1")
    if not 0.0 <= p.end < 1.0 or (p.start is not None and p.end >= p.start):
        raise ScheduleError(f"{where}: ends at sigma {p.end:g}; expected from 0 up to below its start")
    if p.by_sigma:
        untils = [look.until for look in p.looks[:-1]]
        if p.looks[-1].until is not None or None in untils:
            raise ScheduleError(
                f"{where}: with 'until', every look but the last needs one, and the last has none"
            )
        if any(late >= early for early, late in zip(untils, untils[1:])):  # type: ignore[operator]
            raise ScheduleError(
                f"{where}: sigmas out of order, {', '.join(f'{u:g}' for u in untils)}; expected falling"
            )
        if any(look.count is not None or look.share is not None for look in p.looks[:-1]):
            raise ScheduleError(
                f"{where}: divided by 'until', so only the last look may carry a count or share "
                "(that of the whole pass)"
            )
