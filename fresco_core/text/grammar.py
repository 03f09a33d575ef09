"""Schedules as text.

A schedule is one line:

    full                                  every step at full resolution
    1/2 until 0.95, full                  one pass; half resolution while sigma is above 0.95
    1/2 60%, full 40%                     one pass; by percentage of the steps
    draft 1/2 x10; refine 0.95 x10         two passes; the second starts again at sigma 0.95
    draft 1/2 x10; refine x10             the second has the draft for the prediction of a first step
    draft 1/2 x10 to refine; refine x10   the draft stops where the second begins, and is refined from there
    draft 1/4 20%, 1/2 30%; refine 0.8    a draft of two levels; the refine pass takes the steps that are left
    1/2 x6, mixed 25%..75% x8, full x6    between half and full, a growing part of the blocks is fine
    draft 1/2 70%; refine 0.6 via pixels   the draft is decoded, enlarged and encoded before it is refined
    draft half frames 1/2 60%; refine 40% of a video: the draft has half of the frames as well
    draft 1/2 70%; refine 0.9 keep sound   what sounds with a video stays as the draft has it
    draft ~1/2; refine 0.9 40% min x3     about half, as the model is trained; three full steps at least
    spectral 80%, full 20%                as coarse as the noise allows, step by step

    schedule = pass { ";" pass }
    pass     = [ "draft" | refine ] [ frames ] [ phase { "," phase } ] [ "to" ( sigma | "refine" ) ]
    refine   = "refine" [ sigma ] [ "via pixels" ] [ "keep sound" ]
    frames   = ( "half" | "quarter" ) "frames"
    phase    = look [ "until" sigma ] [ amount ] [ "min x" count ]
    look     = [ "~" ] ( level | mixed ) | spectral
    amount   = "x" count | part "%"
    level    = "full" | "3/4" | "1/2" | "1/4" | "1/8"
    mixed    = "mixed" ( part "%" | floor "%.." ceiling "%" ) [ "low" | "high" ]
    spectral = "spectral" [ level ] [ tolerance ]

Sigmas are noise shares in [0, 1]: the sigma of a flow model, sigma / (1 + sigma) of a variance-exploding one.
Numbers have a decimal point and no exponent; words may be in capitals; a line has MAX_LENGTH characters at
the most. `refine 1` starts at sigma 1, `refine` alone where a first, shorter step would lead.

In a pass that is divided by `until`, the amount after the last look is the pass's own. Counts and percentages
(of the whole run's steps, each rounded up or down) add up to the run's steps, or leave at least a step for
each look without an amount; these divide what is left evenly. Only `min`, and looks whose percentage is less
than a step, which they have all the same, take steps from other percentages.
Anything else is an error of the run (division.py), percentages that cannot add up to 100% one of the text.

The last look is full in runs that end clean; a stage that ends above sigma 0 may end coarse.
trained_size.py says what `~` means, spectral.py what `spectral` does.
"""

from __future__ import annotations

from ..look.promotion import ORDERS
from ..schedule.contradictions import MAX_LOOKS
from ..schedule.looks import (
    FEWER_FRAMES,
    FIRST_STEP,
    SPECTRAL_LEVEL,
    SPECTRAL_TOLERANCE,
    Amount,
    Count,
    Dense,
    FirstStep,
    Look,
    Mixed,
    Pass,
    Phase,
    Portion,
    Spectral,
    Until,
)
from ..schedule.schedule import Schedule
from ..schedule.wording import MAX_LENGTH, ScheduleError, part_of, quoted
from .words import COMMA, LEVELS, Token, quoted_word, tokens

DRAFT, REFINE, TO, UNTIL, MIN = (Token("word", w) for w in ("draft", "refine", "to", "until", "min"))
VIA, PIXELS, KEEP, SOUND = (Token("word", w) for w in ("via", "pixels", "keep", "sound"))
FULL, MIXED, SPECTRAL = (Token("word", w) for w in ("full", "mixed", "spectral"))


