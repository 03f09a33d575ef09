"""Fresco behind and before other nodes of the host: what users combine, beyond conditioning."""

import inspect
from dataclasses import replace
from types import SimpleNamespace

import comfy.controlnet
import comfy.hooks
import comfy.patcher_extension
import comfy.sampler_helpers
import comfy.samplers
import comfy_extras.nodes_context_windows as context_nodes
import comfy_extras.nodes_custom_sampler as custom_nodes
import comfy_extras.nodes_model_advanced as sampling_nodes
import pytest
import tiny
import tiny_control
import tiny_families
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

TWO_PASS = "draft 1/2 x4; refine 0.75 x3"
SCHEDULES = ["1/2 until 0.9, full", TWO_PASS]


def executed(node, *args, **kwargs):
    """The first output of a host node, whichever way its version runs nodes."""
    known = inspect.signature(node.execute).parameters
    return node.execute(*args, **{k: v for k, v in kwargs.items() if k in known}).args[0]


def windows(model, freenoise=False):
    """The model behind core's context windows of 4 of its frames."""
    options = {
        "context_length": 4,
        "context_overlap": 1,
        "context_schedule": "standard_static",
        "context_stride": 1,
    }
    return executed(
        context_nodes.ContextWindowsManualNode,
        model=model.patcher,
        **options,
        closed_loop=False,
        fuse_method="pyramid",
        dim=2,
        freenoise=freenoise,
    )


def test_a_sampling_patch_that_changes_the_kind_of_model_is_followed_from_the_first_run(apply):
    """ModelSamplingSD3 makes a flow of an EPS model; the host applies it only once a run has begun."""
    model = tiny.build("sdxl")
    flow = sampling_nodes.ModelSamplingSD3().patch(model.patcher, shift=3.0)[0]
    results, names = {}, []
    for patcher, key in (
        (flow, "flow"),
        (flow, "flow"),
        (model.patcher, "eps"),
        (model.patcher, "eps"),
        (flow, "flow"),
    ):
        traces = []
        result = tiny.sample(apply(patcher, TWO_PASS, traces=traces), model, steps=7)
        assert torch.equal(result, results.setdefault(key, result)), f"{key} depends on what ran before"
        names.append(traces[0].plan.passes[1].sigmas[0])
    assert names == pytest.approx([0.75, 0.75, 3.0, 3.0, 0.75], rel=1e-4)

    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.schedule import describe

    sampling = flow.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 20)
    assert "pass 2: sigma 0.75 to 0" in describe(
        parse("draft 1/2; refine 0.75"), 20, sigmas, flow, model.latent
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["cfg", "dual", "basic", "perp-neg"])
def test_any_guider(flux, apply, name, schedule):
    import comfy_extras.nodes_perpneg as perpneg

    def guider(patcher):
        negative = tiny.conditioning(flux, 9)
        if name == "basic":
            made = custom_nodes.Guider_Basic(patcher)
            made.set_conds(flux.positive)
        elif name == "cfg":
            made = comfy.samplers.CFGGuider(patcher)
            made.set_conds(flux.positive, negative)
            made.set_cfg(2.5)
        elif name == "dual":
            made = custom_nodes.Guider_DualCFG(patcher)
            made.set_conds(flux.positive, tiny.conditioning(flux, 5), negative)
            made.set_cfg(2.0, 1.5)
        else:
            made = perpneg.Guider_PerpNeg(patcher)
            made.set_conds(flux.positive, negative, tiny.conditioning(flux, 5))
            made.set_cfg(2.0, 0.8)
        return made

    noise = comfy.sample.prepare_noise(flux.latent["samples"], 7)
    sigmas = comfy.samplers.calculate_sigmas(flux.patcher.get_model_object("model_sampling"), "simple", 7)

    def run(patcher):
        with torch.inference_mode():
            return guider(patcher).sample(
                noise,
                flux.latent["samples"],
                comfy.samplers.sampler_object("euler"),
                sigmas,
                seed=7,
                disable_pbar=True,
            )

    with tiny.count_image_tokens(flux) as seen:
        ours = run(apply(flux.patcher, schedule))
    assert {count for count, _ in seen} == {16, 64}
    plain = run(flux.patcher)
    assert torch.corrcoef(torch.stack((plain.flatten(), ours.flatten())))[0, 1] > 0.6


