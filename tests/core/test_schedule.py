import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fresco_core import ORDERS
from fresco_core.schedule.looks import FIRST_STEP, Count, Dense, Mixed, Pass, Phase, Portion, Spectral, Until
from fresco_core.schedule.schedule import Schedule
from fresco_core.schedule.wording import ScheduleError
from fresco_core.text.grammar import parse
from fresco_core.text.presets import PRESETS, preset


@pytest.mark.parametrize(
    "text,printed",
    [
        ("full", "full"),
        ("off", "full"),
        (" FULL ", "full"),
        ("1/2 until 0.55, full", "1/2 until 0.55, full"),
        ("1/4 until .8,1/2 until 0.5 , full", "1/4 until 0.8, 1/2 until 0.5, full"),
        ("1/2 x6, full x4", "1/2 x6, full x4"),
        ("draft ~3 / 4 60%; refine", "draft ~3/4 60%; refine"),
        ("1/2, 3/4, full", "1/2, 3/4, full"),
        ("spectral 3/4, full 20%", "spectral 3/4, full 20%"),
        ("1/2 60%, full 40%", "1/2 60%, full 40%"),
        ("draft 1/2 x12; refine 0.75 x8", "draft 1/2 x12; refine 0.75 x8"),
        ("draft 1/2; refine 0.75 full;", "draft 1/2; refine 0.75"),
        ("draft 1/2 60%; refine 1 40%", None),
        ("draft 1/2; refine 1.0", "draft 1/2; refine 1"),
        ("draft 1/2; refine 0.9999999", None),
        ("draft 1/2; refine 0.123456789012", None),
        ("mixed 33.333333333333%, full", None),
        ("mixed 25%\t..\n75%, full", "mixed 25%..75%, full"),
        ("1/2 X8, FULL X 12", "1/2 x8, full x12"),
        ("spectral 0.000000001 x8, full", None),
        ("1/2", None),
        ("1/2 until 0.95, mixed 50%", None),
        ("draft 1/4; refine 0.9 mixed 50%", None),
        ("draft 1/2; refine 0.9 KEEP sound 40%", "draft 1/2; refine 0.9 keep sound 40%"),
        ("draft 1/2; refine keep sound", None),
        ("draft 1/4; refine 0.6 via pixels keep sound 1/2; refine 0.5 x2", None),
        ("draft 1/2; refine;", "draft 1/2; refine"),
        ("draft 1/4; refine 1/2; refine full x3", "draft 1/4; refine 1/2; refine x3"),
        ("draft 1/4 20%, 1/2 30%; refine 0.8 50%", "draft 1/4 20%, 1/2 30%; refine 0.8 50%"),
        ("draft ~ 1/2; refine 0.9 40% MIN x3", "draft ~1/2; refine 0.9 40% min x3"),
        ("draft ~1/4, 1/2; refine 0.9 min x2", "draft ~1/4, 1/2; refine 0.9 min x2"),
        ("~1/2 40%, ~mixed 50% 40%, full 20%", "~1/2 40%, ~mixed 50% 40%, full 20%"),
        ("SPECTRAL 80%, full 20% min x3", "spectral 80%, full 20% min x3"),
        ("spectral 1/4 0.01, full", "spectral, full"),
        ("spectral 1/2 .05 until 0.4, full", "spectral 1/2 0.05 until 0.4, full"),
        ("1/2 x4, mixed 50% x2, full x4", "1/2 x4, mixed 50% x2, full x4"),
        (
            "1/2 until 0.8, MIXED 25 .. 62.5% until .5, full",
            "1/2 until 0.8, mixed 25%..62.5% until 0.5, full",
        ),
        ("1/2 x4, mixed 25%..75% HIGH x2, full", "1/2 x4, mixed 25%..75% high x2, full"),
        ("draft mixed 50% low 40%; refine 0.8 mixed 60% low, full", None),
        (
            "draft mixed 33% 40%; refine 0.75 mixed 50%, full",
            "draft mixed 33% 40%; refine 0.75 mixed 50%, full",
        ),
        (
            "draft 1/2, mixed 50% x4; refine 0.9 MIXED 25..75% x6, full",
            "draft 1/2, mixed 50% x4; refine 0.9 mixed 25%..75% x6, full",
        ),
        (
            "draft 1/4 until 0.8, 1/2 x5; refine 0.7 1/2 x1, full x2",
            "draft 1/4 until 0.8, 1/2 x5; refine 0.7 1/2 x1, full x2",
        ),
        (
            "draft 1/4 x3 to 0.1; refine 0.9 1/2 x3; refine 0.7 x2",
            "draft 1/4 x3 to 0.1; refine 0.9 1/2 x3; refine 0.7 x2",
        ),
    ],
)
def test_reads_and_prints(text, printed):
    schedule = parse(text)
    assert str(schedule) == (printed or text)
    assert parse(str(schedule)) == schedule


