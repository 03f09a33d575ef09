"""Several GPUs: the host calls the model from a thread for each of them. A stand-in of its scheduler calls it
from several threads on one CPU at a time."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import comfy.samplers
import pytest
import tiny
import tiny_control
import torch

TWO_PASS = "draft 1/2 x4; refine 0.9 x4"


class Devices(dict):
    """`model_options["multigpu_clones"]` with every device the CPU: the host's scheduler asks for their
    patchers."""


@pytest.fixture
def threaded(monkeypatch):
    """The host's evaluation of several conditionings with one call of the model each, all of them begun
    before any goes on."""
    original, called = comfy.samplers.calc_cond_batch, []
    pool = ThreadPoolExecutor(8)

    def outer(model, conds, x, timestep, model_options):
        options = {**model_options, "multigpu_clones": Devices()}
        given = [(i, cond) for i, cond in enumerate(conds) if cond is not None]
        gate = threading.Barrier(len(given))

        def one(item):
            i, cond = item
            called.append(threading.get_ident())
            gate.wait(30)
            alone = [None] * len(conds)
            alone[i] = cond
            with torch.inference_mode():
                options = {n: v for n, v in model_options.items() if n != "multigpu_clones"}
                return i, inner(model, alone, x, timestep, options)[i]

        outputs = dict(pool.map(one, given))
        assert "multigpu_clones" in options
        return [outputs.get(i, torch.zeros_like(x)) for i in range(len(conds))]

    inner = comfy.samplers._calc_cond_batch
    monkeypatch.setattr(comfy.samplers, "_calc_cond_batch", outer)
    yield called
    pool.shutdown()
    assert comfy.samplers.calc_cond_batch is original


@pytest.mark.parametrize("size", [(16, 16), (17, 19)])
@pytest.mark.parametrize("schedule", [TWO_PASS, "1/2 x4, full x4"])
def test_dense_looks_from_several_threads_are_those_of_one(apply, threaded, monkeypatch, schedule, size):
    from fresco_pack.fresco_core.text.in_words import spent

    model = tiny.build("flux", size=size)
    options = {"steps": 8, "cfg": 3.0}
    traces = []
    ours = [tiny.sample(apply(model.patcher, schedule, traces=traces), model, **options) for _ in range(3)]
    assert len(set(threaded)) > 1, "calls came from several threads"
    monkeypatch.undo()
    expected = tiny.sample(apply(model.patcher, schedule, traces=traces), model, **options)
    for found in ours:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert len({spent(trace) for trace in traces}) == 1 and spent(traces[0])[0] > 0, "no call goes uncounted"


def test_what_is_spent_is_counted_from_any_number_of_threads():
    from fresco_pack.nodes.engine.spending import Spending

    spending = Spending()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: [spending.add(1, 2) for _ in range(2000)], range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert [spending.take()[:2] for _ in range(2)] == [(16000, 32000), (0, 0)]


def test_a_controlnet_shared_by_threads_keeps_its_percents(apply, threaded):
    """A ControlNet without a clone for a device is asked from several threads: its range is put back."""
    model, control = tiny.build("flux"), tiny_control.flux_controlnet()
    pair = tiny_control.with_control_pair(
        model.positive, model.negative, control, tiny_control.hint_image((16, 16)), 1.0, 0.0, 0.7
    )
    seen = []
    for cond in (*pair[0], *pair[1]):
        shared = cond[1]["control"]
    ours = tiny.sample(
        apply(model.patcher, TWO_PASS), model, steps=8, cfg=3.0, positive=pair[0], negative=pair[1]
    )
    seen.append(shared.timestep_range)
    sampling = model.patcher.get_model_object("model_sampling")
    expected = tuple(sampling.percent_to_sigma(p) for p in (0.0, 0.7))
    assert torch.isfinite(ours).all()
    assert seen[0] is None or seen[0] == pytest.approx(expected)


def test_mixed_steps_are_dense_on_several_gpus_and_say_so(apply, caplog):
    from fresco_pack.nodes.engine.obstacles import unmixable

    model = tiny.build("flux")
    conds = {"positive": []}
    reason = unmixable(conds, {"multigpu_clones": {"cuda:0": None, "cuda:1": None}}, frozenset())
    assert reason == "several GPUs share each evaluation"
    assert unmixable(conds, {}, frozenset()) is None
    patcher = model.patcher.clone()
    patcher.model_options["multigpu_clones"] = {torch.device("cpu"): model.patcher}
    schedule = "1/2 x2, mixed 50% x2, full x2"
    if not hasattr(comfy.samplers, "_calc_cond_batch_multigpu"):
        pytest.skip("this host knows one GPU only")
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, schedule), model, steps=6, cfg=3.0)
    expected = tiny.sample(apply(model.patcher, "1/2 x2, full x4"), model, steps=6, cfg=3.0)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    said = [r.message for r in caplog.records if r.message.startswith("Fresco takes mixed")]
    assert said == ["Fresco takes mixed steps at full resolution: several GPUs share each evaluation"]


def test_answers_that_a_failed_evaluation_has_left_are_nobodys():
    multigpu = pytest.importorskip("comfy.multigpu")
    if not hasattr(multigpu, "MultiGPUThreadPool"):
        pytest.skip("this host has no pool of threads")
    from fresco_pack.nodes.host.devices import settle

    first, second = torch.device("cpu"), torch.device("cpu", 0)
    pool = multigpu.MultiGPUThreadPool([first, second])
    try:
        pool.submit(first, lambda: 1 / 0)
        pool.submit(second, lambda: "left")
        assert isinstance(pool.get_result(first)[1], ZeroDivisionError)
        settle({"multigpu_thread_pool": pool})
        for device in (first, second):
            pool.submit(device, lambda: "new")
            assert pool.get_result(device) == ("new", None)
    finally:
        pool.shutdown()
    settle({})


def test_scheduled_loras_begin_anew_on_every_gpu():
    import comfy.hooks
    from fresco_pack.nodes.host.samplers import restart_keyframes

    hook, keyframes = comfy.hooks.Hook(), comfy.hooks.HookKeyframeGroup()
    for strength, start in ((1.0, 0.0), (0.0, 0.5)):
        keyframes.add(comfy.hooks.HookKeyframe(strength=strength, start_percent=start))
    hook.hook_keyframe = keyframes
    cleared = []
    patchers = {n: SimpleNamespace(clear_cached_hook_weights=lambda n=n: cleared.append(n)) for n in "ab"}
    guider = SimpleNamespace(
        conds={"positive": [{"hooks": SimpleNamespace(hooks=[hook])}, {}]},
        inner_model=SimpleNamespace(current_patcher=patchers["a"]),
        model_options={"multigpu_clones": patchers},
    )
    restart_keyframes(guider)
    assert set(cleared) == {"a", "b"}
