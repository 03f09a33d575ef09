"""Random schedules and texts for tests: mostly right ones, with numbers at the edges of what is allowed."""

from __future__ import annotations

import random

from fresco_core import ORDERS, ScheduleError
from fresco_core.canvas.levels import LEVELS
from fresco_core.schedule.looks import (
    FIRST_STEP,
    Amount,
    Count,
    Dense,
    Look,
    Mixed,
    Pass,
    Phase,
    Portion,
    Spectral,
    Until,
    level_name,
)
from fresco_core.schedule.schedule import Schedule

ORDER_WORDS = list(ORDERS)
SIGNS = [*";,~%/.x-+=_@\x00\t\n½¼，；×\ud800\u0661", "mixed", "until", "1e-5", "0,9", "..", "x8", "off", "1/"]


def decimal(r: random.Random, most: float = 1.0) -> str:
    """A decimal from 0 to `most`, of any number of digits."""
    value = r.random() * most
    kind = r.randrange(8)
    if kind == 0:
        return repr(value)
    if kind == 1:
        return f"0.{'9' * r.randint(1, 20)}"
    if kind == 2:
        return f".{'0' * r.randint(0, 12)}{r.randint(1, 999)}"
    if kind == 3:
        return r.choice(["0", "1", "1.0", "01", "0.000001", "100", "33.333333333333333"])
    return f"{value:.{r.randint(1, 4)}f}"


def amount(r: random.Random) -> str:
    """What may follow a look."""
    counts = [f" x{r.randint(0, 40)}", f" X {r.randint(1, 9)}"]
    portions = [f" {decimal(r, 100.0)}%", f" {r.randint(1, 99)}%"]
    return r.choice(["", "", "", *counts, *portions]) + r.choice(["", "", "", "", f" min x{r.randint(1, 5)}"])


def look(r: random.Random, level: float, by_sigma: bool, last: bool) -> str:
    """The text of a look; level 0 for a full one."""
    kind = r.random()
    words = "full" if level == 0 else f"{r.choice(['', '', '~'])}{level_name(level)}"
    if level == 1 and kind < 0.4:
        low, high = sorted((r.randint(0, 99), r.randint(1, 100)))
        words = f"mixed {r.choice([decimal(r, 100.0), f'{low}%..{high}', f'{low} .. {high} '])}%"
        words += f" {r.choice(ORDER_WORDS)}" if r.random() < 0.3 else ""
    elif level and kind < 0.15:
        words = f"spectral{r.choice(['', f' {level_name(level)}'])}{r.choice(['', f' {decimal(r)}'])}"
    return words + ("" if by_sigma and not last else amount(r))


def text(r: random.Random) -> str:
    """A line that is mostly a schedule."""
    passes = []
    count = r.choice([1, 1, 2, 2, 2, 3, 4])
    start = 1.0
    for index in range(count):
        levels = sorted(r.sample([*LEVELS, 1], r.randint(0, 2)), reverse=True)
        levels = levels + [0] if r.random() < 0.8 or not levels else levels
        by_sigma, until = r.random() < 0.3, 1.0
        looks = [look(r, level, by_sigma, i == len(levels) - 1) for i, level in enumerate(levels)]
        for i in range(len(levels) - 1 if by_sigma else 0):
            until *= r.random() ** 0.5
            looks[i] += f" until {r.choice([decimal(r), repr(until), f'{until:.3f}'])}"
        head = "" if count == 1 else "draft " if index == 0 else "refine "
        if index and r.random() < 0.6:
            start *= r.random() ** 0.3
            head += r.choice([decimal(r), f"{start:.3f}", repr(start)]) + " "
        head += "keep sound " if index and r.random() < 0.1 else ""
        if r.random() < (0.02 if index else 0.1):
            head += r.choice(["half frames ", "Quarter  frames "])
        end = f" to {decimal(r)}" if index < count - 1 and r.random() < 0.1 else ""
        passes.append(head + ", ".join(looks) + end)
    line = r.choice(["; ", ";", " ;\n"]).join(passes)
    if r.random() < 0.2:
        line = line.upper()
    for _ in range(r.choice([0, 0, 0, 0, 0, 1, 3])):
        place = r.randint(0, len(line))
        line = line[:place] + r.choice(SIGNS) + line[place + r.randint(0, 2) :]
    return line


def schedule(r: random.Random) -> Schedule | None:
    """A schedule of random fields, without the grammar's help; None where the fields make none."""

    def number() -> float:
        edges = [10.0 ** -r.randint(1, 9), 1.0 - 10.0 ** -r.randint(1, 16)]
        return r.choice([r.random(), round(r.random(), 2), *edges])

    def maybe(value, often=0.3):
        return value if r.random() < often else None

    def any_look() -> Look:
        kind, about = r.random(), r.random() < 0.1
        if kind < 0.3:
            floor, ceiling = sorted((r.choice([0.0, number(), number()]), number()))
            return Mixed(floor, ceiling, maybe(r.choice(ORDER_WORDS), 0.3), about)
        if kind < 0.4:
            return Spectral(r.randint(0, 3), number())
        return Dense(r.randint(0, 3), about)

    def any_amount() -> Amount | None:
        kinds = [None, None, Count(r.randint(1, 40)), Portion(number()), Until(number())]
        return r.choices(kinds, (3, 3, 3, 2, 1))[0]

    passes = []
    for index in range(r.choice([1, 1, 2, 3])):
        looks = sorted((any_look() for _ in range(r.randint(1, 2))), key=lambda look: -look.level)
        phases = tuple(Phase(look, any_amount(), r.choice([1, 1, 1, 3])) for look in looks)
        start = None if index == 0 else r.choice([FIRST_STEP, 1.0, number()])
        halvings = r.choice([0, 0, 0, 0, 1, 2]) if index == 0 else 0
        keeps_sound = index > 0 and r.random() < 0.2
        end = r.choice([0.0, 0.0, 0.0, None, number()])
        passes.append(Pass(phases, start, end, halvings=halvings, keeps_sound=keeps_sound))
    try:
        return Schedule(tuple(passes))
    except ScheduleError:
        return None
