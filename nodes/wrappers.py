"""How a run goes through Fresco: six wrappers of the host's sampling, outermost first.

OUTER_SAMPLE makes the run's state and drops it; SAMPLER_SAMPLE runs the passes; PREDICT_NOISE chooses the
level of the evaluation and records the prediction; CALC_COND_BATCH lends ControlNets the level, adds the
detail prior and watches where attention goes; APPLY_MODEL is the look itself; DIFFUSION_MODEL hands mixed and
focus looks to the model's family. The sampler, the guider, masks, areas, percents, hooks, context windows,
previews and caches of the host all see the canvas; only what is inside APPLY_MODEL sees the level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
from torch import Tensor

from ..fresco_core import Canvas, Promotion, Schedule, Trace
from ..fresco_core.detail import check_prior
from ..fresco_core.mixed import DEFAULT_FRAME, check_clock, check_frame
from . import compat
from .architecture import architecture_of, call_flops, trained_canvas
from .conditioning import at_level, with_level_controls
from .focus import focus_prediction
from .live_view import live_view
from .mixing import diffusion_model, mixed_prediction
from .passes import run_passes
from .planning import plan_run
from .refusals import evaluate, watched
from .run import KEY, RUN, Run, Settings

log = logging.getLogger(__name__)


def apply_fresco(
    patcher: Any,
    schedule: Schedule,
    prior: str,
    traces: list[Trace] | None = None,
    tell: Callable[[str], None] | None = None,
    baseline_steps: int = 0,
    promotion: Promotion | None = None,
    clock: str | None = None,
    frame: str = DEFAULT_FRAME,
    live: bool = False,
) -> Any:
    """A clone of a model patcher that samples by `schedule`, which replaces one set before."""
    patcher = patcher.clone()
    settings = Settings(
        schedule,
        check_prior(prior),
        traces,
        tell,
        baseline_steps,
        promotion or Promotion(),
        None if clock is None else check_clock(clock),
        check_frame(frame),
        live,
    )
    patcher.model_options["transformer_options"][KEY] = settings
    kinds = comfy.patcher_extension.WrappersMP
    for kind, wrapper in (
        (kinds.OUTER_SAMPLE, outer_sample),
        (kinds.SAMPLER_SAMPLE, sampler_sample),
        (kinds.PREDICT_NOISE, predict_noise),
        (kinds.CALC_COND_BATCH, calc_cond_batch),
        (kinds.APPLY_MODEL, apply_model),
        (kinds.DIFFUSION_MODEL, diffusion_model),
    ):
        patcher.remove_wrappers_with_key(kind, KEY)
        patcher.add_wrapper_with_key(kind, KEY, wrapper)
    return patcher


def outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Open the run, check what goes in, and drop everything at the end, however it ends."""
    given = compat.bound(
        "noise latent_image sampler sigmas denoise_mask callback disable_pbar seed", args, kwargs
    )
    guider = executor.class_obj
    options = guider.model_options
    settings: Settings | None = options["transformer_options"].get(KEY)
    if settings is None or settings.idle or len(given["sigmas"]) < 2:  # one sigma is no step
        return executor(*args, **kwargs)
    noise = given["noise"]
    reason = compat.unsupported(
        guider.model_patcher, tuple(noise.shape), given.get("latent_shapes"), given.get("sampler")
    )
    if reason is not None:
        log.warning("Fresco runs plain: %s", reason)
        if settings.tell is not None:
            settings.tell(f"plain: {reason}")
        return executor(*args, **kwargs)
    run = open_run(settings, guider.model_patcher, noise, given.get("seed"))
    latent = compat.latent_in(run.model, given["latent_image"])
    plan_run(run, given["sampler"], given["sigmas"], noise, latent, given.get("denoise_mask"))
    guider.model_options = comfy.model_patcher.create_model_options_clone(options)
    guider.model_options["transformer_options"][RUN] = run
    try:
        with live_view(run, given.get("callback")) if settings.live else nullcontext():
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
    if run.plan is not None and not run.plan.plain and run.trace.evaluations:
        log.info("Fresco: %s", run.trace.summary(settings.baseline_steps))
    return samples


def open_run(settings: Settings, patcher: Any, noise: Tensor, seed: int | None) -> Run:
    """The state of a run over `noise` (B, C, ..., H, W)."""
    model = patcher.model
    sampling = compat.sampling_of(patcher)
    parameterisation = compat.parameterisation_of(sampling)
    assert parameterisation is not None
    canvas = trained_canvas(model, tuple(noise.shape))
    trace = Trace(noise.shape[0], canvas, block_level_of(canvas), scale=compat.pixels_of(model))
    packing, architecture = compat.packing_of(model), architecture_of(model)
    return Run(settings, model, sampling, parameterisation, trace, seed or 0, packing, architecture)


