"""What the schedule editor in the browser draws: a plan and its cost as numbers, and edits of its schedule.

The browser knows neither the grammar nor the costs. It posts the node's widgets, and an edit if the user has
made one, to plan_route.ROUTE; this answers with the schedule's text, its steps, or what is wrong with it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...fresco_core import (
    FLOW,
    VE,
    Canvas,
    Parameterisation,
    Plan,
    Schedule,
    ScheduleError,
    flow_sigmas,
    make_plan,
)
from ...fresco_core.cost.registry import MODELS
from ...fresco_core.cost.transformer import Architecture
from ...fresco_core.schedule.looks import MAX_LEVEL, level_name
from ...fresco_core.view.editing import move_boundary, set_level, set_start, stages
from ..host.kept_presets import preset_names
from ..inputs import LEVELS, built
from .request_fields import RequestError, choice, number, numbers, text

MOST_STEPS = 10000
HIGHEST_SIGMA, LOWEST_MAXIMUM = 1e12, 1e-6
HIGHEST_FLOW = 1.0 + 1e-6  # pure noise, and what rounding adds to it
ASSUMED_MODEL = "flux.1-dev"
KINDS: dict[str, Parameterisation] = {"flow": FLOW, "exploding": VE}


@dataclass(frozen=True)
class Setting:
    """What a plan is worked out for: canvas, falling sigmas, and what some steps cost (see `step_flops`),
    where the model is known.

    `assumed` names what had to be guessed because the node has not run with a model and a latent. mixed:
    whether the model takes mixed steps; else they are drawn at full resolution.
    """

    canvas: Canvas
    sigmas: tuple[float, ...]
    parameterisation: Parameterisation
    sigma_max: float | None
    flops: tuple[tuple[int, int], ...] | None
    model: str | None
    assumed: tuple[str, ...]
    mixed: bool = True


def known_setting(
    canvas: Canvas,
    sigmas: list[float],
    parameterisation: Parameterisation,
    sigma_max: float,
    architecture: Architecture | None,
    mixed: bool = True,
) -> dict | None:
    """What a run of the node knows, for its ui output: the browser sends it back with every request. None for
    sigmas that are not finite, which JSON cannot say."""
    if not all(map(math.isfinite, sigmas)):
        return None
    return {
        "canvas": [canvas.height, canvas.width, canvas.frames, canvas.patch, canvas.frame_patch],
        "trained": [canvas.trained[0], canvas.trained[1] or 0],
        "scale": canvas.scale,
        "family": canvas.family,
        "unknown": canvas.unknown,
        "sigmas": sigmas,
        "kind": "exploding" if parameterisation is VE else "flow",
        "sigma_max": sigma_max,
        "model": None if architecture is None else architecture.name,
        "flops": None if architecture is None else step_flops(architecture, canvas),
        "mixed": mixed,
    }


def step_flops(architecture: Architecture, canvas: Canvas) -> list[list[int]]:
    """[image tokens, FLOPs] of steps with all of a canvas's tokens, half and a quarter of them."""
    full = canvas.tokens(0)
    counts = sorted({full, -(-full // 2), -(-full // 4)})
    return [[n, architecture.step_flops(n)] for n in counts]


def flops_at(points: tuple[tuple[int, int], ...], tokens: int) -> int:
    """FLOPs of a step with `tokens` image tokens, given those of some others.

    Projections cost in proportion to the tokens and attention to their square, so that the parabola through
    three points is exact but for padding (Lagrange's form, in whole numbers).
    """
    total = Fraction(0)
    for n, flops in points:
        weights = (Fraction(tokens - m, n - m) for m, _ in points if m != n)
        total += flops * math.prod(weights, start=Fraction(1))
    return max(round(total), 1)


def answer(request: Any) -> dict:
    """The editor's answer to a request: a drawn plan, or {error} for a schedule that cannot be.

    Raises RequestError for what is not a request at all.
    """
    if not isinstance(request, dict):
        raise RequestError(f"found {type(request).__name__}; expected an object with the node's widgets")
    steps = number(request, "steps", 1, MOST_STEPS, whole=True, default=20)
    baseline = number(request, "baseline_steps", 0, MOST_STEPS, whole=True, default=0)
    setting = _setting(request, int(steps))
    base = {
        "presets": preset_names(),
        "levels": [level_name(k) for k in range(MAX_LEVEL + 1)],
        "assumed": list(setting.assumed),
    }
    schedule = None
    try:
        schedule = built(
            text(request, "preset", "balanced"),
            text(request, "text", ""),
            choice(request, "draft_level", tuple(LEVELS)),
            float(number(request, "draft_share", 0.0, 1.0, default=0.5)),
            float(number(request, "refine_from", 0.0, 1.0, default=0.95)),
        )
        if request.get("edit") is not None:
            schedule = _edited(schedule, setting, request["edit"])
        plan = _plan(schedule, setting)
        return {**base, "text": str(schedule), **_drawn(plan, setting, int(baseline))}
    except ScheduleError as error:
        read = {} if schedule is None else {"read": str(schedule)}  # it is one, but does not fit these steps
        return {**base, **read, "error": str(error)}


def _plan(schedule: Schedule, setting: Setting) -> Plan:
    """As a run with an autoencoder would have it: whether there is one, the node that samples knows."""
    at, highest = setting.parameterisation, setting.sigma_max
    return make_plan(schedule, setting.sigmas, setting.canvas, at, highest, autoencoder=True)


def _edited(schedule: Schedule, setting: Setting, edit: Any) -> Schedule:
    if not isinstance(edit, dict):
        raise RequestError(f"edit: found {type(edit).__name__}; expected an object")
    kind = choice(edit, "kind", ("boundary", "level", "start"))
    if kind == "boundary":
        stage = int(number(edit, "stage", 0, MOST_STEPS, whole=True))
        step = int(number(edit, "step", -MOST_STEPS, 2 * MOST_STEPS, whole=True))
        return move_boundary(_plan(schedule, setting), stage, step, setting.parameterisation)
    if kind == "level":
        stage = int(number(edit, "stage", 0, MOST_STEPS, whole=True))
        level = int(number(edit, "level", 0, MAX_LEVEL, whole=True))
        return set_level(_plan(schedule, setting).schedule, stage, level)
    pass_index = int(number(edit, "pass", 0, MOST_STEPS, whole=True))
    return set_start(schedule, pass_index, float(number(edit, "sigma", 0.0, 1.0)))


def _drawn(plan: Plan, setting: Setting, baseline: int) -> dict:
    share = setting.parameterisation.share
    done = plan if setting.mixed else plan.dense()
    steps = [
        {
            "pass": index,
            "level": step.level,
            "fine": round(step.fine or 0.0, 4),
            "halvings": step.halvings,
            "sigma": round(share(sigma), 4),
            "tokens": tokens,
        }
        for index, p in enumerate(done.passes)
        for step, sigma, tokens in zip(p.looks, p.sigmas, p.tokens(plan.canvas))
    ]
    tokens = [step["tokens"] for step in steps]
    flops, full = None, plan.canvas.tokens(0)
    if setting.flops is not None:
        cost = functools.cache(functools.partial(flops_at, setting.flops))
        flops, full = [cost(n) for n in tokens], cost(full)
    spent = sum(tokens if flops is None else flops)
    return {
        "reason": plan.reason,
        "steps": steps,
        "ends": [round(share(p.sigmas[-1]), 4) for p in plan.passes],
        "stages": [
            {
                "pass": s.pass_index,
                "level": s.level,
                "mixed": s.fine is not None,
                "first": s.first,
                "end": s.end,
            }
            for s in stages(plan, setting.parameterisation)
        ],
        "open": plan.open,
        "tokens": sum(tokens),
        "full_tokens": plan.full_tokens(),
        "flops": None if flops is None else spent,
        "full_flops": None if flops is None else full * plan.steps,
        "gain": round(full * plan.steps / spent, 3),
        "gain_over_baseline": round(full * baseline / spent, 3) if baseline else None,
        "model": setting.model,
        "canvas": [plan.canvas.height, plan.canvas.width, plan.canvas.frames],
    }


def _setting(request: dict, steps: int) -> Setting:
    """What the request's `known` tells, completed by assumptions: FLUX.1-dev at `size` pixels, an even
    grid."""
    known = request.get("known")
    if known is None:
        model = MODELS[ASSUMED_MODEL]
        width, height = numbers(request, "size", 2, 16, 65536, [1024, 1024])
        canvas = model.canvas(int(width), int(height))
        costs = tuple((n, f) for n, f in step_flops(model.architecture, canvas))
        assumed = ("model", "sigmas") if "size" in request else ("model", "size", "sigmas")
        return Setting(canvas, tuple(flow_sigmas(steps)), FLOW, None, costs, ASSUMED_MODEL, assumed)
    if not isinstance(known, dict):
        raise RequestError(f"known: found {type(known).__name__}; expected what a run of the node gave")
    fewest, most = (int(n) for n in numbers(known, "trained", 2, 0, 1 << 32, [0, 0]))
    canvas = Canvas(
        *(int(n) for n in numbers(known, "canvas", 5, 1, 65536)),
        (fewest, most or None),
        scale=int(number(known, "scale", 0, 1024, whole=True, default=0)),
        family=text(known, "family", ""),
        unknown=known.get("unknown") is True,
    )
    kind = choice(known, "kind", tuple(KINDS))
    grid = numbers(known, "sigmas", None, 0.0, HIGHEST_FLOW if kind == "flow" else HIGHEST_SIGMA)
    sigma_max = float(number(known, "sigma_max", LOWEST_MAXIMUM, HIGHEST_SIGMA))
    flops: tuple[tuple[int, int], ...] | None = None
    if known.get("flops") is not None:
        found = known["flops"] if isinstance(known["flops"], list) else []
        if not 1 <= len(found) <= 3:
            raise RequestError(f"flops: found {known['flops']!r:.40}; expected one to three lists of numbers")
        points = [numbers({"flops": item}, "flops", 2, 0, 1e30) for item in found]
        flops = tuple((int(n), int(f)) for n, f in points)
        if not all(f for _, f in flops):
            raise RequestError("flops: found a step of 0 FLOPs; expected what it costs")
        if len({n for n, _ in flops}) != len(flops):
            raise RequestError("flops: found a number of tokens twice; expected it once")
    name = None if known.get("model") is None else text(known, "model", "")
    mixed = known.get("mixed") is not False
    if len(grid) == steps + 1:
        return Setting(canvas, tuple(grid), KINDS[kind], sigma_max, flops, name, (), mixed)
    even = [s * (sigma_max if kind == "exploding" else 1.0) for s in flow_sigmas(steps)]
    return Setting(canvas, tuple(even), KINDS[kind], sigma_max, flops, name, ("sigmas",), mixed)