levels = st.sampled_from([1, 2, 3])
sigmas = st.integers(1, 99).map(lambda n: n / 100)
amounts = st.one_of(st.none(), st.integers(1, 50).map(Count))


@st.composite
def schedules(draw):
    passes = []
    starts = sorted(draw(st.lists(sigmas, max_size=3, unique=True)), reverse=True)
    order = draw(st.sampled_from([None, *ORDERS]))
    for index, start in enumerate([None, *starts]):
        coarse = sorted(draw(st.lists(levels, max_size=2, unique=True)), reverse=True)
        last = index == len(starts)
        use = [Dense(level, about=draw(st.booleans())) for level in coarse]
        spectral = len(use) == 1 and draw(st.booleans())
        if spectral:
            use = [Spectral(coarse[0], draw(sigmas))]
        elif draw(st.booleans()):
            floor, ceiling = sorted(draw(st.lists(st.integers(1, 99), min_size=2, max_size=2)))
            use.append(Mixed(floor / 100, ceiling / 100, order, about=draw(st.booleans())))
        if last or draw(st.booleans()) or not use:
            use.append(Dense(0))
        if len(use) > 1 and draw(st.booleans()):
            untils = sorted(
                draw(st.lists(sigmas, min_size=len(use) - 1, max_size=len(use) - 1, unique=True)),
                reverse=True,
            )
            phases = [Phase(look, Until(until)) for look, until in zip(use, untils)]
            phases.append(Phase(use[-1], draw(amounts)))
        else:
            phases = [Phase(look, draw(amounts)) for look in use]
            phases = [p if p.amount else replace(p, least=draw(st.integers(1, 5))) for p in phases]
        if start is not None and draw(st.booleans()):
            start = draw(st.sampled_from([FIRST_STEP, start]))
        passes.append(Pass(tuple(phases), start, 0.0 if last else draw(st.sampled_from([0.0, None, 0.005]))))
    return Schedule(tuple(passes))


@given(schedules())
def test_every_schedule_reads_back_from_its_own_words(schedule):
    assert parse(str(schedule)) == schedule


def test_presets_are_valid_and_named():
    for name, text in PRESETS.items():
        assert str(preset(name)) == text
    assert {"quality", "balanced", "fast", "spectral"} <= set(PRESETS)
    with pytest.raises(ScheduleError, match="unknown preset 'best'; expected one of off, quality"):
        preset("best")
    assert preset("off").off and not preset("balanced").off


