"""Models that Fresco has never seen: right at half resolution, or plain with a reason; and no run is lost to
a look that a model does not take."""

import dataclasses
import gc
import weakref
from math import log2
from types import SimpleNamespace

import comfy.model_management
import comfy.samplers
import pytest
import tiny
import tiny_control
import torch
from recorded import warnings
from strangers import Prefixed, Spatial, Strange, half_run, stranger

STEPS = 4
SCHEDULE = "1/2 x3, full x1"


@pytest.mark.parametrize(
    "network,scale,channels,sizes",
    [
        (Strange, 8, 4, {"side": 2}),
        (Strange, 16, 12, {"side": 1}),
        (Prefixed, 16, 64, {"side": 1}),
        (Strange, 8, 4, {"side": 4}),
        (Strange, 1, 3, {"side": 32}),
        (Spatial, 8, 4, {}),
    ],
    ids=["patch 2", "patch 1", "a prefix kept by size", "patch 4", "pixels", "no patch"],
)
def test_an_invented_model_is_drawn_at_half_as_it_would_draw_that_size_itself(
    apply, caplog, network, scale, channels, sizes
):
    from fresco_pack.fresco_core import FLOW, merge

    model = stranger(network, scale, channels, **sizes)
    noise = comfy.sample.prepare_noise(model.latent["samples"], 7)
    sigmas = comfy.samplers.calculate_sigmas(
        model.patcher.get_model_object("model_sampling"), "simple", STEPS
    )
    traces, told, ours = [], [], []
    with caplog.at_level("INFO"):
        tiny.sample(
            apply(model.patcher, SCHEDULE, traces=traces, tell=told.append),
            model,
            noise=noise,
            sigmas=sigmas,
            callback=lambda step, x0, x, total: ours.append(x0.clone()),
        )
    assert [e.level for e in traces[0].evaluations] == [1, 1, 1, 0] and not warnings(caplog)
    words = f"unknown model class {network.__name__}: half resolution at the most"
    assert told[0].count(words) == 1 and sum(words in r.message for r in caplog.records) == 1
    alone = half_run(model, FLOW.level_sigma(sigmas[:STEPS], 1), 2.0 * merge(noise, 1))
    for coarse, native in zip(ours, alone, strict=False):
        torch.testing.assert_close(merge(coarse, 1), native, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_what_a_model_keeps_by_size_is_kept_once_for_each_level_and_prompt(apply, cfg):
    model = stranger(Prefixed, 16, 64, side=1)
    tiny.sample(apply(model.patcher, "draft 1/2 x3; refine 0.9 x3"), model, steps=6, cfg=cfg)
    kept = model.model.diffusion_model.kept
    assert {key[1:] for key in kept} == {(32, 32), (64, 64)}
    assert len(kept) <= 2 * (3 if cfg > 1.0 else 1), "both prompts alone, or together"


@pytest.mark.parametrize("schedule", ["draft 1/4; refine 0.9", "1/8 50%, full", "draft ~1/4 50%; refine 50%"])
def test_no_schedule_takes_an_unknown_model_below_half_or_a_quarter_megapixel(apply, caplog, schedule):
    traces = []
    large, middle, small = (stranger(Spatial, 8, 4, side_pixels=side) for side in (1024, 896, 640))
    for model in (large, middle):
        tiny.sample(apply(model.patcher, schedule, traces=traces), model, steps=6)
    assert [{e.level for e in trace.evaluations} for trace in traces] == [{1, 0}, {log2(4 / 3), 0}]
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(small.patcher, schedule), small, steps=6)
    assert torch.equal(ours, tiny.sample(small.patcher, small, steps=6))
    assert warnings(caplog) == [
        "Fresco runs plain: 3/4 of 640x640 is 480x480, below the 0.25 megapixels that a model of an unknown "
        "class (Spatial) is held to"
    ]


class Picky(Spatial):
    """Raises `error` whenever it is called on less than `least` pixels a side, after `calm` such calls."""

    error: BaseException = ValueError("expected 128x128")
    least, calm = 128, 0

    def forward(self, x, t, **kwargs):
        if x.shape[-1] < self.least:
            self.calm -= 1
            if self.calm < 0:
                raise self.error
        return super().forward(x, t, **kwargs)


