"""The ComfyUI side of Fresco: nodes, wrappers and what they need to know of the host."""

from __future__ import annotations

from .host.versions import check_host

check_host()  # before anything that a host too old does not have

from comfy_api.latest import ComfyExtension, io  # noqa: E402

from .apply import FrescoApply  # noqa: E402
from .bench import FrescoBench  # noqa: E402
from .compare import FrescoCompare  # noqa: E402
from .convergence import FrescoConvergence  # noqa: E402
from .demo import FrescoDemoLoader  # noqa: E402
from .experts import FrescoExperts  # noqa: E402
from .ksampler import FrescoKSampler  # noqa: E402
from .schedule import FrescoSchedule  # noqa: E402
from .server import plan_route, presets_route  # noqa: E402


class FrescoExtension(ComfyExtension):
    """The pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            FrescoApply,
            FrescoKSampler,
            FrescoSchedule,
            FrescoConvergence,
            FrescoCompare,
            FrescoDemoLoader,
            FrescoExperts,
            FrescoBench,
        ]


async def comfy_entrypoint() -> FrescoExtension:
    """Called by the host once it has imported the pack."""
    plan_route.add_route()
    presets_route.add_route()
    return FrescoExtension()
