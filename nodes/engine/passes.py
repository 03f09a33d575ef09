"""The passes of a plan: the host's sampler called once for each, on one canvas and one noise field."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..host.devices import settle
from ..host.executors import with_sample_sigmas, with_sampler
from ..host.model import clean_latent
from ..host.samplers import from_the_top
from .crossing import cross
from .refusals import begin_plain, let_go, why_plain
from .run import Run
from .streams import joined, with_sound_kept
from .written_frames import with_frames_written

log = logging.getLogger(__name__)


def run_plan(executor: Any, args: tuple, kwargs: dict, run: Run, given: dict[str, Any]) -> Tensor:
    """The plan's passes, of which a single one is the host's own call with all that it was given; or that
    call, plain, where the plan cannot be run."""
    model_options = given["extra_args"]["model_options"]
    options = model_options["transformer_options"]

    def alone() -> Tensor:
        run.pass_sigmas = None
        run.view.prediction = given["latent_image"]
        run.begin_pass(0, executor.class_obj, given["guider"], options)
        return executor(*args, **kwargs)

    try:
        return run_passes(executor, run, given) if len(run.plan.passes) > 1 else alone()
    except Exception as error:
        reason = why_plain(run, error)
        if reason is None:
            raise
        log.debug("the plan that failed:", exc_info=error)
        let_go(error)
    settle(model_options)  # behind the handler, whose exception holds the call's memory
    begin_plain(run, reason, given["guider"], options)
    return alone()


def run_passes(executor: Any, run: Run, given: dict[str, Any]) -> Tensor:
    """Every pass a call of the host's sampler, on the last one's result and with the run's own noise."""
    sigmas, noise, latent = given["sigmas"], given["noise"], given["latent_image"]
    mask, samples, done = given.get("denoise_mask"), latent, 0
    for index, planned in enumerate(run.plan.passes):
        samples = carried_over_pixels(run, index, given, samples)
        pass_sigmas = sigmas.new_tensor(planned.sigmas)
        run.pass_sigmas = pass_sigmas
        extra_args = told_where(given["extra_args"], sigmas, pass_sigmas)
        options = extra_args["model_options"]["transformer_options"]
        run.begin_pass(index, executor.class_obj, given["guider"], options)
        call, into, painted = executor, latent, mask
        if run.keeps_sound:
            into, painted = with_sound_kept(run.view.streams, samples, latent, mask)
        if painted is not None and hasattr(executor.class_obj, "sampler_function"):
            call = with_sampler(executor, inpainting_into(executor.class_obj, into, sigmas))
        if index == 1:
            noise = noise_beside(run, noise, latent, samples, sigmas[0])
        samples = call(
            given["guider"],
            pass_sigmas,
            extra_args,
            counted(given["callback"], done, run.plan.steps),
            noise,
            samples,
            painted,
            given.get("disable_pbar", False),
        )
        if samples.shape != latent.shape:
            log.warning(
                "Fresco ends with pass %d: the sampler has changed the latent from %s to %s",
                index + 1,
                tuple(latent.shape),
                tuple(samples.shape),
            )
            break
        if index + 1 < len(run.plan.passes):
            if planned.sigmas[-1] > 0.0 and run.view.prediction is not None:
                samples = run.view.prediction
            samples = clean_latent(run.target.model, samples)
        done += planned.steps
    return samples


def carried_over_pixels(run: Run, index: int, given: dict[str, Any], samples: Tensor) -> Tensor:
    """The clean samples that a pass begins from, over the bridge where its schedule says so; what a mask
    keeps is that of the run's latent, as the draft holds already what is kept in part."""
    crossing = run.course.crossing(index) if run.course is not None and index else None
    if crossing is None:
        return samples
    video, others = run.view.streams.parted(samples)
    video = with_frames_written(video, given["extra_args"]["model_options"]["transformer_options"])
    seed, mask = given["extra_args"].get("seed"), given.get("denoise_mask")
    samples = joined(cross(run, index, crossing, video, given["guider"], seed), others)
    if mask is not None:
        samples = torch.where(mask > 0.0, samples, given["latent_image"])
    run.view.prediction = samples
    return samples


def told_where(extra_args: dict, sigmas: Tensor, pass_sigmas: Tensor) -> dict:
    """The sampler's extra arguments with the pass's sigmas where the host puts the run's, behind those of the
    run that are above them.

    Guiders, functions of the guidance and context windows find their step so: what they leave out at a run's
    first step (CFG-Zero's init) they must not leave out at each pass's. The model is told the pass's alone.
    """
    known = torch.cat((sigmas[sigmas > pass_sigmas[0]], pass_sigmas))
    return {**extra_args, "model_options": with_sample_sigmas(extra_args["model_options"], known)}


def counted(callback: Callable | None, done: int, total: int) -> Callable | None:
    """The host's step callback, its steps counted over all passes."""
    if callback is None:
        return None

    def counting(step: int, x0: Tensor, x: Tensor, total_steps: int) -> Any:
        return callback(done + step, x0, x, total)

    return counting


def noise_beside(run: Run, noise: Tensor, latent: Tensor, prediction: Tensor, sigma: Tensor) -> Tensor:
    """The noise that the run's first state holds beside a clean prediction, (x - a x0) / b: the run's own
    where that state is noise alone, as a flow's at sigma 1.

    Elsewhere the prediction was drawn from the noise as well, and rewound on the whole of it would be there
    twice: variance-exploding states have all of the picture at every sigma.
    """
    at, start = run.target.parameterisation, run.grid[0]
    if at.signal(start) == 0.0 and noise.any():
        return noise
    all_noise = from_the_top(start, float(run.target.sampling.sigma_max))
    x = run.target.sampling.noise_scaling(sigma, noise, latent, all_noise)
    return (x - at.signal(sigma) * prediction) / at.noise(sigma)


def inpainting_into(sampler: Any, latent: Tensor, sigmas: Tensor) -> Any:
    """A copy of a host sampler that inpaints as one run over `sigmas` into `latent` would, in every pass.

    Without it a second pass would take the draft for the picture to keep (soft masks would mix it in twice),
    and mask functions such as Differential Diffusion's would count from the pass's first sigma.
    """
    inner = sampler.sampler_function

    @functools.wraps(inner)
    def sampler_function(model: Any, *args: Any, **kwargs: Any) -> Any:
        model.latent_image, model.sigmas = latent, sigmas
        return inner(model, *args, **kwargs)

    other = copy.copy(sampler)
    other.sampler_function = sampler_function
    return other