@pytest.mark.parametrize("freenoise", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("size", [(16, 16), (18, 14), (17, 19)])
def test_context_windows_over_frames(apply, size, schedule, freenoise):
    """Windows see parts of the canvas; levels, border blocks and windows together."""
    model = tiny.build("wan", size=size, frames=9)
    windowed = windows(model, freenoise)
    ours = tiny.sample(apply(windowed, schedule), model, steps=7)
    plain = tiny.sample(windowed, model, steps=7)
    assert torch.isfinite(ours).all()
    assert torch.corrcoef(torch.stack((plain.flatten(), ours.flatten())))[0, 1] > 0.5


def test_context_windows_over_a_video_with_a_given_first_frame(apply):
    model = tiny.build("hunyuan_video", frames=9)
    windowed = windows(model)
    source = tiny.sample(model.patcher, model, steps=4, seed=3)
    mask = torch.ones(1, 1, *source.shape[2:])
    mask[:, :, :1] = 0.0
    seen = []
    handle = model.model.diffusion_model.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    try:
        ours = tiny.sample(apply(windowed, TWO_PASS), model, steps=7, latent=source, noise_mask=mask)
    finally:
        handle.remove()
    from fresco_pack.fresco_core import merge

    given = merge(model.model.process_latent_in(source)[:, :, :1], 1)
    first_windows = [x for x in seen if x.shape[-1] == 8 and torch.allclose(x[:, :, :1], given, atol=1e-5)]
    assert len(first_windows) >= 4, "in every coarse step one window holds the given frame, as it is"
    torch.testing.assert_close(ours[:, :, :1], source[:, :, :1], rtol=1e-4, atol=1e-5)


def test_scheduled_lora_hooks_follow_sigma_in_every_pass(flux, apply, monkeypatch):
    key = "diffusion_model.double_blocks.0.img_attn.qkv.weight"
    weight = flux.patcher.model_state_dict()[key]
    hook = comfy.hooks.WeightHook(strength_model=1.0, strength_clip=1.0)
    hook.weights = {key: ("diff", (torch.full(weight.shape, 0.05),))}
    group = comfy.hooks.HookGroup()
    group.add(hook)
    keyframes = comfy.hooks.HookKeyframeGroup()
    keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.0))
    keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.6))
    group.set_keyframes_on_hooks(keyframes)
    positive = comfy.hooks.set_hooks_for_conditioning(flux.positive, group)
    used = []
    original = comfy.hooks.HookKeyframeGroup.prepare_current_keyframe

    def watched(self, curr_t, transformer_options):
        changed = original(self, curr_t, transformer_options)
        used.append((float(curr_t), self.strength))
        return changed

    monkeypatch.setattr(comfy.hooks.HookKeyframeGroup, "prepare_current_keyframe", watched)
    tiny.sample(flux.patcher, flux, steps=10, positive=positive)
    assert {strength for _, strength in used} == {0.0, 1.0}
    limit = flux.patcher.get_model_object("model_sampling").percent_to_sigma(0.6)
    used.clear()
    ours = tiny.sample(apply(flux.patcher, "draft 1/2 x5; refine 0.9 x5"), flux, steps=10, positive=positive)
    assert {strength for _, strength in used} == {0.0, 1.0}
    for sigma, strength in used:
        assert strength == (0.0 if sigma <= limit + 1e-6 else 1.0), f"strength {strength} at sigma {sigma}"
    assert torch.equal(
        ours,
        tiny.sample(apply(flux.patcher, "draft 1/2 x5; refine 0.9 x5"), flux, steps=10, positive=positive),
    )


