"""What few steps leave to save: how many may be coarse, and what schedules with and without a bridge cost.

Costs are FLOPs on the published architecture, in full steps, without the autoencoder's share of a bridge.
"""

from __future__ import annotations

from dataclasses import dataclass

from fresco_core import FLOW, Schedule, ScheduleError, parse, preset
from fresco_core.cost import MODELS, plan_cost
from fresco_core.look.spectrum import TOLERANCE, hides_noise_only

from .models import AUDIO, SOLID
from .sampler import Sampler
from .survey import Row
from .verdict import PRESET, planned

FEW_STEPS = 10
REGISTERED = {
    "ZImage": "z-image",
    "Krea2": "krea-2",
    "QwenImage": "qwen-image",
    "Flux": "flux.1-dev",
    "FluxSchnell": "flux.1-schnell",
    "WAN21_T2V": "wan-14b",
    "WAN21_I2V": "wan-i2v-14b",
    "WAN21_Vace": "wan-14b",
    "HunyuanVideo": "hunyuan-video",
    "Chroma": "chroma",
    "LTXAV": "ltx-2",
    "MiniMaxH3": "minimax-h3",
}
KLEIN = {"klein-4b": "flux.2-klein-4b", "klein-9b": "flux.2-klein-9b"}
FINEST = 0.33
"""Power of FLUX.2's finest band beside a unit latent: what a coarse look hides at most there."""
LOOSE = 0.01  # tolerance of the spectral rule
BRIDGED = (
    "draft 1/2; refine 0.6 via pixels x1",
    "draft 1/2; refine 0.6 via pixels x2",
    "draft 1/2; refine 0.75 via pixels x3",
)


@dataclass(frozen=True)
class Setting:
    """A setting of few steps that graphs have, and how many uses of them."""

    sampler: Sampler
    graphs: int
    usage: int


def settings(rows: list[Row]) -> list[Setting]:
    """Those of 2 to FEW_STEPS steps from pure noise to the end, most used first."""
    found: dict[tuple, list] = {}
    for row in rows:
        seen = set()
        for sampler, _ in row.samplers:
            known, sigmas = sampler.model.known, sampler.sigmas or ()
            if known is None or not 2 <= sampler.steps <= FEW_STEPS or sigmas[-1] > 0.0 or sigmas[0] < 0.99:
                continue
            key = (known.name, _registered(sampler), tuple(round(s, 3) for s in sigmas))
            entry = found.setdefault(key, [sampler, 0, 0])
            if key not in seen:
                entry[1] += 1
                entry[2] += row.usage
            seen.add(key)
    made = [Setting(sampler, graphs, usage) for sampler, graphs, usage in found.values()]
    return sorted(made, key=lambda s: (-s.usage, -s.graphs))


def _registered(sampler: Sampler) -> str | None:
    known = sampler.model.known
    assert known is not None
    if known.name == "Flux2":
        return next((name for part, name in KLEIN.items() if part in sampler.model.file), "flux.2-dev")
    return REGISTERED.get(known.name)


def coarse_by_noise(sampler: Sampler, power: float, tolerance: float) -> int:
    """How many first steps of a flow's run hide noise alone at half size, if the finest band has that
    power."""
    return sum(hides_noise_only([power], s, FLOW, tolerance)[0] for s in (sampler.sigmas or ())[:-1])


def gain(sampler: Sampler, schedule: Schedule) -> tuple[float, float] | None:
    """Times less FLOPs (or tokens, where the architecture is not registered), and where the last pass
    begins; None where the schedule does not fit."""
    try:
        plan = planned(sampler, schedule)
    except ScheduleError:
        return None
    if plan.plain:
        return None
    name = _registered(sampler)
    if name is None:
        return plan.full_tokens() / plan.tokens(), plan.passes[-1].sigmas[0]
    return plan_cost(plan, MODELS[name].architecture).gain_equal_steps, plan.passes[-1].sigmas[0]


def few_steps_table(rows: list[Row]) -> str:
    """A line for each setting."""
    schedules = (preset(PRESET), *map(parse, BRIDGED))
    names = (PRESET, *BRIDGED)
    lines = [
        "",
        f"## Runs of up to {FEW_STEPS} steps",
        "",
        f"Coarse by noise: first steps that could be at half size within the given sigmas, strictly (a "
        f"latent of unit power, tolerance {TOLERANCE}) and loosely (the finest band's power {FINEST}, "
        f"tolerance {LOOSE}). Then times less FLOPs (or tokens, where it says so) than the plain run, "
        "and the sigma of the first full step; drafts over pixels without the autoencoder's share. Every "
        "schedule of two passes spreads the steps anew.",
        "",
        "| model | graphs, uses | sigmas | coarse by noise | " + " | ".join(f"`{n}`" for n in names) + " |",
        "|---|---|---|---|" + "---|" * len(names),
    ]
    for setting in settings(rows):
        sampler = setting.sampler
        known = sampler.model.known
        assert known is not None
        if known.makes in (AUDIO, SOLID):
            continue
        found = [gain(sampler, schedule) for schedule in schedules]
        unit = "" if _registered(sampler) else " tokens"
        told = ["plain" if g is None else f"{g[0]:.2f}x{unit} from {g[1]:.2f}" for g in found]
        strict, loose = coarse_by_noise(sampler, 1.0, TOLERANCE), coarse_by_noise(sampler, FINEST, LOOSE)
        model = f"{_registered(sampler) or known.name}, {sampler.size.width}x{sampler.size.height}"
        sigmas = " ".join(f"{s:.3g}" for s in sampler.sigmas or ())
        cells = (model, f"{setting.graphs}, {setting.usage}", sigmas, f"{strict}, {loose}", *told)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
