"""Random schedules and texts for tests: mostly right ones, with numbers at the edges of what is allowed."""

from __future__ import annotations

import random

from fresco_core import CLOCKS, FRAMES, ORDERS, ScheduleError
from fresco_core.schedule import FIRST_STEP, Look, Pass, Schedule

ORDER_WORDS = [order for order in ORDERS if order != "attention"]
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
    shares = [f" {decimal(r, 100.0)}%", f" {r.randint(1, 99)}%"]
    return r.choice(["", "", "", *counts, *shares]) + r.choice(["", "", "", "", f" min x{r.randint(1, 5)}"])


def names(r: random.Random) -> str:
    """Words after the share of a mixed look."""
    return "".join(f" {r.choice(words)}" for words in (ORDERS, CLOCKS, FRAMES) if r.random() < 0.15)


def look(r: random.Random, level: int, by_sigma: bool, last: bool) -> str:
    """The text of a look; level 0 for a full one."""
    kind = r.random()
    words = "full" if level == 0 else f"{r.choice(['', '', '~'])}1/{1 << level}"
    if level == 1 and kind < 0.4:
        low, high = sorted((r.randint(0, 99), r.randint(1, 100)))
        words = f"mixed {r.choice([decimal(r, 100.0), f'{low}%..{high}', f'{low} .. {high} '])}%"
        words += names(r)
    elif level and kind < 0.15:
        words = f"auto{r.choice(['', f' 1/{1 << level}'])}{r.choice(['', f' {decimal(r)}'])}"
    elif level == 0 and not last and kind < 0.5:
        words = f"focus {decimal(r, 100.0)}%"
    return words + ("" if by_sigma and not last else amount(r))


def text(r: random.Random) -> str:
    """A line that is mostly a schedule."""
    passes = []
    count = r.choice([1, 1, 2, 2, 2, 3, 4])
    start = 1.0
    for index in range(count):
        levels = sorted(r.sample([0, 1, 1, 2, 3], r.randint(0, 2)), reverse=True)
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
        fine = maybe(tuple(sorted((number(), number()))))
        return Look(
            r.choice([1, 1, 0]) if fine else r.randint(0, 3),
            until=maybe(number(), 0.1),
            count=maybe(r.randint(1, 40)),
            share=maybe(number(), 0.2),
            fine=fine,
            least=r.choice([1, 1, 1, 3]),
            about=r.random() < 0.1,
            auto=maybe(number(), 0.1),
            order=maybe(r.choice(ORDER_WORDS), 0.1),
            clock=maybe(r.choice(CLOCKS), 0.05),
            frame=maybe(r.choice(FRAMES), 0.05),
        )

    passes = []
    for index in range(r.choice([1, 1, 2, 3])):
        looks = sorted((any_look() for _ in range(r.randint(1, 2))), key=lambda n: -n.level)
        start = None if index == 0 else r.choice([FIRST_STEP, 1.0, number()])
        passes.append(Pass(tuple(looks), start, r.choice([0.0, 0.0, 0.0, number()])))
    try:
        return Schedule(tuple(passes))
    except ScheduleError:
        return None
