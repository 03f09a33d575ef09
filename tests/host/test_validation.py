"""What the nodes refuse before anything runs: on the server's loop, so in no time."""

import time

import pytest

LONG = 1_000_000
TOO_LONG = ["1" + " " * LONG + "%", "full " * LONG, "1" * LONG, ";" * LONG + "x", "[" * 2001]
MANY_LOOKS = ", ".join(f"mixed {n}%" for n in range(1, 64))
SLOWEST = [MANY_LOOKS, "~" * 2000, "1 " * 999, "1/2," * 499, "0." + "3" * 1990]


def validations():
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.ksampler import FrescoKSampler
    from fresco_pack.nodes.schedule import FrescoSchedule

    return [
        lambda text: FrescoApply.validate_inputs(schedule=text),
        lambda text: FrescoKSampler.validate_inputs(schedule=text),
        lambda text: FrescoSchedule.validate_inputs(preset="from text", text=text),
    ]


@pytest.mark.parametrize("node", range(3))
@pytest.mark.parametrize("text", TOO_LONG + SLOWEST, ids=lambda text: text[:8])
def test_any_text_is_judged_in_milliseconds_and_in_short_words(node, text):
    best = 1.0
    for _ in range(5):
        begun = time.process_time()
        words = validations()[node](text)
        best = min(best, time.process_time() - begun)
    assert best < 0.015
    assert words is True or len(words) < 600
    if len(text) > 2000:
        assert f"has {len(text)} characters" in words and "expected 2000 at the most" in words


@pytest.mark.parametrize("value", [7, 0.5, ["1", 0], {"a": 1}, True])
def test_what_is_no_text_is_refused_in_words(value):
    for validate in validations():
        assert "expected a line of text" in validate(value)


def test_only_the_node_that_ends_clean_refuses_a_schedule_that_ends_coarse():
    coarse = "draft 1/4 40%; refine 1/2 60%"
    of_apply, of_sampler, of_schedule = (validate(coarse) for validate in validations())
    assert of_apply is True and of_schedule is True, "their run may be a stage that keeps noise"
    assert "never becomes full: in a run that ends clean" in of_sampler
    assert [validate("draft 1/4 40%; refine 60%") for validate in validations()] == [True] * 3


def test_a_connected_schedule_that_ends_coarse_is_refused_before_the_model_is_touched():
    from fresco_pack.fresco_core import ScheduleError, parse
    from fresco_pack.nodes.ksampler import FrescoKSampler

    with pytest.raises(ScheduleError, match="never becomes full"):
        FrescoKSampler.execute(None, 0, 20, 1.0, "euler", "simple", None, None, None, schedule=parse("1/2"))


def test_empty_texts_mean_the_preset():
    for validate in validations()[:2]:
        assert validate("") is True and validate(" \n") is True and validate(None) is True
