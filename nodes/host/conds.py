"""What a run's conditioning gives the network."""

from __future__ import annotations

from typing import Any


def conditions_of(conds: dict[str, list[dict]]) -> dict[str, list[Any]]:
    """What a run's conditioning gives the network: the values of each argument, by its name."""
    found: dict[str, list[Any]] = {}
    for cond in (cond for group in conds.values() for cond in group):
        for name, value in cond.get("model_conds", {}).items():
            found.setdefault(name, []).append(getattr(value, "cond", None))
    return found


def given_once(conds: dict[str, list[dict]]) -> dict[str, Any]:
    """What a run's conditioning gives the network, the last value of each argument, by its name."""
    return {name: values[-1] for name, values in conditions_of(conds).items()}


def evaluated_conds(guider: Any, model_options: dict) -> dict[str, list[dict]]:
    """The conditionings that a guider evaluates: the host leaves the negative ones out at a CFG of 1."""
    from comfy.samplers import CFGGuider

    skips = type(guider).predict_noise is CFGGuider.predict_noise and abs(guider.cfg - 1.0) < 1e-9
    if not skips or model_options.get("disable_cfg1_optimization", False):
        return guider.conds
    return {name: conds for name, conds in guider.conds.items() if name != "negative"}


def declared_maps(conds: dict[str, list[dict]]) -> frozenset[str]:
    """Names of the conditionings that the host cuts to areas as it cuts the canvas (CONDNoiseShape)."""
    from comfy.conds import CONDNoiseShape

    given = (cond.get("model_conds", {}) for group in conds.values() for cond in group)
    return frozenset(
        name for found in given for name, value in found.items() if isinstance(value, CONDNoiseShape)
    )
