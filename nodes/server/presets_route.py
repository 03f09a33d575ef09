"""The route by which the browser keeps a schedule as a preset, forgets one, and lists those that are kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from ...fresco_core import ScheduleError
from ..host.kept_presets import forget_preset, keep_preset, kept_presets, preset_names
from .plan_route import answered, host_routes, in_pieces, read
from .request_fields import RequestError, choice, text

ROUTE = "/fresco/presets"


def reply(body: bytes) -> tuple[int, str]:
    """Status and JSON for a request's body: {"name", "schedule", "model", "note"} keeps a preset, {"name",
    "do": "forget"} forgets it. 200 for what was done, with all presets; 400 and {error} for what cannot be.
    """
    try:
        changed(read(body))
        return 200, in_pieces(listed())
    except (RequestError, ScheduleError) as error:
        return 400, in_pieces({"error": str(error)})


def changed(request: Any) -> None:
    """Do what a request asks for. Raises RequestError and ScheduleError."""
    if not isinstance(request, dict):
        raise RequestError(f"found {type(request).__name__}; expected an object with a preset's name")
    name = text(request, "name", "")
    if choice(request, "do", ("keep", "forget")) == "forget":
        forget_preset(name)
        return
    keep_preset(name, *(text(request, field, "") for field in ("schedule", "model", "note")))


def listed() -> dict[str, Any]:
    """The names of all presets, and what is kept of the user's: {name: {schedule, model, note}}."""
    return {"names": preset_names(), "kept": {name: asdict(kept) for name, kept in kept_presets().items()}}


async def handle(request: web.Request) -> web.Response:
    """POST ROUTE."""
    return await answered(request, reply)


async def handle_list(_: web.Request) -> web.Response:
    """GET ROUTE: what `listed` gives."""
    return web.Response(text=in_pieces(listed()), content_type="application/json")


def add_route() -> None:
    """Serve ROUTE on the host's own server, if there is one."""
    routes = host_routes()
    if routes is not None:
        routes.post(ROUTE)(handle)
        routes.get(ROUTE)(handle_list)
