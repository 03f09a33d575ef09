"""Presets of the user's: kept, read back by every node and by the editor's route, and never trusted."""

import json
import unicodedata

import folder_paths
import pytest

LINE = "draft 1/2 60%; refine 40%"


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """The file of kept presets, in a user folder of the test's own."""
    from fresco_pack.nodes.host.kept_presets import presets_file

    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path))
    assert presets_file() == tmp_path / "default" / "fresco_presets.json"
    return presets_file()


def write(file, content):
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def post(**fields):
    from fresco_pack.nodes.server.presets_route import reply

    status, text = reply(json.dumps(fields).encode())
    return status, json.loads(text)


def options(node):
    """The choice of presets that the host shows for a node."""
    spec = node.INPUT_TYPES()["required"]["preset"]
    return spec[0] if isinstance(spec[0], list) else spec[1]["options"]


def test_a_kept_preset_is_one_in_every_node_and_on_the_editors_route(file):
    from fresco_pack.fresco_core import PRESETS
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.inputs import built, to_schedule
    from fresco_pack.nodes.ksampler import FrescoKSampler
    from fresco_pack.nodes.schedule import FrescoSchedule
    from fresco_pack.nodes.server.plan_preview import answer

    status, listed = post(name=" my portraits ", schedule=LINE, model="flux.1", note="balanced: 3.1 s")
    assert status == 200 and listed["names"] == [*PRESETS, "my portraits"]
    assert listed["kept"] == {
        "my portraits": {"schedule": LINE, "model": "flux.1", "note": "balanced: 3.1 s"}
    }
    assert json.loads(file.read_text("utf-8"))["presets"]["my portraits"]["schedule"] == LINE
    assert options(FrescoKSampler) == [*PRESETS, "my portraits"]
    assert options(FrescoSchedule)[: len(PRESETS) + 1] == [*PRESETS, "my portraits"]
    assert str(built("my portraits", "", "1/2", 0.5, 0.95)) == LINE
    assert str(built("from text", "my portraits", "1/2", 0.5, 0.95)) == LINE
    assert str(to_schedule("", "my portraits")) == str(to_schedule(" my portraits ")) == LINE
    assert FrescoApply.validate_inputs(schedule="my portraits") is True
    drawn = answer({"preset": "my portraits", "steps": 20})
    assert (
        drawn["presets"] == [*PRESETS, "my portraits"] and drawn["text"] == LINE and len(drawn["steps"]) == 20
    )
    assert answer({"preset": "from text", "text": "my portraits"})["text"] == LINE
    assert "expected one of" in answer({"preset": "gone"})["error"]
    assert post(name="my portraits", do="forget")[1]["names"] == list(PRESETS)
    assert "unknown preset 'my portraits'" in answer({"preset": "my portraits"})["error"]
    assert "is kept as 'my portraits'" in post(name="my portraits", do="forget")[1]["error"]


def test_a_preset_changed_under_its_name_makes_its_nodes_run_again(file):
    """Through the host's own key of what a node's cached result belongs to."""
    import asyncio

    import execution
    from comfy_execution.caching import CacheKeySetInputSignature
    from comfy_execution.graph import DynamicPrompt
    from fresco_pack.nodes.apply import FrescoApply
    from fresco_pack.nodes.bench import FrescoBench
    from fresco_pack.nodes.ksampler import FrescoKSampler
    from fresco_pack.nodes.schedule import FrescoSchedule

    import nodes

    prompt = {
        "1": {"class_type": "FrescoApply", "inputs": {"preset": "mine"}},
        "2": {"class_type": "FrescoApply", "inputs": {"schedule": " mine "}},
        "3": {"class_type": "FrescoKSampler", "inputs": {"preset": "mine"}},
        "4": {"class_type": "FrescoSchedule", "inputs": {"preset": "from text", "text": "mine"}},
        "5": {"class_type": "FrescoBench", "inputs": {"presets": "balanced\nmine"}},
        "6": {"class_type": "FrescoApply", "inputs": {"preset": "balanced"}},
    }
    kinds = {kind.__name__: kind for kind in (FrescoApply, FrescoBench, FrescoKSampler, FrescoSchedule)}

    async def key(node):
        graph = DynamicPrompt(json.loads(json.dumps(prompt)))
        keys = CacheKeySetInputSignature(graph, [node], execution.IsChangedCache("p", graph, None))
        await keys.add_keys([node])
        return keys.get_data_key(node)

    with pytest.MonkeyPatch.context() as patch:
        for name, kind in kinds.items():
            patch.setitem(nodes.NODE_CLASS_MAPPINGS, name, kind)
        post(name="mine", schedule="draft 1/2 50%; refine 50%")
        first = {node: asyncio.run(key(node)) for node in prompt}
        assert first == {node: asyncio.run(key(node)) for node in prompt}, "nothing has changed"
        post(name="mine", schedule="draft 1/4 60%; refine 40%")
        then = {node: asyncio.run(key(node)) for node in prompt}
    assert [node for node in prompt if first[node] == then[node]] == ["6"]


def test_the_schedule_of_the_pack_is_never_hidden(file):
    from fresco_pack.fresco_core import PRESETS
    from fresco_pack.nodes.host.kept_presets import named_schedule, schedule_in

    write(file, {"version": 1, "presets": {"balanced": {"schedule": LINE}, "full": {"schedule": LINE}}})
    assert str(named_schedule("balanced")) == PRESETS["balanced"]
    assert str(schedule_in("full")) == "full"


