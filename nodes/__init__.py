"""The ComfyUI side of Fresco: nodes, wrappers and what they need to know of the host."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import compat
from .apply_node import FrescoApply
from .convergence_node import FrescoConvergence
from .ksampler_node import FrescoKSampler
from .schedule_node import FrescoSchedule


class FrescoExtension(ComfyExtension):
    """The pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [FrescoApply, FrescoKSampler, FrescoSchedule, FrescoConvergence]


async def comfy_entrypoint() -> FrescoExtension:
    """Called by the host once it has imported the pack."""
    compat.check_host()
    return FrescoExtension()