@pytest.mark.parametrize(
    "text,words",
    [
        ("", "schedule is empty"),
        (";", "schedule is empty"),
        ("; full", "pass 1 is empty"),
        ("draft", "pass 1 is empty"),
        ("draf 1/2; refine 0.75", "unknown word 'draf'.*did you mean 'draft'"),
        ("half, full", "unknown word 'half'"),
        ("1/3, full", "unknown level '1/3'; expected full, 3/4, 1/2, 1/4, 1/8"),
        ("1/16, full", "unknown level"),
        ("0.5, full", "found '0.5' where a level belongs"),
        ("1/2 full", "did not expect 'full'"),
        ("1/2,, full", "a look is missing"),
        ("1/2 until, full", "'until' needs one sigma"),
        ("1/2 until 0.5 until 0.4, full", "'until' needs one sigma"),
        ("1/2 x4 x5, full", "did not expect 'x5'"),
        ("1/2 @ full", "found '@'"),
        ("full, 1/2", "coarse to fine"),
        ("1/2, 1/2, full", "coarse to fine"),
        ("1/4 until 0.5, 1/2 until 0.8, full", "sigmas out of order, 0.5, 0.8; expected falling"),
        ("1/2 until 1.5, full", "expected between 0 and 1"),
        ("1/2 until 0, full", "expected between 0 and 1"),
        ("1/4 until 0.5, 1/2, full", "every look but the last needs one"),
        ("1/2 until 0.5, full until 0.1", "every look but the last"),
        ("1/2 until 0.5 x3, full", "only the last look carries a count or percentage"),
        ("1/2 x0, full", "expected at least one"),
        ("1/2 0%, full", "expected above 0%"),
        ("mixed, full", "'mixed' needs the part of the blocks that are fine"),
        ("mixed x4, full", "'mixed' needs the part"),
        ("mixed 75%..25%, full", "mixed from 75% to 25%; expected rising percentages"),
        ("mixed 0%, full", "for none of the blocks fine write '1/2'"),
        ("1/2, mixed 120%, full", "expected rising percentages"),
        ("mixed 50%, mixed 50%, full", "coarse to fine"),
        ("mixed 50%, 1/2, full", "coarse to fine"),
        ("mixed 50% low high, full", "did not expect 'high' after 'mixed'"),
        ("mixed high 50%, full", "'mixed' needs the part"),
        ("1/2 high, full", "did not expect 'high' after '1/2'"),
        ("mixed 25% low, mixed 50% high, full", "names the orders high and low; a run has one"),
        ("draft mixed 25% low; refine 0.9 mixed 50% high, full", "names the orders high and low"),
        ("mixed 25%..75%, mixed 50%, full", "coarse to fine"),
        ("~, full", "found '~' where a level belongs"),
        ("~full", "'~' and 'spectral' go with a coarse level such as '1/2'; found '~full'"),
        ("~spectral, full", "without '~'"),
        ("1/4, spectral 1/2, full", "'spectral' is the first look of its pass"),
        ("spectral, 1/2, full", "coarse to fine"),
        ("spectral 0, full", "a tolerance above 0"),
        ("spectral 0.1 0.2, full", "did not expect '0.2'"),
        ("1/2, full min", "did not expect 'min'"),
        ("1/2, full min x2 40%", "did not expect 'min'"),
        ("1/2, full min x0", "from x1 on"),
        ("1/2, full x4 min x2", "not to a count"),
        ("1/2 until 0.5, full min x2", "divided by 'until'"),
        ("1/2 60%, full 60%", r"add up to 120%; expected 100%"),
        ("1/2 30%, full 60%", r"add up to 90%; expected 100%"),
        ("refine 0.75", "nothing to refine"),
        ("draft 1/2; full", "a later pass begins with 'refine'"),
        ("draft 1/2; draft 1/2", "only the first pass is a draft"),
        ("draft 1/2; refine 1.5", "expected between 0 and 1"),
        ("draft 1/4; refine 0.7 1/2; refine 0.8", "each below the one before"),
        ("draft 1/2; refine 0.7 to 0.2", "the last pass stops early"),
        ("1/2 100%, full", "leave no step for 'full'"),
        ("draft 1/2; refine 0", "starts at sigma 0; expected between 0 and 1"),
        ("draft 1/2; refine 0.0000000001", "starts at sigma 0.0000000001; expected.*from 0.000001 on"),
        ("draft 1/2 60%, refine 40%", "passes are separated by ';'"),
        ("draft 1/2 60% refine 40%", "passes are separated by ';'"),
        ("draft 1/2; refine 0,9", "decimals take a point: '0.9'"),
        ("draft 1/2 33,3%; refine", "decimals take a point: '33.3'"),
        ("½, full", "found '½' in '½, full'; write '1/2'"),
        ("full;¼", "write '1/4'"),
        ("1/2， full", "write ','"),
        ("1/2, full x-3", "found '-3' after 'x'.*a number of steps from 1 on"),
        ("1/2, full x3.5", "found '3.5' after 'x'"),
        ("draft 1/2; refine -0.9", "no number of a schedule is negative"),
        ("1/2 x" + "9" * 1900, "9 digits at the most"),
        ("1/2 x9999999, full", "more than 1000000 steps"),
        ("1/" + "0" * 1900 + "2, fulll", "unknown word 'fulll'"),
        ("1" + " " * 100_000 + "%", "has 100002 characters.*expected 2000 at the most"),
        ("1" + " " * 1900 + "%", "found '1%' where a level belongs"),
        ("1/2\x00, full", "found '\N{REPLACEMENT CHARACTER}'"),
        ("1/2," * 64 + "full", "has 65 looks; expected 64 at the most"),
        ("draft 1/2 to; refine 0.7", "did not expect 'to'"),
        ("draft 1/2 to draft; refine 0.7", "'to' needs a sigma or 'refine'"),
        ("draft 1/2 to refine 40%", "separated by ';'"),
        ("draft 1/2; refine 40% to refine", "the last pass stops early"),
        ("1/2 x4, full x4 to refine", "the last pass stops early"),
        ("draft 1/2 to 0.8; refine 0.9 1/2 to 0.95; refine 0.5", "expected from 0 up to below its start"),
    ],
)
def test_bad_schedules_say_what_is_wrong(text, words):
    with pytest.raises(ScheduleError, match=words):
        parse(text)


FULL = (Phase(Dense(0)),)


def of(*looks):
    """One pass of looks without amounts."""
    return (Pass(tuple(map(Phase, looks))),)