@pytest.mark.parametrize(
    "name,words",
    [
        ("balanced", "is taken"),
        ("Balanced", "is taken"),
        ("from text", "is taken"),
        ("auto", "is taken"),
        ("turbo", "is taken"),
        ("", "expected 1 to 40 letters"),
        ("x" * 41, "expected 1 to 40 letters"),
        ("a; b", "expected 1 to 40 letters"),
        ("../../x", "expected 1 to 40 letters"),
        ("<b>", "expected 1 to 40 letters"),
        ("full", "is a schedule itself"),
        ("\u0301a", "expected 1 to 40 letters"),
        ("a\u200b", "expected 1 to 40 letters"),
        ("<\u0338b>", "expected 1 to 40 letters"),
    ],
)
def test_names_that_cannot_be(file, name, words):
    status, answer = post(name=name, schedule=LINE)
    assert status == 400 and words in answer["error"] and not file.exists()


@pytest.mark.parametrize(
    "name",
    ["my FLUX 1.1 (fast)", "a", "人像", "ポートレート", "Gemälde", "Chân dung", "चित्र", "สีน้ำ 2", "كتابٌ"],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_that_can_be(file, name, form):
    from fresco_pack.nodes.host.kept_presets import meanings
    from fresco_pack.nodes.inputs import built, to_schedule

    typed = unicodedata.normalize(form, name)
    assert post(name=typed, schedule=LINE)[1]["names"][-1] == name
    assert str(built(typed, "", "1/2", 0.5, 0.95)) == str(to_schedule("", typed)) == LINE
    assert meanings(typed) == meanings(name) != ""
    write(file, {"version": 1, "presets": {typed: {"schedule": LINE}}})
    assert post(name=name, schedule="full")[1]["kept"][name]["schedule"] == "full"
    assert list(json.loads(file.read_text("utf-8"))["presets"]) == [name]
    write(file, {"version": 1, "presets": {typed: {"schedule": LINE}}})
    assert post(name=typed, do="forget")[1]["kept"] == {}


@pytest.mark.parametrize(
    "fields,words",
    [
        ({"name": "a", "schedule": "draf 1/2"}, "did you mean 'draft'"),
        ({"name": "a", "schedule": 7}, "expected a line of text"),
        ({"name": "a"}, "the schedule is empty"),
        ({"name": "a", "schedule": LINE, "do": "burn"}, "expected one of keep, forget"),
    ],
)
def test_requests_that_cannot_be(fields, words):
    status, answer = post(**fields)
    assert status == 400 and words in answer["error"]


def test_what_is_no_request_is_told():
    from fresco_pack.nodes.server.presets_route import reply

    assert reply(b"{")[0] == 400 and "is no JSON" in reply(b"{")[1]
    assert reply(b"[]")[0] == 400 and "expected an object" in reply(b"[]")[1]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"version": 2, "presets": {}}', '{"version": 1, "presets": []}', "\xff", "[" * 100_000],
)
def test_a_broken_file_is_told_once_and_neither_used_nor_overwritten(file, caplog, content):
    from fresco_pack.nodes.host.kept_presets import kept_presets

    write(file, content)
    before = file.read_bytes()
    assert kept_presets() == {} == kept_presets()
    assert [str(file) in r.getMessage() for r in caplog.records] == [True]
    status, answer = post(name="a", schedule=LINE)
    assert status == 400 and "Mend the file, or move it away" in answer["error"]
    assert file.read_bytes() == before


def test_bad_entries_are_told_once_and_stay_in_the_file(file, caplog):
    from fresco_pack.nodes.host.kept_presets import kept_presets

    bad = {"a": {"schedule": "draf"}, "b": 3, "fast": {"schedule": LINE}, "c": {"schedule": LINE, "note": 1}}
    write(file, {"version": 1, "presets": {**bad, "good": {"schedule": LINE, "more": 1}}})
    assert list(kept_presets()) == ["good"] == list(kept_presets())
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 4 and all("ignores the kept preset" in words for words in told)
    assert "did you mean 'draft'" in told[0] and "is taken" in told[2]
    assert post(name="new", schedule=LINE)[0] == 200
    assert set(json.loads(file.read_text("utf-8"))["presets"]) == {*bad, "good", "new"}


def test_a_file_changed_by_hand_is_read_anew_and_a_name_kept_twice_is_replaced(file):
    from fresco_pack.nodes.host.kept_presets import kept_presets

    post(name="a", schedule=LINE)
    assert post(name="a", schedule="full")[1]["kept"]["a"]["schedule"] == "full"
    write(file, {"version": 1, "presets": {"by hand": {"schedule": LINE}}})
    assert list(kept_presets()) == ["by hand"]
    file.unlink()
    assert kept_presets() == {}


def test_there_is_room_for_a_hundred(file):
    entries = {f"preset {i}": {"schedule": LINE} for i in range(100)}
    write(file, {"version": 1, "presets": entries})
    status, answer = post(name="one more", schedule=LINE)
    assert status == 400 and "100 presets are kept already" in answer["error"]
    assert post(name="preset 7", schedule="full")[0] == 200, "one of them may be replaced"


def test_a_folder_that_cannot_be_written_is_told(file):
    file.parent.write_text("a file where the folder should be")
    status, answer = post(name="a", schedule=LINE)
    assert status == 400 and "cannot be kept in" in answer["error"]


def test_half_of_a_surrogate_pair_is_kept_as_a_question_mark(file):
    status, answer = post(name="a", schedule=LINE, note="good \ud800", model="\udfff")
    assert status == 200 and [path.name for path in file.parent.iterdir()] == [file.name]
    assert json.loads(file.read_text("utf-8"))["presets"]["a"]["note"] == "good ?"


def test_a_file_saved_with_a_byte_order_mark_is_read(file):
    from fresco_pack.nodes.host.kept_presets import kept_presets

    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "presets": {"a": {"schedule": LINE}}}), "utf-8-sig")
    assert list(kept_presets()) == ["a"] and post(name="b", schedule=LINE)[0] == 200
