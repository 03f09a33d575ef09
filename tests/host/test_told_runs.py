"""What Fresco Apply says where its model has several samplers: each result of the prompt stays."""

from types import SimpleNamespace

import pytest
import tiny
import torch

STEPS = 8


@pytest.fixture
def prompt(monkeypatch):
    """The running prompt, whose id the tests change."""
    import comfy_execution.progress

    state = SimpleNamespace(
        dynprompt=SimpleNamespace(get_original_prompt=lambda: {"7": {}}), prompt_id="first"
    )
    monkeypatch.setattr(comfy_execution.progress, "get_progress_state", lambda: state)
    return state


@pytest.fixture
def told(monkeypatch):
    """What stands on the node, each time that it changes."""
    from fresco_pack.nodes.host import versions

    words = []
    monkeypatch.setattr(versions, "_show", lambda text, node_id: words.append(text.split("\n")))
    return words


def applied(model, schedule="draft 1/2 50%; refine 50%"):
    from fresco_pack.nodes.apply import FrescoApply

    class Node(FrescoApply):
        hidden = SimpleNamespace(unique_id="7")

    return Node.execute(model.patcher, schedule=schedule).args[0]


def enlarged(patched, picture, size=(48, 48)):
    """A second sampler's run over a larger picture, as of hires fix."""
    latent = torch.nn.functional.interpolate(picture, size=size)
    return tiny.sample(patched, tiny.build("flux", size=size), steps=STEPS, denoise=0.5, latent=latent)


def test_the_first_runs_result_stays_above_that_of_the_second(prompt, told):
    model = tiny.build("flux", size=(32, 32))
    patched = applied(model)
    picture = tiny.sample(patched, model, steps=STEPS)
    ((planned, *_), (result, *plan)) = told
    assert planned == "8 steps: 4 at 1/2, then 4 in full" and " full steps would have been" in result and plan
    enlarged(patched, picture)
    assert [lines[0] for lines in told[2:]] == [result, result]
    assert told[2][1].startswith("runs plain: ") and "; ran plain: " in told[3][1]
    told.clear()
    prompt.prompt_id = "second"
    tiny.sample(patched, model, steps=STEPS)
    assert told[0][0] == planned and " s for 8 steps" in told[1][0] and " s for 8 steps" not in told[1][1]


def test_runs_that_fresco_leaves_alone_have_their_line_and_drafts_on_their_way_have_none(prompt, told):
    from fresco_pack.nodes.server.told_runs import ToldRuns

    model = tiny.build("flux", size=(32, 32))
    patched = applied(model)
    tiny.sample(patched, model, steps=STEPS, sampler="dpm_adaptive")
    tiny.sample(patched, model, steps=STEPS)
    assert told[0][0].startswith("runs plain: the sampler")
    assert [lines[0] for lines in told[1:]] == told[0] * 2
    told.clear()
    words = ToldRuns(lambda text: told.append(text.split("\n")))
    trace = SimpleNamespace(result=None)
    words.begin(SimpleNamespace(trace=trace))
    for said in ("the plan", "the plan\ncarrying the draft"):
        words(said)
    trace.result = (0.0, 0.0)
    words("the result\nthe plan")
    words("the next")
    assert told[1] == ["the plan", "carrying the draft"]
    assert told[2:] == [["the result", "the plan"], ["the result", "the next"]]


def test_an_interrupted_run_leaves_no_line(prompt, told):
    def stopped(*_):
        raise KeyboardInterrupt

    model = tiny.build("flux", size=(32, 32))
    patched = applied(model)
    for id in ("first", "second"):
        prompt.prompt_id = id
        with pytest.raises(KeyboardInterrupt):
            tiny.sample(patched, model, steps=STEPS, callback=stopped)
    prompt.prompt_id = "third"
    tiny.sample(patched, model, steps=STEPS, sampler="dpm_adaptive")
    tiny.sample(patched, model, steps=STEPS)
    assert [len(lines) for lines in told[:2]] == [len(told[0])] * 2
    assert told[-1][0].startswith("runs plain: ") and " s for 8 steps" in told[-1][1]


def test_the_first_and_the_last_results_stay(prompt, told):
    from fresco_pack.nodes.server.told_runs import MOST_EARLIER, ToldRuns

    words = ToldRuns(lambda text: told.append(text.split("\n")))
    for index in range(20):
        words(f"run {index}")
    assert told[-1] == ["run 0", *(f"run {n}" for n in range(20 - MOST_EARLIER, 20))]


def test_without_a_prompt_every_run_stands_alone(prompt, told):
    prompt.prompt_id = ""
    model = tiny.build("flux", size=(32, 32))
    patched = applied(model)
    for _ in range(2):
        tiny.sample(patched, model, steps=STEPS)
    assert told[0] == told[2] and len(told[1]) == len(told[3])
