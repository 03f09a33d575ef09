"""The resolution schedule: passes over one canvas, each with the looks that its steps take at the model.

grammar.py reads it from one line of text; printing a schedule gives the line back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_LEVEL = 3
MIXED_LEVEL = 1  # of the coarse tokens of a mixed look

FIRST_STEP = 1.0  # the start of a pass that takes the draft for the prediction of a first, shorter step

AUTO_LEVEL = 2  # the coarsest that `auto` begins with unless it names another
AUTO_TOLERANCE = 0.01  # of `auto`: power of predicted detail over that of noise, up to which it hides


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
    amount of the pass. least: it has at least that many steps, or the run is plain. about: fitted to what the
    model is trained for. auto: the tolerance of a look that is as coarse as `level` at first and becomes
    finer as the run's spectrum asks for. order, of a mixed or focus look: which blocks are fine, or tokens
    queried, first; clock and frame, of a mixed one: those of its coarse tokens; None for the run's own.
    """

    level: int
    until: float | None = None
    count: int | None = None
    share: float | None = None
    fine: tuple[float, float] | None = None
    least: int = 1
    about: bool = False
    auto: float | None = None
    order: str | None = None
    clock: str | None = None
    frame: str | None = None

    @property
    def depth(self) -> tuple[float, float]:
        """How coarse the look is where it begins and where it ends: its level, less the share that is
        fine; of `auto`, nothing."""
        if self.auto is not None:
            return self.level, 0
        floor, ceiling = (self.fine if self.level else None) or (0.0, 0.0)
        return self.level - floor, self.level - ceiling

    def __str__(self) -> str:
        words = [level_name(self.level)]
        if self.fine is not None:
            word = "mixed" if self.level else "focus"
            words = [word, "..".join(f"{part * 100:.10g}%" for part in dict.fromkeys(self.fine))]
            words += [name for name in (self.order, self.clock, self.frame) if name]
        if self.auto is not None:
            words = ["auto"] + words * (self.level != AUTO_LEVEL)
            words += [f"{self.auto:g}"] * (self.auto != AUTO_TOLERANCE)
        if self.until is not None:
            words.append(f"until {self.until:g}")
        words += _amount(self.count, self.share) + [f"min x{self.least}"] * (self.least > 1)
        return "~" * self.about + " ".join(words)


def _amount(count: int | None, share: float | None) -> list[str]:
    if count is not None:
        return [f"x{count}"]
    return [] if share is None else [f"{share * 100:.10g}%"]


@dataclass(frozen=True)
class Pass:
    """One run of the sampler over the canvas.

    looks: coarse to fine. start: the noise share that the canvas is rewound to, None for the first pass;
    FIRST_STEP goes to where a step of the pass, shorter than the others (grid.DRAFT_THIRDS), would lead from
    pure noise with the draft for its prediction. end: the noise share at which the pass stops; a later pass
    refines its last prediction.
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
        words = [] if alone else ["draft"] if self.start is None else ["refine"]
        words += [] if self.start in (None, FIRST_STEP) else [f"{self.start:g}"]
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
    def ends_full(self) -> bool:
        """Whether its last step is full, as a run must that ends at sigma 0."""
        last = self.passes[-1].looks[-1]
        return last.level == 0 and last.fine is None

    @property
    def deepest(self) -> int:
        """The coarsest level used."""
        return max(look.level for p in self.passes for look in p.looks)

    def named(self, what: str, focus: bool = False) -> str | None:
        """The `order`, `clock` or `frame` that its mixed looks name, or its focus looks; None where none
        does."""
        looks = (look for p in self.passes for look in p.looks if look.fine and (look.level == 0) == focus)
        return next((name for name in (getattr(look, what) for look in looks) if name), None)


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
        if p.start not in (None, FIRST_STEP):
            starts.append(p.start)
    if any(late >= early for early, late in zip(starts, starts[1:])):
        raise ScheduleError(
            f"the rewinds are {', '.join(f'{s:g}' for s in starts)}; expected each below the one "
            "before it, or a later pass would undo an earlier one"
        )
    last = schedule.passes[-1]
    if last.end:
        raise ScheduleError(
            f"'{schedule}' stops at sigma {last.end:g}; only passes before the last may stop early "
            "(set the sampler's end step to keep noise)"
        )
    for what in ("order", "clock", "frame"):
        looks = [look for p in schedule.passes for look in p.looks if getattr(look, what)]
        names = {(look.level, getattr(look, what)) for look in looks}
        if len(names) > len({look.level for look in looks}):
            found = " and ".join(sorted({name for _, name in names}))
            raise ScheduleError(f"'{schedule}' names the {what}s {found}; a run has one: name it in one look")
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
        if look.least < 1 or (look.least > 1 and (look.count is not None or p.by_sigma)):
            raise ScheduleError(
                f"{where}: 'min x{look.least}' belongs to a share of the steps, from x1 on, not to a "
                "count or to a pass divided by 'until'"
            )
        if (look.about or look.auto is not None) and look.level == 0:
            raise ScheduleError(
                f"{where}: '~' and 'auto' go with a coarse level such as '1/2'; found '{look}'"
            )
        if look.auto is not None and (look is not p.looks[0] or look.about or look.auto <= 0.0):
            raise ScheduleError(
                f"{where}: 'auto' is the first look of its pass, without '~', with a tolerance above 0"
            )
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
    if p.start is not None and not 0.0 < p.start <= FIRST_STEP:
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
