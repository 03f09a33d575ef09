"""What depends on the host's version."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from comfy_api.latest import io

OLDEST_HOST = (0, 9, 2)
WORDS = "fresco_words"  # of the event that brings a node its words, wherever in the graph it is


def check_host() -> None:
    """Raise ImportError on hosts older than the oldest supported."""
    try:
        from comfyui_version import __version__ as version
    except ImportError:
        version = "0.0.0 (no comfyui_version module)"
    numbers = tuple(int(n) for n in version.split("-")[0].split(".")[:3] if n.isdigit())
    if numbers < OLDEST_HOST:
        raise ImportError(
            f"Fresco needs ComfyUI {'.'.join(map(str, OLDEST_HOST))} or newer and found {version}: "
            "update ComfyUI, or remove this pack"
        )


def schema(**fields: Any) -> io.Schema:
    """io.Schema without the fields that this host does not know, such as search_aliases before 0.10."""
    from comfy_api.latest import io

    known = {f.name for f in dataclasses.fields(io.Schema)}
    return io.Schema(**{name: value for name, value in fields.items() if name in known})


def widget(kind: type, id: str, **options: Any) -> Any:
    """An input of `kind` (io.Int.Input, ...) without the options that this host's does not know."""
    known = inspect.signature(kind).parameters
    return kind(id, **{name: value for name, value in options.items() if name in known})


def show_text(node: type[io.ComfyNode], text: str) -> None:
    """Write `text` on the node in the browser, as core's Get Image Size does; nothing where there is no
    server."""
    _show(text, id_of(node))


def show_where_executing(text: str) -> None:
    """Write `text` on the node that the host executes now, whichever that is; nothing where there is no
    server, or nothing is executed."""
    context = sys.modules.get("comfy_execution.utils")
    executing = None if context is None else context.get_executing_context()
    _show(text, getattr(executing, "node_id", None))


def _show(text: str, node_id: str | None) -> None:
    server = page_server()
    if server is None or node_id is None:
        return
    server.send_progress_text(text, node_id)
    if server.client_id is not None:  # the page looks for the node of that text in the shown graph alone
        server.send_sync(WORDS, {"node": node_id, "text": text}, server.client_id)


def page_server() -> Any:
    """The host's own server, that pages talk to; None where there is none, as in scripts that borrow its
    modules."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def id_of(node: type[io.ComfyNode]) -> str | None:
    """The id in the prompt of a node that declares the hidden input; None where nobody has told it."""
    found = getattr(getattr(node, "hidden", None), "unique_id", None)
    return None if found is None else str(found)


@functools.cache
def ranges_keep_their_dimension() -> bool:
    """Whether the host's FLUX blocks index the modulation of a range of tokens keeping its dimension.

    ComfyUI 0.9.2 drops it, which only fits a batch of one unless there is a dimension to spare.
    """
    from comfy.ldm.flux.layers import apply_mod

    try:
        apply_mod(torch.ones(2, 3, 1), torch.ones(2, 1, 1), None, [(0, 3, 0)])
    except RuntimeError:
        return False
    return True
