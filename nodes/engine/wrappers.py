"""How a run goes through Fresco: the wrappers of the host's sampling, outermost first.

OUTER_SAMPLE makes the run's state and drops it; SAMPLER_SAMPLE runs the passes; PREDICT_NOISE chooses the
look of the evaluation and records the prediction; CALC_COND_BATCH lends ControlNets the level and
evens predictions out over coarse blocks; APPLY_MODEL is the look itself; DIFFUSION_MODEL hands mixed looks to
the model's family, and tells networks that make sound the clock of each. The sampler, the guider, masks,
areas, hooks, context windows, previews and caches of the host see the canvas; APPLY_MODEL sees the level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
from torch import Tensor

from ...fresco_core import Canvas, Margin, MixedLook, Schedule
from ...fresco_core.canvas.noise_level import noise_halvings
from ...fresco_core.look.dense import FULL
from ...fresco_core.look.promotion import Order
from ...fresco_core.text.in_words import trace_in_words
from ..families import canvas_of
from ..host.caches import answered_by_step_cache, patches_with_maps
from ..host.clock import Clock
from ..host.conds import evaluated_conds
from ..host.executors import bound, with_argument, with_sample_sigmas
from ..host.metadata import note_run
from ..host.model import latent_in, looks_up_sigmas
from .conditioning import at_level, with_level_controls
from .control_pictures import patches_continued
from .cost import call_flops, pictures_in
from .experts import EXPERTS
from .gain import all_full, result_in_words, summary
from .kept_pixels import MASK, kept_by
from .live_view import live_view
from .look import CanvasView
from .mixed import diffusion_model, mixed_prediction
from .passes import run_plan
from .planning import plan_run
from .recording import RunTrace
from .refusals import evaluate, watched
from .run import KEY, RUN, Bridge, Recorder, Run, Settings
from .signature import sign
from .streams import (
    ALONE,
    TELLS_SHAPES,
    Streams,
    joined,
    level_clock,
    shapes_told,
    told_kept,
    with_level_clock,
)
from .target import Target, left_alone, unsupported
from .written_frames import frames_written_at_level

log = logging.getLogger(__name__)

ARGUMENTS = "noise latent_image sampler sigmas denoise_mask callback disable_pbar seed"
BATCH = "model conds x_in timestep model_options"


def apply_fresco(
    patcher: Any,
    schedule: Schedule,
    traces: Recorder | None = None,
    tell: Callable[[str], None] | None = None,
    baseline_steps: int = 0,
    order: Order | None = None,
    live: bool = False,
    bridge: Bridge | None = None,
    node: str | None = None,
    seen: Callable[[Run], None] | None = None,
) -> Any:
    """A clone of a model patcher that samples by `schedule`, which replaces one set before."""
    patcher = patcher.clone()
    settings = Settings(schedule, traces, tell, baseline_steps, order, live, bridge, node, seen)
    patcher.model_options["transformer_options"][KEY] = settings
    kinds = comfy.patcher_extension.WrappersMP
    wrappers = (
        (kinds.OUTER_SAMPLE, outer_sample),
        (kinds.SAMPLER_SAMPLE, sampler_sample),
        (kinds.PREDICT_NOISE, predict_noise),
        (kinds.CALC_COND_BATCH, calc_cond_batch),
        (kinds.APPLY_MODEL, apply_model),
        (kinds.DIFFUSION_MODEL, diffusion_model),
        (kinds.DIFFUSION_MODEL, level_clock),
    )
    for kind, _ in wrappers:
        patcher.remove_wrappers_with_key(kind, KEY)
    for kind, wrapper in wrappers:
        patcher.add_wrapper_with_key(kind, KEY, wrapper)
    return patcher


def outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Open the run, check what goes in, and drop everything at the end, however it ends."""
    given = bound(ARGUMENTS, args, kwargs)
    guider = executor.class_obj
    options = guider.model_options
    settings: Settings | None = options["transformer_options"].get(KEY)
    if settings is None or settings.idle or len(given["sigmas"]) < 2:  # one sigma is no step
        return executor(*args, **kwargs)
    patcher, noise = guider.model_patcher, given["noise"]
    streams = Streams.of(given.get("latent_shapes"))
    shape = tuple(streams.first(noise).shape)
    reason = unsupported(patcher, shape, given.get("latent_shapes"), given.get("sampler"), guider)
    if reason is not None:
        log.warning("Fresco runs plain: %s", reason)
        if settings.tell is not None:
            settings.tell(f"runs plain: {reason}")
        if settings.traces is not None:
            settings.traces.append(left_alone(patcher.model, shape, reason))
        return executor(*args, **kwargs)
    run = open_run(settings, patcher, noise, given.get("seed"), streams)
    latent = given["latent_image"]
    if not settings.schedule.off:
        latent = latent_in(run.target.model, latent)
    plan_run(run, given["sampler"], given["sigmas"], noise, latent, given.get("denoise_mask"))
    guider.model_options = comfy.model_patcher.create_model_options_clone(options)
    guider.model_options["transformer_options"][RUN] = run
    callback = given.get("callback")
    args, kwargs = with_argument(ARGUMENTS, "callback", run.trace.stepping(callback), args, kwargs)
    try:
        with live_view(run, callback) if settings.live else nullcontext():
            samples = executor(*args, **kwargs)
    except BaseException:
        with suppress(Exception):  # a device that has failed would hide why
            run.close()
        raise
    finally:
        guider.model_options = options
        if settings.traces is not None:
            settings.traces.append(run.trace)
    run.close()
    try:
        conclude(run, samples)
    except Exception:  # a picture that is done is not lost to what is said of it
        log.exception("Fresco could not say what came of the run")
    return samples


