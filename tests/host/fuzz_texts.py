"""Random schedule texts: presets, texts that the grammar makes, and broken ones."""

from __future__ import annotations

from random import Random

PLAIN = ("full", "off", "FULL ", "full 100%")
SIMPLE = (
    "draft 1/2 50%; refine 50%",
    "draft 1/2; refine 0.75",
    "draft 1/4; refine 0.9 1/2; refine 0.7",
    "1/2 until 0.5, full",
    "1/2, full",
    "3/4, full",
    "draft 3/4 50%; refine 50%",
    "draft 1/2 x3 to refine; refine",
    "draft 1/4 to refine; refine 0.9 1/2 to refine; refine 0.7",
    "1/2",
    "1/2 50%, mixed 25%..75% 25%, full 25%",
    "spectral",
    "spectral, full x1",
    "spectral 1/2 0.1, full 20%",
    "draft spectral; refine x2",
    "~1/2, full",
)
BROKEN = (
    "",
    "   ",
    "1/3 x4, full",
    "draft 1/2 60%, refine 40%",
    "refine 0.9 x3",
    "full, 1/2",
    "1/2 x0, full",
    "draft 1/2 150%; refine",
    "0,9",
    "mixed 90%..10%, full",
    "draft 1/2; refine 0.5; refine 0.9",
    "1/2 until 2, full",
    "1/2 x99999999999999999999, full",
    "nan",
    "draft 1/2;; refine",
    "1/2 50%, full 20%",
    "balanced",
    "auto, full x1",
    "1/2 x2, focus 50% x3, full x1",
    "mixed 50% edge, full",
    "mixed 50% low shared aligned, full",
)
NOISE = " ,;%~/.x0123456789abuntil\t\n½-"


def text(rng: Random, steps: int, presets: dict[str, str]) -> str:
    """A schedule's line for a run of about `steps` steps; one in ten is broken on purpose."""
    kind = rng.choices(("preset", "simple", "grammar", "broken", "plain"), (30, 18, 40, 8, 4))[0]
    if kind == "preset":
        return presets[rng.choice(sorted(presets))]
    if kind == "simple":
        return rng.choice(SIMPLE)
    if kind == "plain":
        return rng.choice(PLAIN)
    if kind == "broken":
        return rng.choice(BROKEN) if rng.random() < 0.5 else _mutated(rng, _made(rng, steps))
    return _made(rng, steps)


def _mutated(rng: Random, line: str) -> str:
    place = rng.randrange(len(line))
    cut = rng.randrange(3)
    return line[:place] + rng.choice(("", rng.choice(NOISE))) + line[place + cut :]


def _made(rng: Random, steps: int) -> str:
    """A line of the grammar, most of the time without contradictions."""
    passes = [_levels(rng, last=False) for _ in range(rng.choices((0, 1, 2), (45, 40, 15))[0])]
    passes.append(_levels(rng, last=True))
    by_sigma = [len(looks) > 1 and rng.random() < 0.3 for looks in passes]
    places = sum(1 if sigma else len(looks) for sigma, looks in zip(by_sigma, passes))
    amounts = iter(_amounts(rng, steps, places))
    lines, rewind = [], 1.0
    for index, (sigma, looks) in enumerate(zip(by_sigma, passes)):
        words = _divided(rng, looks, next(amounts)) if sigma else [_add(w, next(amounts)) for w in looks]
        line = ", ".join(words)
        if index:
            rewind *= rng.uniform(0.6, 0.99)
            where = f" {round(rewind, rng.choice((1, 2, 4)))}" if rng.random() < 0.6 else ""
            line = f"refine{where} {line}"
        elif len(passes) > 1:
            line = f"draft {line}" if rng.random() < 0.95 else line
        if len(passes) - 1 > index and rng.random() < 0.4:
            line += f" to {rng.choice((0.05, 0.1, 0.3, 'refine', 'refine', 'refine', 'refine'))}"
        lines.append(line)
    return "; ".join(lines)


def _levels(rng: Random, last: bool) -> list[str]:
    """The looks of a pass without amounts, from coarse to fine."""
    ladder = ["1/8"] * (rng.random() < 0.05) + ["1/4"] * (rng.random() < 0.25)
    ladder += ["1/2"] * (rng.random() < 0.6) + ["3/4"] * (rng.random() < 0.15)
    if rng.random() < 0.25:
        share = rng.choice(("50%", "25%..75%", "0%..50%", "10%", "33.3%..90%"))
        ladder.append(f"mixed {share}{rng.choice(('', ' low', ' high'))}")
    if rng.random() < 0.12:
        ladder = ["spectral" + rng.choice(("", " 1/2", " 1/8", " 3/4", " 0.1", " 1/2 0.001"))]
    else:
        ladder = [("~" if rng.random() < 0.3 else "") + look for look in ladder]
    if not ladder or rng.random() < (0.92 if last else 0.15):
        ladder.append("full")
    return ladder


def _amounts(rng: Random, steps: int, places: int) -> list[str]:
    """As many amounts as looks carry one: counts that fit the run or nearly, shares, or none."""
    style = rng.choices(("counts", "shares", "none", "any"), (35, 30, 20, 15))[0]
    if style == "counts" and steps >= places:
        cuts = sorted(rng.sample(range(1, steps), places - 1)) if places > 1 else []
        counts = [b - a for a, b in zip([0, *cuts], [*cuts, steps])]
        if rng.random() < 0.1:
            counts[rng.randrange(places)] += rng.choice((-1, 1))
        return [f"x{n}" for n in counts]
    if style == "shares":
        parts = [rng.random() + 0.1 for _ in range(places)]
        whole = [max(1, round(100 * part / sum(parts))) for part in parts]
        whole[whole.index(max(whole))] += 100 - sum(whole)
        least = [f" min x{rng.randint(1, 3)}" if rng.random() < 0.2 else "" for _ in whole]
        return [f"{n}%{few}" for n, few in zip(whole, least)]
    if style == "none":
        return [""] * places
    any_of = ("", f"x{rng.randint(1, 4)}", f"{rng.randint(5, 60)}%", "min x2")
    return [rng.choice(any_of) for _ in range(places)]


def _add(look: str, amount: str) -> str:
    return f"{look} {amount}".strip()


def _divided(rng: Random, looks: list[str], amount: str) -> list[str]:
    """Looks divided by sigma; the last one carries the pass's amount."""
    sigmas = sorted((round(rng.uniform(0.05, 0.95), 3) for _ in looks[1:]), reverse=True)
    amount = amount.split(" min")[0]
    return [f"{look} until {s}" for look, s in zip(looks, sigmas)] + [_add(looks[-1], amount)]