def picky(**settings):
    model = stranger(Picky, 8, 4)
    for name, value in settings.items():
        setattr(model.model.diffusion_model, name, value)
    return model


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_a_model_that_raises_at_half_is_drawn_in_full_with_one_warning(apply, caplog, sampler, cfg):
    model, traces = picky(), []
    with caplog.at_level("WARNING"):
        ours = tiny.sample(
            apply(model.patcher, "1/2 x4, full x2", traces=traces), model, sampler=sampler, steps=6, cfg=cfg
        )
    assert torch.equal(ours, tiny.sample(model.patcher, model, sampler=sampler, steps=6, cfg=cfg))
    assert warnings(caplog) == [
        "Fresco takes the rest of this run at full resolution: BaseModel could not be called on 512x512 "
        "(ValueError: expected 128x128)"
    ]
    assert {e.level for e in traces[0].evaluations} == {0}


@pytest.mark.parametrize("schedule", ["1/2 x4, full x2", "draft 1/2 x3; refine 0.9 x3"])
def test_what_fails_at_a_later_step_alone_does_not_lose_the_run(apply, caplog, schedule):
    """A regional mask or a ControlNet may begin behind the run's first step."""
    model, traces = picky(calm=1), []
    with caplog.at_level("WARNING"):
        tiny.sample(apply(model.patcher, schedule, traces=traces), model, steps=6)
    assert warnings(caplog) == [
        "Fresco takes the rest of this run at full resolution: BaseModel could not be called on 512x512 "
        "(ValueError: expected 128x128)"
    ]
    assert [e.level for e in traces[0].evaluations] == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde", "heun"])
def test_a_draft_that_fails_at_once_begins_anew_plain(apply, caplog, sampler):
    """In full it would cost all its steps, and only the refine pass's would count."""
    model, traces, said = picky(), [], []
    with caplog.at_level("WARNING"):
        patched = apply(model.patcher, "draft 1/2 x3; refine 0.9 x3", traces=traces, tell=said.append)
        ours = tiny.sample(patched, model, sampler=sampler, steps=6)
    assert torch.equal(ours, tiny.sample(model.patcher, model, sampler=sampler, steps=6))
    reason = "BaseModel could not be called on 512x512 (ValueError: expected 128x128)"
    assert warnings(caplog) == [f"Fresco runs plain: {reason}"]
    assert traces[0].plan.plain and traces[0].plan.reason == reason and reason in said[-1]
    assert {e.level for e in traces[0].evaluations} == {0}


@pytest.mark.parametrize("schedule", ["1/2 x3, full x3", "draft 1/2 x3; refine 0.9 x3"])
def test_the_tensors_of_a_look_that_failed_are_let_go_at_once(apply, schedule):
    held, alive = [], []

    class Holding(Picky):
        def forward(self, x, t, **kwargs):
            alive.append([tensor() is not None for tensor in held])
            activations = torch.zeros(8)
            if x.shape[-1] < self.least:
                held.append(weakref.ref(activations))
            return super().forward(x, t, **kwargs)

    model = stranger(Holding, 8, 4)
    gc.disable()
    try:
        tiny.sample(apply(model.patcher, schedule), model, steps=6)
    finally:
        gc.enable()
    assert len(held) == 1 and alive[1:] == [[False]] * 6


@pytest.mark.parametrize("given", [torch.zeros(1, 4, 128, 128), [None], [torch.zeros(1, 4, 64)], "text"])
@pytest.mark.parametrize("schedule", ["full", "1/2 x2, full x2"])
def test_whatever_an_unknown_class_calls_its_references_is_no_error(apply, given, schedule):
    import comfy.conds

    model = stranger(Spatial, 8, 4)
    kind = comfy.conds.CONDRegular if isinstance(given, torch.Tensor) else comfy.conds.CONDConstant

    class Odd(type(model.model)):
        def extra_conds(self, **kwargs):
            return {**super().extra_conds(**kwargs), "ref_latents": kind(given)}

    model.model.__class__ = Odd
    ours = tiny.sample(apply(model.patcher, schedule, traces=[]), model, steps=4)
    assert torch.isfinite(ours).all()
    if schedule == "full":
        assert torch.equal(ours, tiny.sample(model.patcher, model, steps=4))


