"""What Fresco would do with a sampler: the pack's own plan, or why it runs plain."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from fresco_core import Plan, Schedule, ScheduleError, make_plan, parse, preset

from .models import AUDIO, SOLID
from .sampler import Sampler

FASTER, PLAIN, REFUSED, UNKNOWN = "faster", "plain", "refused", "unknown"
PRESET = "balanced"
"""The nodes' own default."""
BELOW = "draft 1/2 50%; refine 50% min x2"
"""What a user may write who wants a draft below the sizes that the model is trained for."""
SMALL = "small picture"
BOUND = {"SUPIRApply": "SUPIR"}
"""Nodes that patch a model with what is of the full size, by the name that nodes/host/caches.py has."""
ENGINE = Path(__file__).parents[2] / "nodes" / "host" / "samplers.py"


def _host_samplers() -> ModuleType:
    """nodes/host/samplers.py alone: the rest of nodes/ needs a host."""
    spec = importlib.util.spec_from_file_location("fresco_host_samplers", ENGINE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOST_SAMPLERS = _host_samplers()


@dataclass(frozen=True)
class Verdict:
    """kind: FASTER, PLAIN, REFUSED or UNKNOWN. cause: a short name of why it
    is not faster, for counting; words: the pack's own. tokens, full: image tokens over the run. open: whether
    the tokens are the least. thinned: whether sigmas that were given by hand are spread anew. below: the gain
    of BELOW where the picture is too small for the preset."""

    kind: str
    cause: str = ""
    words: str = ""
    tokens: int = 0
    full: int = 0
    open: bool = False
    thinned: bool = False
    below: float = 1.0

    @property
    def gain(self) -> float:
        """Times fewer tokens."""
        return self.full / self.tokens if self.tokens else 1.0


def judge(sampler: Sampler) -> Verdict:
    """What Fresco Apply, as it is, would do."""
    known = sampler.model.known
    if known is None:
        return Verdict(UNKNOWN, "unknown file", f"no class is known for '{sampler.model.file}'")
    if sampler.sigmas is None:
        return Verdict(UNKNOWN, "unknown sigmas", f"the sigmas of {sampler.scheduler} are not known")
    fixed = _before_planning(sampler)
    if fixed is not None:
        cause, words = fixed
        return Verdict(PLAIN, cause, words)
    try:
        verdict = _of_plan(sampler, planned(sampler, preset(PRESET)))
        return replace(verdict, below=_below(sampler)) if verdict.cause == SMALL else verdict
    except ScheduleError as error:
        return Verdict(REFUSED, "schedule", str(error))


def _below(sampler: Sampler) -> float:
    """Times fewer tokens with BELOW; 1 where that is plain too."""
    plan = planned(sampler, parse(BELOW))
    return plan.full_tokens() / plan.tokens()


def planned(sampler: Sampler, schedule: Schedule) -> Plan:
    """The pack's plan of a schedule for a sampler. Raises ScheduleError as a run would."""
    known, size, sigmas = sampler.model.known, sampler.size, list(sampler.sigmas or ())
    assert known is not None
    highest = max(sampler.model.table.highest, sigmas[0])
    return make_plan(
        schedule,
        sigmas,
        known.canvas(size.width, size.height, size.frames),
        known.parameterisation,
        highest,
        pass_steps=HOST_SAMPLERS.PASS_STEPS.get(sampler.name.replace("uni_pc", "unipc"), 1),
        autoencoder=schedule.via_pixels,
    )


def _before_planning(sampler: Sampler) -> tuple[str, str] | None:
    """What nodes/engine/target.py and obstacles.py decide by the latent, sampler and conditioning."""
    known = sampler.model.known
    assert known is not None
    if sampler.steps == 0:
        return "no steps", "no step is left between its start and its end"
    if known.makes == AUDIO:
        return "audio alone", "the latent is neither pictures nor video"
    if known.makes == SOLID:
        return "three-dimensional", "the latent is neither pictures nor video"
    if sampler.name in HOST_SAMPLERS.RUN_PLAIN or sampler.name == "arvideo":
        return "sampler", f"the sampler {sampler.name} {HOST_SAMPLERS.RUN_PLAIN['ar_video']}"
    for node in sampler.model.through:
        if node in BOUND:
            return "patch", f"{BOUND[node]} writes pictures of the full size into what the network sees"
    return None


def _of_plan(sampler: Sampler, plan: Plan) -> Verdict:
    words = plan.reason or plan.note or ""
    if plan.plain:
        return Verdict(PLAIN, cause_of(sampler, plan), words)
    thinned = sampler.given and len(plan.passes) > 1
    return Verdict(
        FASTER,
        words=words,
        tokens=plan.tokens(),
        full=plan.full_tokens(),
        open=plan.open,
        thinned=thinned,
    )


def cause_of(sampler: Sampler, plan: Plan) -> str:
    """A short name of why a plan is plain."""
    words = plan.reason or ""
    if sampler.steps == 1:
        return "one step"
    if "detail already shows" in words:
        return "starts low"
    if "too short" in words or "needs" in words and "steps" in words:
        return "too few steps"
    if "below the" in words or "too small" in words:
        return SMALL
    if "leaves the stage" in words or "stage" in words:
        return "stage"
    return "other"
