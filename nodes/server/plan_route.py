"""The route of the schedule editor: whole bodies in, JSON out, and the host's event loop never held.

Whatever takes time is done by one thread, in pieces: a single call into C, as json's, would hold up all
other threads until it returns.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from ..host.versions import page_server
from .plan_preview import answer
from .request_fields import RequestError

ROUTE = "/fresco/plan"
LARGEST_BODY = 1 << 18  # bytes; the sigmas of 10,000 steps and the longest text are less
MOST_DIGITS = 40  # of a number
MOST_BRACKETS = 100  # of all objects and lists
_planner = ThreadPoolExecutor(1, "fresco_plan")


def reply(body: bytes) -> tuple[int, str]:
    """Status and JSON for a request's body: 200 for what `answer` gives, 400 and {error} for what is no
    request.

    The garbage collector rests meanwhile: a search through all that a host has loaded would hold up every
    thread, and thousands of steps as JSON would start one.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        return 200, in_pieces(answer(read(body)))
    except RequestError as error:
        return 400, in_pieces({"error": str(error)})
    finally:
        if collected:
            gc.enable()


def read(body: bytes) -> Any:
    """The value of a JSON text. Raises RequestError for what is none, has too many or too deep values, or
    numbers that are not finite."""
    brackets = sum(map(body.count, (b"[", b"]", b"{", b"}")))
    if brackets > MOST_BRACKETS:
        raise RequestError(f"the request has {brackets} brackets; expected {MOST_BRACKETS} at the most")
    try:
        return json.loads(
            body,
            parse_int=_parsed(int),
            parse_float=_parsed(float),
            parse_constant=_no_constant,
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the request is no JSON: {error}") from error


def _parsed(kind: type) -> Callable[[str], float]:
    def parse(digits: str) -> float:
        if len(digits) > MOST_DIGITS:
            raise RequestError(f"found the number {digits:.20}...; expected {MOST_DIGITS} digits at the most")
        value = kind(digits)
        if not math.isfinite(value):
            raise RequestError(f"found the number {digits}; expected a finite one")
        return value

    return parse


def _no_constant(name: str) -> float:
    raise RequestError(f"found {name}; expected a finite number")


def in_pieces(fields: dict) -> str:
    """Fields as JSON, one item of a list after the other: a single call would hold up the other threads."""
    dumps = json.JSONEncoder(allow_nan=False).encode
    values = (
        f"[{','.join(map(dumps, value))}]" if isinstance(value, list) else dumps(value)
        for value in fields.values()
    )
    return "{" + ",".join(f"{dumps(name)}:{value}" for name, value in zip(fields, values)) + "}"


async def answered(request: web.Request, reply: Callable[[bytes], tuple[int, str]]) -> web.Response:
    """What `reply` makes of a request's whole body, in the thread; 413 for a body that is too large."""
    body = bytearray()
    too_large = (request.content_length or 0) > LARGEST_BODY
    while not too_large and (piece := await request.content.readany()):
        body += piece
        too_large = len(body) > LARGEST_BODY
    status, text = 413, in_pieces({"error": f"the request is larger than {LARGEST_BODY} bytes"})
    if not too_large:
        status, text = await asyncio.get_running_loop().run_in_executor(_planner, reply, bytes(body))
    return web.Response(text=text, status=status, content_type="application/json")


async def handle(request: web.Request) -> web.Response:
    """POST ROUTE: the answer as JSON. Status 400 and {error} for what is not a request, 413 for what is too
    large."""
    return await answered(request, reply)


def host_routes() -> web.RouteTableDef | None:
    """The routes of the host's own server; None where there is no server, as in scripts."""
    server = page_server()
    return None if server is None else server.routes


def add_route() -> None:
    """Serve ROUTE on the host's own server, if there is one."""
    routes = host_routes()
    if routes is not None:
        routes.post(ROUTE)(handle)