def parse(text: str) -> Schedule:
    """Read a schedule's one line, in linear time. Raises ScheduleError that quotes the place and says what
    is expected."""
    if not isinstance(text, str):
        raise ScheduleError(f"the schedule is {type(text).__name__}; expected a line of text")
    if len(text) > MAX_LENGTH:
        raise ScheduleError(
            f"the schedule has {len(text)} characters, {quoted(text)}; expected {MAX_LENGTH} at the most"
        )
    line = " ".join(text.split()).rstrip("; ")
    if not line:
        raise ScheduleError(
            "the schedule is empty; write for example 'draft 1/2 50%; refine 0.95 50%', or 'full'"
        )
    if line.lower() == "off":
        return Schedule()
    looks = 1 + line.count(";") + line.count(",")
    if looks > MAX_LOOKS:
        raise ScheduleError(f"{quoted(line)} has {looks} looks; expected {MAX_LOOKS} at the most")
    return Schedule(tuple(_pass(part.strip(), index) for index, part in enumerate(line.split(";"))))


def _pass(text: str, index: int) -> Pass:
    given, quote = tokens(text), quoted(text)
    start: float | FirstStep | None = None
    via_pixels = keeps_sound = False
    if given and given[0] == DRAFT:
        if index:
            raise ScheduleError(f"{quote}: only the first pass is a draft; later passes are 'refine'")
        given = given[1:]
    elif given and given[0] == REFINE:
        if index == 0:
            raise ScheduleError(f"{quote}: the first pass has nothing to refine; begin with 'draft 1/2; ...'")
        start, given = FIRST_STEP, given[1:]
        if given and given[0].kind == "number":
            start, given = float(given[0].value), given[1:]
        if given and given[0] == VIA:
            if given[1:2] != [PIXELS]:
                raise ScheduleError(f"{quote}: 'via' needs 'pixels', as in 'refine 0.6 via pixels 30%'")
            via_pixels, given = True, given[2:]
        if given and given[0] == KEEP:
            if given[1:2] != [SOUND]:
                raise ScheduleError(f"{quote}: 'keep' needs 'sound', as in 'refine 0.9 keep sound 30%'")
            keeps_sound, given = True, given[2:]
    elif index:
        raise ScheduleError(_no_later_pass(text, given, quote))
    end: float | None = 0.0
    if len(given) >= 2 and given[-2] == TO:
        if given[-1].kind != "number" and given[-1] != REFINE:
            raise ScheduleError(f"{quote}: 'to' needs a sigma or 'refine', for example 'to 0.1'")
        end = None if given[-1] == REFINE else float(given[-1].value)
        given = given[:-2]
    later = next((token.value for token in given if token in (DRAFT, REFINE)), None)
    if later is not None:
        raise ScheduleError(
            f"{quote}: found '{later}' within a pass; passes are separated by ';', as in "
            "'draft 1/2 60%; refine 40%'"
        )
    halvings = 0
    if given and given[0].kind == "frames":
        halvings, given = next(n for n, word in FEWER_FRAMES.items() if word == given[0].value), given[1:]
    groups = _between_commas(given)
    first = groups[0][0] if groups[0] else None
    if start is not None and (first is None or first.kind in ("count", "part") or first == MIN):
        groups[0].insert(0, FULL)  # 'refine 0.95 x8' refines at full resolution
    if not any(groups):
        raise ScheduleError(f"pass {index + 1} is empty; expected for example 'draft 1/2' or 'refine 0.95'")
    phases = tuple(_phase(group, quote) for group in groups)
    return Pass(phases, start, end, via_pixels, halvings, keeps_sound)


def _no_later_pass(text: str, given: list[Token], quote: str) -> str:
    """What to say of the text between two ';' that is no later pass."""
    if not text:
        return "there is nothing between ';' and ';'; leave one of them out"
    begins = "a later pass begins with 'refine', for example 'refine x8' or 'refine 0.95 x8'"
    if given[0] == COMMA:
        return f"{quote}: found ',' after ';'; leave one of them out"
    if given[0].kind in ("level", "about") or given[0] in (FULL, MIXED):
        return f"{quote}: {begins}; looks of one pass are separated by ',', as in '1/2 x6, full x14'"
    return f"{quote}: {begins}"


def _between_commas(given: list[Token]) -> list[list[Token]]:
    groups: list[list[Token]] = [[]]
    for token in given:
        if token == COMMA:
            groups.append([])
        else:
            groups[-1].append(token)
    return groups


