"""What a run leaves in the metadata of what a prompt saves."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def prompt(monkeypatch):
    """The running prompt, whose node 1 is changed by the tests."""
    import comfy_execution.progress

    nodes = {"1": {"class_type": "FrescoApply"}}
    running = SimpleNamespace(get_original_prompt=lambda: nodes)
    state = SimpleNamespace(dynprompt=running, prompt_id="now")
    monkeypatch.setattr(comfy_execution.progress, "get_progress_state", lambda: state)
    return nodes


@pytest.mark.parametrize(
    "meta", [None, "title", ["a"], {}, {"fresco": 5}, {"fresco": None}, {"fresco": ["a"]}]
)
def test_whatever_came_with_the_prompt_is_no_error(prompt, meta):
    from fresco_pack.nodes.host.metadata import note_run

    prompt["1"]["_meta"] = meta
    note_run("1", {"schedule": "full"})
    assert prompt["1"]["_meta"]["fresco"] == [{"schedule": "full", "prompt": "now"}]


def test_runs_of_the_prompt_that_a_file_carried_are_not_this_ones(prompt):
    from fresco_pack.nodes.host.metadata import note_run

    old = [{"schedule": "of a file"}, {"schedule": "of another", "prompt": "before"}]
    prompt["1"]["_meta"] = {"title": "Apply", "fresco": old}
    for schedule in "abcdef":
        note_run("1", {"schedule": schedule})
    meta = prompt["1"]["_meta"]
    assert meta["title"] == "Apply" and [run["schedule"] for run in meta["fresco"]] == list("cdef")


def test_a_picture_that_is_done_is_not_lost_to_what_is_said_of_it(apply, monkeypatch, caplog):
    import tiny
    import torch
    from fresco_pack.nodes.engine import wrappers

    def failing(*_):
        raise OSError("no room")

    model = tiny.build("flux")
    wanted = tiny.sample(apply(model.patcher, "1/2 x2, full x2"), model, steps=4)
    monkeypatch.setattr(wrappers, "note_run", failing)
    with caplog.at_level("ERROR"):
        ours = tiny.sample(apply(model.patcher, "1/2 x2, full x2"), model, steps=4)
    assert torch.equal(ours, wanted) and "could not say what came of the run" in caplog.text