def conclude(run: Run, samples: Tensor) -> None:
    """Sign the trace of a run that has succeeded, and say what came of it."""
    trace, settings = run.trace, run.settings
    sign(trace, samples)
    result = result_in_words(trace, settings.baseline_steps)
    if settings.tell is not None:
        planned = "" if run.plan.plain or all_full(trace) else trace.words
        settings.tell("\n".join(filter(None, (result, *trace.notes, planned))))
    note_run(settings.node, summary(trace))
    if not run.plan.plain and trace.evaluations:
        words = "; ".join((*result.split("\n"), trace_in_words(trace, settings.baseline_steps)))
        log.info("Fresco: %s", words)


def open_run(
    settings: Settings, patcher: Any, noise: Tensor, seed: int | None, streams: Streams = ALONE
) -> Run:
    """The state of a run over `noise`, the first of whose streams (B, C, ..., H, W) is the canvas."""
    canvas, target = canvas_of(patcher.model, tuple(streams.first(noise).shape)), Target.of(patcher)
    trace = RunTrace(noise.shape[0], canvas, block_level_of(canvas), scale=canvas.scale)
    trace.clock = Clock(noise.device if patcher.load_device is None else patcher.load_device)
    return Run(settings, target, trace, CanvasView(target, canvas, Margin(seed or 0), streams=streams))


def block_level_of(canvas: Canvas) -> int:
    """The level of the convergence value's blocks: 2x2 tokens, and 4x4 latent pixels at least."""
    return max(2, canvas.patch.bit_length())


def sampler_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the plan's passes; a plan of one pass is the host's own call."""
    given = bound(
        "guider sigmas extra_args callback noise latent_image denoise_mask disable_pbar", args, kwargs
    )
    model_options = given["extra_args"]["model_options"]
    options = model_options["transformer_options"]
    run: Run | None = options.get(RUN)
    if run is None:
        return executor(*args, **kwargs)
    mask, latent = given.get("denoise_mask"), given["latent_image"]
    conds, view = evaluated_conds(given["guider"], model_options), run.view
    view.prediction = latent
    view.given.kept = kept_by(run.target.model, view.streams.first, given, conds)
    if given["sigmas"].tolist() != run.grid:  # another pack's wrapper has changed them
        plan_run(run, executor.class_obj, given["sigmas"], given["noise"], latent, mask)
    experts = options.get(EXPERTS)
    whole = model_options if experts is None else experts.whole_options(model_options)
    run.prepare(conds, whole)
    with run.trace.sampling():
        return run_plan(executor, args, kwargs, run, given)


def predict_noise(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Choose the look of this evaluation before it, record its guided prediction after it."""
    given = bound("x timestep model_options seed", args, kwargs)
    model_options = given.get("model_options", {})
    run: Run | None = model_options.get("transformer_options", {}).get(RUN)
    if run is None or run.course is None or not run.shows(given["x"]):
        return executor(*args, **kwargs)
    options = model_options["transformer_options"]
    with run.trace.evaluation():
        before = answered_by_step_cache(options)
        prediction = evaluate(run, executor, args, kwargs, given["timestep"], model_options)
        run.record(prediction, given["timestep"], answered_by_step_cache(options) > before)
    return prediction