def test_values_made_by_hand_are_checked_too():
    for passes in [
        (),
        (Pass(()),),
        of(Dense(9), Dense(0)),
        (Pass(FULL, start=0.5),),
        (Pass((Phase(Dense(1)),)), Pass(FULL)),
        of(Spectral(1, float("nan")), Dense(0)),
        of(Spectral(0), Dense(0)),
        of(Dense(1), Spectral(1), Dense(0)),
        of(Dense(0, about=True)),
        of(Mixed(float("nan"), 0.5), Dense(0)),
        of(Mixed(1.0, 1.0), Dense(0)),
        (Pass((Phase(Dense(1), Portion(float("nan"))), *FULL)),),
        (Pass((Phase(Dense(1), Until(float("nan"))), *FULL)),),
        (Pass((Phase(Dense(1), Count(0)), *FULL)),),
        (Pass((Phase(Dense(1), Count(3), least=2), *FULL)),),
        (Pass((Phase(Dense(1)),)), Pass(FULL, start=float("inf"))),
        (Pass(FULL), Pass(FULL, start=0.5, end=float("nan"))),
        tuple(Pass((Phase(Dense(1)),), start=1.0 - n / 100 if n else None) for n in range(65)),
    ]:
        with pytest.raises(ScheduleError):
            Schedule(passes)


@pytest.mark.parametrize(
    "word,line,instead",
    [
        ("auto", "auto 80%, full 20%", "it is called 'spectral'"),
        ("turbo", "turbo", "write 'fast'"),
        ("distilled", "Distilled", "write 'balanced', which fits few steps too"),
        ("focus", "draft 1/2; refine 0.9 focus 50%, full", "write 'full' or 'mixed 50%'"),
        ("native", "mixed 50% native, full", "leave it out: the model's family decides"),
        ("shared", "mixed 50% high shared, full", "leave it out: the model's family decides"),
        ("fine", "mixed 50% fine, full", "leave it out: all tokens have fine positions"),
        ("aligned", "mixed 50% Aligned, full", "leave it out: all tokens have fine positions"),
        ("edge", "mixed 50% edge, full", "write 'low' or 'high'"),
        ("detail", "MIXED 50% DETAIL, full", "write 'low' or 'high'"),
        ("even", "mixed 25%..75% even, full", "write 'low' or 'high'"),
        ("random", "mixed 50% random x4, full", "write 'low' or 'high'"),
        ("attention", "mixed 50% attention, full", "write 'low' or 'high'"),
    ],
)
def test_a_word_of_older_schedules_is_told_what_to_write_instead(word, line, instead):
    with pytest.raises(ScheduleError, match="which schedules no longer have; ") as error:
        parse(line)
    told = str(error.value)
    assert told.lower().startswith(f"found '{word}' in '") and instead in told


def test_an_order_named_once_holds_for_all_mixed_looks():
    assert parse("draft 1/2, mixed 25% low; refine 0.9 mixed 50%, full").order == "low"
    assert parse("draft 1/2, mixed 25%; refine 0.9 mixed 50% high, full").order == "high"
    assert parse("mixed 50%, full").order is None


@pytest.mark.parametrize(
    "text,full",
    [("full", True), ("1/2, full", True), ("1/2", False), ("draft 1/2; refine 0.9 mixed 50%", False)]
    + [(text, True) for text in PRESETS.values()],
)
def test_a_schedule_knows_whether_it_ends_full(text, full):
    assert parse(text).ends_full == full


def test_a_start_at_sigma_1_is_not_the_start_after_a_first_step():
    named, open_ = parse("draft 1/2; refine 1.0"), parse("draft 1/2; refine")
    assert named != open_ and named.passes[1].start == 1.0 and open_.passes[1].start is FIRST_STEP
    assert FIRST_STEP != 1.0 and not isinstance(FIRST_STEP, float)


def test_the_schedules_of_the_page_read_as_they_are_written():
    page = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text("utf-8")
    cells = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    lines = [cell for cell in cells if re.match(r"(draft |~?1/[248] |mixed |spectral )", cell)]
    assert len(lines) >= 5
    for line in lines:
        assert str(parse(line)) == line and parse(line).ends_full


def test_sound_is_kept_by_a_word_of_later_passes():
    schedule = parse("draft 1/2 60%; refine 0.9 keep sound 20%; refine 0.5 20%")
    assert [p.keeps_sound for p in schedule.passes] == [False, True, False]
    for wrong, words in (
        ("draft 1/2; refine 0.9 keep 30%", "'keep' needs 'sound'"),
        ("draft 1/2; refine keep sound via pixels", "where a level belongs"),
        ("draft 1/2 to 0.6; refine 0.6 keep sound", "'keep sound' needs a draft that runs to its end"),
        ("draft 1/2 to refine; refine keep sound", "'keep sound' needs a draft that runs to its end"),
        ("draft keep sound 1/2; refine 0.9", "where a level belongs"),
        ("1/2 keep sound, full", "did not expect 'keep'"),
    ):
        with pytest.raises(ScheduleError, match=words):
            parse(wrong)
    with pytest.raises(ScheduleError, match="nor sound to keep"):
        Schedule((Pass((Phase(Dense(1)),), keeps_sound=True), Pass((Phase(Dense(0)),), 0.9)))
