"""Runs of the pack's own nodes on tiny models."""

from __future__ import annotations

from typing import Any

import tiny


def ksampled(model: tiny.Tiny, **inputs: Any) -> tuple[dict, Any]:
    """(latent, trace) of a Fresco KSampler on a model; `inputs` are those that are not the defaults here."""
    from fresco_pack.nodes.ksampler import FrescoKSampler

    given = {
        "seed": 3,
        "steps": 10,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "positive": model.positive,
        "negative": model.negative,
        "latent_image": model.latent,
    }
    return FrescoKSampler.execute(model.patcher, **given | inputs).args