def block_level_of(canvas: Canvas) -> int:
    """The level of the convergence value's blocks: 2x2 tokens, and 4x4 latent pixels at least."""
    return max(2, canvas.patch.bit_length())


def sampler_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the plan's passes; a plan of one pass is the host's own call."""
    given = compat.bound(
        "guider sigmas extra_args callback noise latent_image denoise_mask disable_pbar", args, kwargs
    )
    options = given["extra_args"]["model_options"]["transformer_options"]
    run: Run | None = options.get(RUN)
    if run is None:
        return executor(*args, **kwargs)
    mask = given.get("denoise_mask")
    run.prediction = run.latent = given["latent_image"]
    if mask is not None and compat.shows_kept_clean(run.model):
        run.kept_mask = mask
    model_options = given["extra_args"]["model_options"]
    conds = compat.evaluated_conds(given["guider"], model_options)
    if given["sigmas"].tolist() != run.grid:  # another pack's wrapper has changed them
        plan_run(run, executor.class_obj, given["sigmas"], given["noise"], given["latent_image"], mask)
    plan = run.prepare(conds, model_options)
    if len(plan.passes) == 1:
        run.begin_pass(0, executor.class_obj, given["guider"], options)
        return executor(*args, **kwargs)
    return run_passes(executor, run, given)


def predict_noise(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Choose the level of this evaluation before it, record its guided prediction after it."""
    given = compat.bound("x timestep model_options seed", args, kwargs)
    transformer_options = given.get("model_options", {}).get("transformer_options", {})
    run: Run | None = transformer_options.get(RUN)
    if run is None or run.plan is None:
        return executor(*args, **kwargs)
    if not run.shows(given["x"]):
        return executor(*args, **kwargs)
    prediction = evaluate(run, executor, args, kwargs, given["timestep"], transformer_options)
    run.record(prediction, given["timestep"])
    return prediction


def calc_cond_batch(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Dense evaluations are watched, if wanted. At a coarse level: ControlNets see the level, and every
    prediction gets the detail prior."""
    given = compat.bound("model conds x_in timestep model_options", args, kwargs)
    run: Run | None = given["model_options"].get("transformer_options", {}).get(RUN)
    if run is None or (run.level == 0 and run.watch is None):
        return executor(*args, **kwargs)
    model, conds, x, timestep, options = (
        given.pop(n) for n in ("model", "conds", "x_in", "timestep", "model_options")
    )
    if run.watch is not None and run.layout is None:
        options = {**options, "transformer_options": run.watch.over(options["transformer_options"])}
    if run.level == 0:
        return executor(model, conds, x, timestep, options, **given)
    predictions = executor(model, with_level_controls(run, conds), x, timestep, options, **given)
    return [
        prediction if cond is None else run.with_detail(prediction, x, timestep)
        for prediction, cond in zip(predictions, conds)
    ]


def apply_model(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """The look: call the model on the level's state and noise level, copy the prediction back."""
    given = compat.bound("x t c_concat c_crossattn control transformer_options", args, kwargs)
    transformer_options = given.pop("transformer_options", None) or {}
    run: Run | None = transformer_options.get(RUN)
    if run is None:
        return executor(*args, **kwargs)
    images = [given["x"], *(given.get("ref_latents") or ())]
    kept = run.kept_for(given["x"], transformer_options)
    run.spend(*call_flops(run, images, given.get("c_crossattn"), given))
    if run.level == 0 and kept is None:
        return executor(*args, **kwargs)
    x, sigma, crossattn, control = (given.pop(name, None) for name in ("x", "t", "c_crossattn", "control"))
    conds = {**given, "c_crossattn": crossattn, "control": control}
    if kept is not None:
        return focus_prediction(executor, run, kept, x, sigma, conds, transformer_options)
    with watched(run):
        if run.layout is not None:
            return mixed_prediction(executor, run, x, sigma, conds, transformer_options)
        return coarse_prediction(executor, run, x, sigma, conds, transformer_options)


def coarse_prediction(
    executor: Any, run: Run, x: Tensor, sigma: Tensor, conds: dict[str, Any], transformer_options: dict
) -> Tensor:
    """The prediction for the canvas (or area) x (B, C, ..., H, W) that the model makes at the run's level;
    `conds` as `mixed_prediction` takes them."""
    crossattn, control = conds.pop("c_crossattn", None), conds.pop("control", None)
    state, level_sigma = run.coarse(x, sigma, transformer_options)
    conds = at_level(run, x, conds)
    if compat.looks_up_sigmas(run.model):
        transformer_options = {
            **transformer_options,
            **{
                name: run.parameterisation.level_sigma(transformer_options[name], run.level)
                for name in ("sigmas", "sample_sigmas")
                if name in transformer_options
            },
        }
    prediction = executor(
        state, level_sigma, conds.pop("c_concat", None), crossattn, control, transformer_options, **conds
    )
    return run.on_canvas(prediction, (x.shape[-2], x.shape[-1]))