def _phase(given: list[Token], quote: str) -> Phase:
    if not given:
        raise ScheduleError(f"{quote}: a look is missing between commas; expected 'full', '1/2' or '1/4'")
    about = given[0].kind == "about"
    if len(given) == about:
        raise ScheduleError(f"{quote}: {_NO_LEVEL.format(found=quoted('~'))}")
    look, rest = _look(given[about:], quote, about)
    amounts: list[Amount] = []
    least = 1
    while rest:
        token, *after = rest
        if token == UNTIL:
            if any(isinstance(a, Until) for a in amounts) or not after or after[0].kind != "number":
                raise ScheduleError(f"{quote}: 'until' needs one sigma, for example '1/2 until 0.95'")
            amounts, rest = [*amounts, Until(float(after[0].value))], after[1:]
        elif token == MIN and len(after) == 1 and after[0].kind == "count":
            least, rest = int(after[0].value), []
        elif token.kind == "count" and not any(isinstance(a, (Count, Portion)) for a in amounts):
            amounts, rest = [*amounts, Count(int(token.value))], after
        elif token.kind == "part" and not any(isinstance(a, (Count, Portion)) for a in amounts):
            amounts, rest = [*amounts, Portion(part_of(token.value))], after
        elif token.kind == "frames":
            raise ScheduleError(
                f"{quote}: '{token}' comes before the looks of its pass, as in 'draft {token} 1/2 60%'"
            )
        else:
            raise ScheduleError(
                f"{quote}: did not expect {quoted_word(token)} after {quoted_word(given[0])}; "
                f"{_expected(token)}"
            )
    if len(amounts) > 1:
        raise ScheduleError(
            f"{quote}: {quoted_word(look)} lasts {', '.join(map(quoted_word, amounts))}; expected one of "
            "them. In a pass divided by 'until' only the last look carries a count or percentage (that of "
            "the whole pass)"
        )
    return Phase(look, amounts[0] if amounts else None, least)


def _expected(token: Token) -> str:
    """What to write instead of a token that stands where none of a look belongs."""
    if token.kind == "level" or token in (FULL, MIXED, SPECTRAL):
        return "looks are separated by ',', as in '1/2 x6, full x14'"
    if token.kind == "number" and "." not in token.value:
        return f"write 'x{token.value}' for {token.value} steps, '{token.value}%' for a part of them"
    return "a look is a level, then 'until SIGMA', 'xCOUNT' or 'PART%', then 'min xCOUNT'"


_NO_LEVEL = "found {found} where a level belongs; expected 'full', 'mixed 50%', 'spectral', '1/2' or '1/4'"


def _look(given: list[Token], quote: str, about: bool) -> tuple[Look, list[Token]]:
    """What a phase begins with, and what follows."""
    token, *rest = given
    if token == MIXED:
        (floor, ceiling), rest = _fine(rest, quote), rest[1:]
        order = rest[0].value if rest and rest[0].value in ORDERS else None
        return Mixed(floor, ceiling, order, about), rest[1:] if order else rest
    if token == SPECTRAL:
        if about:
            raise ScheduleError(f"{quote}: 'spectral' is the first look of its pass, without '~'")
        level: float = SPECTRAL_LEVEL
        tolerance = SPECTRAL_TOLERANCE
        if rest and rest[0].kind == "level":
            level, rest = _level_of(rest[0].value, quote), rest[1:]
        if rest and rest[0].kind == "number":
            tolerance, rest = float(rest[0].value), rest[1:]
        return Spectral(level, tolerance), rest
    if token == FULL or (token.kind == "number" and float(token.value) == 1.0):
        return Dense(0, about), rest
    if token.kind == "level":
        return Dense(_level_of(token.value, quote), about), rest
    hint = "; half resolution is written '1/2'" if token.kind in ("number", "part") else ""
    raise ScheduleError(f"{quote}: {_NO_LEVEL.format(found=quoted_word(token))}{hint}")


def _fine(given: list[Token], quote: str) -> tuple[float, float]:
    if not given or given[0].kind not in ("part", "range"):
        raise ScheduleError(
            f"{quote}: 'mixed' needs the part of the blocks that are fine, for example 'mixed 50%', or "
            "'mixed 25%..75%' for a part that grows"
        )
    parts = [part_of(part.strip(" %")) for part in given[0].value.split("..")]
    return parts[0], parts[-1]


def _level_of(value: str, quote: str) -> float:
    if value in LEVELS:
        return LEVELS[value]
    if value == "1/1":
        return 0
    raise ScheduleError(f"{quote}: unknown level {quoted_word(value)}; expected {', '.join(LEVELS)}")
