"""The gain that is read of what a finished run has recorded."""

from types import SimpleNamespace

import pytest


def finished(kinds, spans, steps):
    """What `gain` reads of a run: evaluations of (level, halvings), and what each took."""
    from fresco_pack.fresco_core import Evaluation

    evaluations = [Evaluation(0, 0.5, level, 1, None, halvings=halvings) for level, halvings in kinds]
    plan = SimpleNamespace(steps=steps, plain=False, reason="", schedule="s")
    told = {"crossings": {}, "plan": plan, "notes": [], "answered": 0, "spent": []}
    return SimpleNamespace(evaluations=evaluations, spans=spans, seconds=sum(spans), **told)


def test_steps_of_fewer_frames_are_no_full_ones():
    from fresco_pack.nodes.engine.gain import gain_of, result_in_words, summary

    kinds = [(1, 1)] * 2 + [(0, 1)] * 2 + [(0, 0)] * 3
    run = finished(kinds, [0.1, 0.1, 0.3, 0.3, 0.7, 0.7, 0.7], 7)
    assert gain_of(run).full_step == 0.7 and gain_of(run).measured == 3
    assert "1.7x faster than 7 full steps" in result_in_words(run)
    assert summary(run)["evaluations"] == {"half frames 1/2": 2, "half frames full": 2, "full": 3}
    short = finished([(0, 1)] * 4 + [(0, 0)] * 4, [0.3] * 4 + [0.7] * 4, 8)
    assert "1.4x faster" in result_in_words(short)


@pytest.mark.parametrize(
    "full,known",
    [
        ([0.7, 0.72, 0.69, 1.1, 1.05, 1.12], False),
        ([0.7, 1.1, 1.05, 1.12, 0.72, 0.69], False),
        ([0.7, 1.1, 1.05, 0.72, 0.69, 1.12, 0.7], True),
        ([0.7, 0.72, 0.69, 1.1, 2.1, 3.0], True),
        ([0.7, 0.72, 0.69, 0.7, 1.1, 2.0], True),
        ([0.7, 0.75, 0.8, 0.9, 1.0, 1.1], True),
        ([0.7, 0.7, 1.1, 1.1], True),
    ],
)
def test_full_steps_of_two_kinds_are_no_measure(full, known):
    """Whatever made them so; a few slow ones, or slow ones here and there, are noise."""
    from fresco_pack.nodes.engine.gain import gain_of

    run = finished([(1, 0)] * 4 + [(0, 0)] * len(full), [0.2] * 4 + full, 4 + len(full))
    assert (gain_of(run) is not None) == known


def test_where_another_node_answered_steps_there_is_no_gain_to_tell():
    from fresco_pack.nodes.engine.gain import gain_of, result_in_words

    run = finished([(1, 0)] * 3 + [(0, 0)] * 5, [0.1] * 3 + [0.7] * 5, 12)
    assert gain_of(run) is None
    assert result_in_words(run) == "3.8 s for 12 steps; 4 of them were answered by another node"
