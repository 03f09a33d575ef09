"""What is printed reads back as an equal schedule; any text is a schedule or an error in short words.

FRESCO_ROUND_TRIPS sets the number of random texts, schedules and edits (200000 once by hand).
"""

import os
import random
import time

import pytest
import random_schedules
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import VE, Canvas, Schedule, ScheduleError, flow_sigmas, make_plan, parse
from fresco_core.canvas.noise_level import FLOW
from fresco_core.schedule.wording import MAX_LENGTH, number, part_of, percent
from fresco_core.view.editing import move_boundary, set_level, set_start, stages

ROUNDS = int(os.environ.get("FRESCO_ROUND_TRIPS", "1500"))


def read(text):
    """The schedule of a text, or None for an error, which is short and shows no control characters."""
    try:
        return parse(text)
    except ScheduleError as error:
        words = str(error)
        assert len(words) < 600 and words.isprintable(), words
        return None


def test_every_accepted_text_comes_back_from_its_own_words():
    r, accepted, tried = random.Random(20261128), 0, 0
    while accepted < ROUNDS:
        text = random_schedules.text(r)
        schedule, tried = read(text), tried + 1
        if schedule is None:
            continue
        accepted += 1
        printed = str(schedule)
        assert parse(printed) == schedule, text
        assert str(parse(printed)) == printed
    assert accepted > tried / 5, "the texts are mostly schedules, or nothing is tried"


def test_every_schedule_of_random_fields_comes_back_from_its_own_words():
    r = random.Random(7)
    found = [s for s in (random_schedules.schedule(r) for _ in range(ROUNDS)) if s is not None]
    assert len(found) > ROUNDS / 10
    assert [s for s in found if parse(str(s)) != s] == []


def random_edit(r, plan, parameterisation):
    kind = r.randrange(3)
    if kind == 0:
        return move_boundary(plan, r.randint(0, 4), r.randint(-1, plan.steps + 1), parameterisation)
    if kind == 1:
        return set_level(plan.schedule, r.randint(0, 4), r.randint(0, 3))
    return set_start(plan.schedule, r.randint(0, 3), r.random())


def test_every_edited_schedule_comes_back_from_its_own_words():
    r, edited = random.Random(11), 0
    for _ in range(ROUNDS):
        steps = r.choice([3, 8, 20, 49, 300])
        grid, parameterisation = r.choice([(flow_sigmas(steps), FLOW), (exploding(steps), VE)])
        schedule = read(random_schedules.text(r))
        if schedule is None:
            continue
        try:
            plan = make_plan(schedule, grid, Canvas(r.choice([64, 96]), 128), parameterisation)
            changed = random_edit(r, plan, parameterisation)
        except ScheduleError as error:
            assert len(str(error)) < 600
            continue
        edited += 1
        assert parse(str(changed)) == changed, str(plan.schedule)
        assert parse(str(plan.schedule)) == plan.schedule
    assert edited > ROUNDS / 30


def exploding(steps):
    return [14.6 * 0.002 ** (step / (steps - 1)) for step in range(steps)] + [0.0]


@pytest.mark.parametrize("steps", [999, 1000, 9999, 10_000])
@pytest.mark.parametrize("text", ["draft 1/2 60%; refine 40%", "1/2 until 0.6, full", "1/4, 1/2, full"])
def test_a_boundary_of_a_long_run_is_where_it_was_put(text, steps):
    for step in (1, steps // 3, steps // 2 + 1, steps // 2 + 2):
        moved = move_boundary(make_plan(parse(text), flow_sigmas(steps), Canvas(128, 128)), 0, step)
        again = make_plan(parse(str(moved)), flow_sigmas(steps), Canvas(128, 128))
        assert stages(again)[0].end == step


@given(st.text())
@settings(max_examples=300)
def test_any_text_is_a_schedule_or_an_error_in_short_words(text):
    schedule = read(text)
    assert schedule is None or isinstance(schedule, Schedule)


@given(st.floats(1e-12, 1e12))
def test_numbers_are_printed_exactly_and_without_exponent(value):
    assert float(number(value)) == value and set(number(value)) <= set("0123456789.")
    assert part_of(percent(value).removesuffix("%")) == value


@pytest.mark.parametrize("value", [None, 3, ["full"], b"full"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(ScheduleError, match="expected a line of text"):
        parse(value)


LONG = {
    "spaces": lambda n: "1" + " " * n + "%",
    "digits": lambda n: "1" * n,
    "decimals": lambda n: "0." + "1" * n + "x",
    "percents": lambda n: "mixed " + "1" * n + "%.." + "%",
    "zeros": lambda n: "1/" + "0" * n + "2, full",
    "dots": lambda n: "mixed 1" + "." * n,
    "numbers": lambda n: "1 " * (n // 2),
    "words": lambda n: "full " * (n // 5),
    "one word": lambda n: "f" * n,
    "commas": lambda n: "," * n,
    "looks": lambda n: ("1/2," * n)[:n],
    "passes": lambda n: "draft 1/2" + "; refine" * (n // 8),
    "tabs": lambda n: "1/2" + "\t" * n + "x3" + "\n" * n,
    "no letters": lambda n: "\ud800" * n,
}


@pytest.mark.parametrize("kind", LONG)
def test_reading_takes_linear_time_and_a_long_text_none(kind):
    def seconds(size):
        text, best = LONG[kind](size), 1.0
        for _ in range(7):
            begun = time.process_time()
            read(text)
            best = min(best, time.process_time() - begun)
        return best

    few, many, too_many = seconds(MAX_LENGTH // 8), seconds(MAX_LENGTH - 100), seconds(1_000_000)
    assert many < 0.0002 + 16 * few, "8 times as long; a quadratic reader takes 64 times"
    assert many < 0.02 and too_many < 0.02