def test_differential_diffusion_releases_areas_at_the_same_sigma_in_every_pass(flux, apply):
    patcher = executed(DifferentialDiffusion, flux.patcher)
    painted = []
    inner = patcher.model_options["denoise_mask_function"]

    def watched(sigma, denoise_mask, extra_options):
        binary = inner(sigma, denoise_mask, extra_options=extra_options)
        painted.append((float(sigma[0]), float(denoise_mask[binary > 0].min())))
        return binary

    patcher.model_options["denoise_mask_function"] = watched
    source = tiny.sample(flux.patcher, flux, steps=4, seed=3)
    mask = torch.linspace(0.05, 1, 16).repeat_interleave(8).expand(1, 1, 128, 128).contiguous()
    tiny.sample(patcher, flux, steps=40, latent=source, noise_mask=mask)
    plain = dict(painted)
    painted.clear()
    tiny.sample(
        apply(patcher, "draft 1/2 x20; refine 0.75 x20"), flux, steps=40, latent=source, noise_mask=mask
    )
    assert len(painted) == 40
    for sigma, least in painted:
        above = [value for s, value in plain.items() if s >= sigma - 1e-4]
        below = [value for s, value in plain.items() if s <= sigma + 1e-4]
        low, high = max(below, default=0.0) - 1e-4, min(above) + 1e-4
        assert low <= least <= high, f"at sigma {sigma} areas from {least} on"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_camera_paths_at_pixel_resolution(apply, schedule, monkeypatch):
    spec = tiny_families.SPECS["wan_i2v"]
    camera = replace(spec, config="WAN21_Camera", unet=spec.unet | {"model_type": "camera", "in_dim": 32})
    monkeypatch.setitem(tiny_families.SPECS, "camera", camera)
    monkeypatch.setattr(tiny, "EXTRAS", (*tiny.EXTRAS, "camera"))
    model = tiny.build("camera")
    frames, height, width = model.latent["samples"].shape[2:]
    text, extra = model.positive[0]
    generator = torch.Generator().manual_seed(2)
    path = torch.randn(1, 24, frames, height * 8, width * 8, generator=generator)
    positive = [[text, {**extra, "camera_conditions": path}]]
    with tiny.count_image_tokens(model) as seen:
        ours = tiny.sample(apply(model.patcher, schedule), model, steps=7, positive=positive)
    assert torch.isfinite(ours).all() and len({count for count, _ in seen}) == 2
    assert not torch.equal(ours, tiny.sample(apply(model.patcher, schedule), model, steps=7))


def test_chained_controlnets(flux, apply):
    hint = tiny_control.hint_image(size=(16, 16))
    first, second = tiny_control.flux_controlnet(0), tiny_control.flux_controlnet(1)
    pair = tiny_control.with_control_pair(
        flux.positive, flux.negative, first, hint, strength=1.0, start=0.0, end=0.5
    )
    pair = tiny_control.with_control_pair(*pair, second, hint, strength=0.7, start=0.3, end=1.0)
    change = dict(zip(("positive", "negative"), pair))

    def calls(patcher):
        with tiny_control.count_control_calls(first) as a, tiny_control.count_control_calls(second) as b:
            tiny.sample(patcher, flux, steps=10, **change)
        return len(a), len(b)

    assert calls(apply(flux.patcher, "1/2 until 0.3, full")) == calls(flux.patcher)


class KeyframedControl(comfy.controlnet.ControlNet):
    """With timestep keyframes as Advanced-ControlNet has them: its place among them only moves forward, and
    is looked up at the sigma that it is called with; `pre_run_advanced` goes back to the first."""

    @classmethod
    def of(cls, plain, percents, used):
        made = cls(plain.control_model, load_device=plain.load_device, extra_conds=plain.extra_conds)
        plain.copy_to(made)
        return made.keyframed(percents, used)

    def keyframed(self, percents, used):
        keyframes = [SimpleNamespace(start_percent=percent, start_t=float("inf")) for percent in percents]
        self.timestep_keyframes, self.used, self.place = SimpleNamespace(keyframes=keyframes), used, -1
        return self

    def copy(self):
        percents = [keyframe.start_percent for keyframe in self.timestep_keyframes.keyframes]
        return KeyframedControl.of(self, percents, self.used)

    def pre_run(self, model, percent_to_timestep_function):
        super().pre_run(model, percent_to_timestep_function)
        self.pre_run_advanced(model, percent_to_timestep_function)

    def pre_run_advanced(self, model, percent_to_timestep_function):
        for keyframe in self.timestep_keyframes.keyframes:
            keyframe.start_t = percent_to_timestep_function(keyframe.start_percent)
        self.place = -1

    def get_control(self, x_noisy, t, *args):
        for place, keyframe in enumerate(self.timestep_keyframes.keyframes):
            if keyframe.start_t >= float(t[0]):
                self.place = max(self.place, place)
        self.used.append((x_noisy.shape[-1], self.place))
        return super().get_control(x_noisy, t, *args)


