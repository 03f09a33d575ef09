"""What a run tells the browser of its model and latent, so that nodes can say what the next one will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

from ..engine.run import Run
from ..families import adapter_of
from ..host import versions
from .plan_preview import known_setting
from .told_runs import ToldRuns

EVENT = "fresco_known"


def told_on(node: type[io.ComfyNode]) -> dict[str, Any]:
    """What `apply_fresco` takes to tell of its runs on a node: their words, and their setting."""
    id = versions.id_of(node)
    words, setting = ToldRuns(lambda text: versions.show_text(node, text)), telling(id)

    def seen(run: Run) -> None:
        words.begin(run)
        if setting is not None:
            setting(run)

    return {"tell": words, "node": id, "seen": seen}


def telling(node: str | None) -> Callable[[Run], None] | None:
    """What sends a run's setting to the browser, for the node of that id; None where there is no node."""
    if node is None:
        return None

    def tell(run: Run) -> None:
        server = versions.page_server()
        if server is None or server.client_id is None:  # all open pages would hear it
            return
        found = known(run)
        if found is not None:
            server.send_sync(EVENT, {"node": node, "known": found}, server.client_id)

    return tell


def known(run: Run) -> dict[str, Any] | None:
    """As the schedule editor's route takes it; None where that cannot be told."""
    target = run.target
    return known_setting(
        run.trace.canvas,
        run.grid,
        target.parameterisation,
        float(target.sampling.sigma_max),
        target.architecture,
        adapter_of(target.model.diffusion_model)[1] is None,
    )
