"""The model that a run samples, and why it could not be looked at in coarser levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...fresco_core import Canvas, Parameterisation
from ...fresco_core.cost import Architecture
from ..families import architecture_of, own_clock_of, pixels_of
from ..host.model import NOT_SPATIAL, parameterisation_of, sampling_of
from ..host.samplers import (
    RUN_PLAIN,
    asks_past_wrappers,
    course_of_its_own,
    functions_of,
    guidance_by_step,
    of_the_usual_kind,
)
from .recording import RunTrace
from .streams import inseparable


@dataclass(frozen=True)
class Target:
    """A host's model, its model_sampling in this run, how that mixes signal and noise, and what a step costs,
    where that is known."""

    model: Any
    sampling: Any
    parameterisation: Parameterisation
    architecture: Architecture | None

    @classmethod
    def of(cls, patcher: Any) -> Target:
        """The target of a patcher that `unsupported` has no reason against."""
        sampling = sampling_of(patcher)
        parameterisation = parameterisation_of(sampling)
        assert parameterisation is not None
        return cls(patcher.model, sampling, parameterisation, architecture_of(patcher.model))


def unsupported(
    patcher: Any,
    shape: tuple[int, ...],
    latent_shapes: Any = None,
    sampler: Any = None,
    guider: Any = None,
) -> str | None:
    """Why latents of `shape` cannot be looked at in coarser levels with this model, sampler and guider; None
    where they can. latent_shapes: of all latents that the run's tensors hold, `shape` is the first's."""
    if guider is not None and asks_past_wrappers(guider):
        name = type(guider).__name__
        return f"the guider {name} calls the model past Fresco, which cannot choose a resolution"
    if guider is not None and guidance_by_step(guider):
        return f"the guider {type(guider).__name__} counts the steps of its guidance over the whole run"
    for name in functions_of(sampler):
        if name in RUN_PLAIN:
            return f"the sampler {name} {RUN_PLAIN[name]}"
    if (course := course_of_its_own(sampler)) is not None:
        return f"the sampler {functions_of(sampler)[0]} {course}"
    if sampler is not None and not of_the_usual_kind(sampler):
        return f"the sampler {type(sampler).__name__} keeps a state of its own kind"
    model = patcher.model
    if not of_pictures(model, shape):
        return f"the latent {tuple(shape)} of {type(model).__name__} is neither pictures nor video"
    sampling = sampling_of(patcher)
    if parameterisation_of(sampling) is None:
        kind = type(sampling).__mro__[1].__name__
        return f"{kind} of {type(model).__name__} is neither a flow nor an EPS or v-prediction model"
    if latent_shapes is None or len(latent_shapes) < 2:
        return None
    network = model.diffusion_model
    if own_clock_of(network) is None:
        name = type(network).__name__
        return f"{name} takes no clock of its own for each of the streams in its one latent yet"
    return inseparable(sampling, parameterisation_of(sampling))


def of_pictures(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether a model's latents of `shape` are pictures or video."""
    latent = model.latent_format
    dimensions = getattr(latent, "latent_dimensions", 2)
    return len(shape) in (4, 5) and dimensions > 1 and type(latent).__name__ not in NOT_SPATIAL


def left_alone(model: Any, shape: tuple[int, ...], reason: str) -> RunTrace:
    """The trace of a run over latents of `shape` that is the host's own because of `reason`: nothing but
    that."""
    notes = [f"ran plain, and nothing was recorded: {reason}"]
    if not of_pictures(model, shape):
        return RunTrace(0, Canvas(1, 1), 0, notes=notes)
    canvas = Canvas(shape[-2], shape[-1], shape[2] if len(shape) == 5 else 1)
    return RunTrace(shape[0], canvas, 0, scale=pixels_of(model), notes=notes)