def test_keyframes_of_controlnets_are_judged_on_the_canvas_and_begin_anew_with_a_pass(flux, apply):
    percents, used, sigmas = (0.0, 0.3, 0.6), [], []
    control = KeyframedControl.of(tiny_control.flux_controlnet(), percents, used)
    hint = tiny_control.hint_image(size=(16, 16))
    positive = tiny_control.with_control(flux.positive, control, hint)
    sampling = flux.patcher.get_model_object("model_sampling")
    starts = [sampling.percent_to_sigma(percent) for percent in percents]

    def noted(executor, x, timestep, *args, **kwargs):
        sigmas.append(float(timestep.flatten()[0]))
        return executor(x, timestep, *args, **kwargs)

    patcher = apply(flux.patcher, "draft 1/2 x6; refine 0.95 x5")
    patcher.add_wrapper(comfy.patcher_extension.WrappersMP.PREDICT_NOISE, noted)
    tiny.sample(patcher, flux, steps=11, positive=positive)
    expected = [max(i for i, start in enumerate(starts) if start >= sigma) for sigma in sigmas]
    assert [place for _, place in used] == expected
    assert set(expected[:6]) == set(expected[6:]) == {0, 1, 2}
    assert {side for side, _ in used} == {8, 16}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["flux", "wan"])
def test_half_precision_weights_with_the_hosts_casts(apply, family, dtype):
    model = tiny.fresh(family)
    model.model.diffusion_model.to(dtype)
    model.model.diffusion_model.dtype = dtype
    if family == "wan":  # the host keeps it in float32
        model.model.diffusion_model.patch_embedding.to(torch.float32)
    model.model.manual_cast_dtype = None
    ours = tiny.sample(apply(model.patcher, TWO_PASS), model, steps=7)
    plain = tiny.sample(model.patcher, model, steps=7)
    assert torch.isfinite(ours).all() and torch.isfinite(plain).all()
    assert 0.5 < float(ours.std() / plain.std()) < 2.0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("family", ["flux", "wan"])
def test_fp8_weights_that_the_host_casts_draw_what_rounded_ones_draw(apply, family, schedule):
    """fp8 as the host runs it without products of its own: stored in 8 bits, cast at each call."""
    model, traces = tiny.fresh(family), []
    layers = [m for m in model.model.diffusion_model.modules() if isinstance(m, torch.nn.Linear)]
    for layer in layers:
        layer.weight.data = layer.weight.data.to(torch.float8_e4m3fn).float()
    rounded = tiny.sample(apply(model.patcher, schedule), model, steps=7)
    for layer in layers:
        layer.weight.data = layer.weight.data.to(torch.float8_e4m3fn)
        layer.comfy_cast_weights = True
    ours = tiny.sample(apply(model.patcher, schedule, traces=traces), model, steps=7)
    assert len(layers) > 10 and {e.level for e in traces[0].evaluations} == {0, 1}
    torch.testing.assert_close(ours, rounded, rtol=1e-4, atol=1e-5)


def test_conditioning_bound_to_the_full_grid_runs_plain_and_says_so(flux, apply, caplog, monkeypatch):
    import comfy.conds

    original = type(flux.model).extra_conds

    def with_places(self, **kwargs):
        places = comfy.conds.CONDConstant(torch.zeros(1, 64))
        return {**original(self, **kwargs), "position_ids": places}

    monkeypatch.setattr(type(flux.model), "extra_conds", with_places)
    monkeypatch.setattr(
        flux.model.diffusion_model, "forward", lambda x, t, **kwargs: torch.zeros_like(x), raising=False
    )
    with caplog.at_level("WARNING"):
        tiny.sample(apply(flux.patcher, TWO_PASS), flux, steps=7)
    said = [r.message for r in caplog.records if "Fresco runs plain" in r.message]
    assert said == ["Fresco runs plain: the conditioning 'position_ids' is bound to the full grid"]


@pytest.mark.newest
def test_a_compiled_model_takes_mixed_steps_after_looks_of_other_sizes(apply, caplog, monkeypatch):
    """A tracer sees sizes that have changed as symbols, and follows only some of what is done with them.
    Where it cannot follow an old host's blocks, mixed steps are dense and the log says so."""
    helpers = pytest.importorskip("comfy_api.torch_helpers")
    torch._dynamo.reset()
    spec = tiny.SPECS["flux"]
    small = replace(spec, unet=spec.unet | {"depth": 1, "depth_single_blocks": 1})  # a tracer takes its time
    monkeypatch.setitem(tiny.SPECS, "flux", small)
    flux = tiny.fresh("flux")
    compiled = flux.patcher.clone()
    helpers.set_torch_compile_wrapper(model=compiled, backend="eager")
    schedule = "1/2 x1, mixed 25% x1, full x1"
    ours = tiny.sample(apply(compiled, schedule), flux, steps=3)
    dense = any("the mixed steps of this run at full resolution" in r.message for r in caplog.records)
    expected = tiny.sample(apply(flux.patcher, "1/2 x1, full x2" if dense else schedule), flux, steps=3)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