WRITES = "writes pictures of the full size into what the network sees"


def runs_plain(apply, caplog, patcher, model, reason, **settings):
    """A run with Fresco is the run without, and is warned of once."""
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, "draft 1/2 x3; refine 0.9 x3"), model, steps=6, **settings)
    assert torch.equal(ours, tiny.sample(patcher, model, steps=6, **settings))
    assert warnings(caplog) == [f"Fresco runs plain: {reason}"]


def test_a_hint_of_the_full_size_makes_the_run_plain(apply, caplog):
    """SUPIR's, which its patch adds to what its control network makes of the state."""
    patches = pytest.importorskip("comfy.ldm.supir.supir_patch")

    class Control:
        def control_model(self, hint, t, x, context, y):
            return [x + hint]

    model, hint = tiny.build("sdxl", size=(16, 16)), torch.randn(1, 4, 16, 16)
    control = SimpleNamespace(model=Control())
    patch = patches.SUPIRPatch(control, [lambda features, h, **kwargs: h], hint, 1.0, 1.0)
    patcher = model.patcher.clone()
    patcher.set_model_patch(patch.middle_after, "middle_block_after_patch")
    runs_plain(apply, caplog, patcher, model, f"SUPIR {WRITES}")


def test_a_sampler_with_a_state_of_its_own_runs_plain(apply, caplog):
    void = pytest.importorskip("comfy_extras.nodes_void")
    model = tiny.build("wan", frames=3)
    reason = "the sampler VOID_DDIM keeps a state of its own kind"
    runs_plain(apply, caplog, model.patcher, model, reason, sampler=void.VOID_DDIM())


@pytest.mark.parametrize(
    "settings,error",
    [
        ({"error": comfy.model_management.InterruptProcessingException()}, "InterruptProcessingException"),
        ({"error": torch.cuda.OutOfMemoryError("full")}, "OutOfMemoryError"),
        ({"error": KeyboardInterrupt()}, "KeyboardInterrupt"),
        ({"least": 1000}, "ValueError"),
    ],
    ids=["interrupt", "memory", "keyboard", "full resolution"],
)
def test_what_has_nothing_to_do_with_the_look_is_not_swallowed(apply, caplog, settings, error):
    model = picky(**settings)
    patched = apply(model.patcher, "1/2 x4, full x2")
    with caplog.at_level("WARNING"), pytest.raises(BaseException) as raised:
        tiny.sample(patched, model, steps=6)
    assert type(raised.value).__name__ == error
    assert len(warnings(caplog)) == (2 if "least" in settings else 0), "the look is left, then the plan"
    for clean in (model.patcher, patched):
        assert "fresco_run" not in clean.model_options["transformer_options"]


def test_mixed_steps_that_fail_are_taken_in_full_and_dense_ones_stay(apply, caplog, monkeypatch):
    from fresco_pack.nodes.engine import run
    from fresco_pack.nodes.families import flux

    def broken(*args, **kwargs):
        raise RuntimeError("shapes")

    adapter = dataclasses.replace(flux.ADAPTER, evaluate=broken)
    monkeypatch.setattr(run, "adapter_of", lambda network: (adapter, None))
    model = tiny.build("flux")
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, "1/2 x2, mixed 50% x2, full x2"), model, steps=6)
    expected = tiny.sample(apply(model.patcher, "1/2 x2, full x4"), model, steps=6)
    assert torch.equal(ours, expected)
    assert warnings(caplog) == [
        "Fresco takes the mixed steps of this run at full resolution: Flux could not be called with fine and "
        "coarse tokens (RuntimeError: shapes)"
    ]


def test_a_controlnet_that_fails_at_half_is_asked_in_full(apply, caplog):
    model, control = tiny.build("flux"), tiny_control.flux_controlnet()
    original = control.control_model.forward

    def forward(x, *args, **kwargs):
        if x.shape[-1] < 16:
            raise RuntimeError("a hint of 16x16 only")
        return original(x, *args, **kwargs)

    control.control_model.forward = forward
    positive = tiny_control.with_control(model.positive, control, tiny_control.hint_image((16, 16)))
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, "1/2 x2, full x2"), model, steps=4, positive=positive)
    assert torch.equal(ours, tiny.sample(model.patcher, model, steps=4, positive=positive))
    assert len(warnings(caplog)) == 1 and "a hint of 16x16 only" in warnings(caplog)[0]