def calc_cond_batch(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """The model is told the sigmas of its pass. At a coarse look ControlNets see the level, and every
    prediction is constant over what is coarse."""
    given = bound(BATCH, args, kwargs)
    options = given["model_options"].get("transformer_options", {})
    run: Run | None = options.get(RUN)
    if run is None:
        return executor(*args, **kwargs)
    if run.pass_sigmas is not None:
        given["model_options"] = with_sample_sigmas(given["model_options"], run.pass_sigmas)
        args, kwargs = with_argument(BATCH, "model_options", given["model_options"], args, kwargs)
    if run.view.look == FULL:
        return executor(*args, **kwargs)
    model, conds, x, *others = (given.pop(n) for n in ("model", "conds", "x_in", "timestep", "model_options"))
    with (
        patches_continued(patches_with_maps(options), run.trace.canvas, run.view.look.level, run.controls),
        frames_written_at_level(options, run.view, run.view.streams.first(x)),
    ):
        predictions = executor(model, with_level_controls(run, conds), x, *others, **given)
    streams = run.view.streams.of_call(shapes_told(conds))
    return [
        prediction if cond is None else evened(run.view, streams, prediction, x, options)
        for prediction, cond in zip(predictions, conds)
    ]


def evened(view: CanvasView, streams: Streams, prediction: Tensor, x: Tensor, options: dict) -> Tensor:
    """A prediction for x, which holds `streams`, whose canvas is constant again over what is coarse."""
    first, others = streams.parted(prediction)
    level = view.levelled(view.arranged(first, options), streams.first(x))
    return joined(view.arranged(level, options, back=True), others)


def apply_model(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """The look: call the model on the level's state and noise level, copy the prediction back."""
    given = bound("x t c_concat c_crossattn control transformer_options", args, kwargs)
    options = given.pop("transformer_options", None) or {}
    run: Run | None = options.get(RUN)
    if run is None:
        return executor(*args, **kwargs)
    view, streams = run.view, run.view.streams.of_call(given.get(TELLS_SHAPES))
    if run.keeps_sound:
        kept = told_kept(streams, given["x"])
        given, kwargs = given | kept, kwargs | kept
    images = [streams.first(given["x"]), *pictures_in(given.get("ref_latents"))]
    run.spending.add(*call_flops(view, streams, images, given.get("c_crossattn"), given))
    if view.look == FULL:
        return executor(*args, **kwargs)
    x, sigma, crossattn, control = (given.pop(name, None) for name in ("x", "t", "c_crossattn", "control"))
    conds = {**given, "c_crossattn": crossattn, "control": control}
    with watched(run):
        if isinstance(view.look, MixedLook):
            assert run.mixing is not None
            return mixed_prediction(executor, view, run.mixing, x, sigma, conds, options)
        return coarse_prediction(executor, view, x, sigma, conds, options)


def coarse_prediction(
    executor: Any, view: CanvasView, x: Tensor, sigma: Tensor, conds: dict[str, Any], options: dict
) -> Tensor:
    """The prediction for x, the canvas (or an area or window) with what the run holds beside it, that the
    model makes at the view's level; `conds` as `mixed_prediction` takes them."""
    crossattn, control = conds.pop("c_crossattn", None), conds.pop("control", None)
    streams = view.streams.of_call(conds.get(TELLS_SHAPES))
    x, others = streams.parted(x)
    seen = options
    if MASK in conds:
        conds = {**conds, MASK: view.arranged(conds[MASK], options)}
    state, level_sigma = view.coarse(x, sigma, options)
    conds, streams = at_level(view, x, conds), streams.with_first(state)
    if others is not None:  # the call is told the canvas's noise level, which is theirs
        network, level, sigmas = view.target.model.diffusion_model, view.look.level, (sigma, level_sigma)
        conds, options = with_level_clock(network, level, sigmas, state, conds, options)
        level_sigma = sigma
    if looks_up_sigmas(view.target.model):
        at, level = view.target.parameterisation, noise_halvings(view.look.level, view.look.halvings)
        told = [name for name in ("sigmas", "sample_sigmas") if name in options]
        options = {**options, **{name: at.level_sigma(options[name], level) for name in told}}
    concat = conds.pop("c_concat", None)
    state = joined(state, others)
    prediction = executor(state, level_sigma, concat, crossattn, control, options, **conds)
    low, others = streams.parted(prediction)
    canvas = view.on_canvas(low, (x.shape[-2], x.shape[-1]))
    return joined(view.arranged(canvas, seen, back=True), others)
