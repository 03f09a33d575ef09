"""Graphs of two experts as Fresco Experts runs them: both models as one, in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .sampler import Sampler

CLOSE = 1e-6  # between the sigma that the first leaves and the one that the second begins with


def together(samplers: Sequence[Sampler]) -> list[Sampler]:
    """The run of each pair of samplers of which the second goes on where the first stops, with another file
    of the same class: over the sigmas of both, with the model of the first."""
    by_node = {sampler.node.id: sampler for sampler in samplers}
    found = []
    for low in samplers:
        link = low.node.links.get("latent_image")
        high = None if link is None else by_node.get(link.node)
        if high is not None and _are_experts(high, low):
            assert high.sigmas and low.sigmas
            found.append(replace(high, sigmas=(*high.sigmas, *low.sigmas[1:])))
    return found


def _are_experts(high: Sampler, low: Sampler) -> bool:
    return (
        not low.noise
        and high.name == low.name
        and high.model.known is not None
        and high.model.known is low.model.known
        and high.model.file != low.model.file
        and bool(high.sigmas and low.sigmas)
        and abs((high.sigmas or (0.0,))[-1] - (low.sigmas or (1.0,))[0]) < CLOSE
    )