@pytest.mark.parametrize("name", ["sample_ar_video", "sample_lcm_upscale", "sample_dpm_adaptive"])
def test_samplers_whose_own_work_hangs_on_the_run_are_plain(apply, caplog, name):
    model = tiny.build("flux")
    inner = comfy.samplers.sampler_object("euler").sampler_function

    def function(*args, **kwargs):
        return inner(*args, **kwargs)

    function.__name__ = name
    sampler = comfy.samplers.KSAMPLER(function)
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, "draft 1/2; refine 0.9"), model, sampler=sampler, steps=6)
    assert torch.equal(ours, tiny.sample(model.patcher, model, sampler=sampler, steps=6))
    assert len(warnings(caplog)) == 1 and f"the sampler {name.removeprefix('sample_')}" in warnings(caplog)[0]


def test_a_guider_that_calls_its_model_past_the_wrappers_runs_plain(apply, caplog):
    class Direct(comfy.samplers.CFGGuider):
        def __call__(self, x, timestep, model_options={}, seed=None):  # noqa: B006 - the host's own
            return comfy.samplers.sampling_function(
                self.inner_model,
                x,
                timestep,
                self.conds.get("negative"),
                self.conds.get("positive"),
                1.0,
                model_options=model_options,
                seed=seed,
            )

    model = tiny.build("flux")
    sigmas, said = torch.linspace(1.0, 0.0, 7), []

    def run(patcher):
        guider = Direct(patcher)
        guider.set_conds(model.positive, model.negative)
        guider.set_cfg(1.0)
        latent = model.latent["samples"]
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
        return guider.sample(noise, latent, comfy.samplers.ksampler("euler"), sigmas, seed=3)

    with caplog.at_level("WARNING"):
        ours = run(apply(model.patcher, "draft 1/2 x3; refine 0.9 x3", tell=said.append))
    assert torch.equal(ours, run(model.patcher))
    reason = "the guider Direct calls the model past Fresco, which cannot choose a resolution"
    assert warnings(caplog) == [f"Fresco runs plain: {reason}"] and said == [f"runs plain: {reason}"]


@pytest.mark.parametrize("how", ["options", "closure"])
def test_a_sampler_that_another_wraps_is_known(how):
    from fresco_pack.nodes.host.samplers import functions_of, least_steps, off_grid

    def wrapped(name):
        inner = comfy.samplers.sampler_object(name)

        def detailed(model, x, sigmas, wrapped=None, **kwargs):
            return (wrapped or inner).sampler_function(model, x, sigmas, **kwargs)

        def own(model, x, sigmas, wrapped=None, **kwargs):
            return wrapped.sampler_function(model, x, sigmas, **kwargs)

        if how == "options":
            return comfy.samplers.KSAMPLER(own, {"wrapped": inner})
        return comfy.samplers.KSAMPLER(detailed)

    assert least_steps(wrapped("uni_pc")) == 2 and least_steps(wrapped("euler")) == 1
    assert off_grid(wrapped("dpm_fast")) and not off_grid(wrapped("euler"))
    assert "dpm_adaptive" in functions_of(wrapped("dpm_adaptive"))


def test_a_run_that_its_sampler_kept_full_is_told_so(apply):
    def probing(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for i in range(len(sigmas) - 1):
            model(x, sigmas[-1] + 1e-3 * x.new_ones(len(x)), **extra_args)
            x0 = model(x, sigmas[i].expand(len(x)), **extra_args)
            if callback is not None:
                callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": x0})
            x = x + (x - x0) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    model, said = tiny.build("flux"), []
    sampler = comfy.samplers.KSAMPLER(probing)
    ours = tiny.sample(
        apply(model.patcher, "1/2 x3, full x3", tell=said.append), model, sampler=sampler, steps=6
    )
    assert torch.equal(ours, tiny.sample(model.patcher, model, sampler=sampler, steps=6))
    assert said[-1].endswith(" for 6 steps at full resolution, not as planned")
