"""Mixed and focus steps, one adapter file per model family.

An adapter is a module with three functions: `misfit(network)` says why this host's network is not what the
adapter was written for, or None; `one_clock(network, conditions)` why coarse tokens share the clock of fine
ones in a run whose conditioning gives the network these arguments, or None where they can have their own;
`evaluate(executor, args, kwargs, call)` stands for the network's own call, as a DIFFUSION_MODEL wrapper does,
and leaves the coarse tokens' output in `call.output`. CONDITIONS tells which arguments of the network it
knows beside the text. Adapters work through the host's own forward, with its patches; they copy nothing of
it. Families without one see mixed and focus steps at full resolution.
"""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

from ..mixing import Conditions
from . import chroma, flux, hunyuan_video, krea2, lumina2, qwen_image, wan

log = logging.getLogger(__name__)

ADAPTERS: dict[str, ModuleType] = {
    "comfy.ldm.chroma.model.Chroma": chroma,
    "comfy.ldm.flux.model.Flux": flux,
    "comfy.ldm.hunyuan_video.model.HunyuanVideo": hunyuan_video,
    "comfy.ldm.krea2.model.SingleStreamDiT": krea2,
    "comfy.ldm.lumina.model.NextDiT": lumina2,
    "comfy.ldm.qwen_image.model.QwenImageTransformer2DModel": qwen_image,
    "comfy.ldm.wan.model.WanModel": wan,
}

JOINT = (chroma, flux, hunyuan_video, krea2, qwen_image)
"""Families whose blocks join the prompt and, behind it, the picture in one attention: it can be split in two
frames (alignment.py) and tells what the prompt pays attention to (watching.py)."""


def adapter_of(network: Any) -> tuple[ModuleType | None, str | None]:
    """The adapter of a network, or None and the reason why there is none."""
    kind = type(network)
    adapter = ADAPTERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if adapter is None:
        return None, f"{kind.__name__} takes no mixed sequences yet"
    reason = adapter.misfit(network)
    return (adapter, None) if reason is None else (None, reason)


def clock_of(adapter: ModuleType, network: Any, conditions: Conditions, asked: str | None) -> str:
    """The clock of coarse tokens: the one asked for, `native` where none is, or `shared` where a run with
    these conditions has only that."""
    if asked == "shared":
        return asked
    reason = adapter.one_clock(network, conditions)
    if reason is not None and asked is not None:
        log.warning("Fresco runs mixed steps with the clock 'shared' instead of 'native': %s", reason)
    return "native" if reason is None else "shared"


def frame_of(adapter: ModuleType, asked: str) -> str:
    """The positions of mixed sequences: those asked for, or `fine` where the family has only that."""
    if asked == "aligned" and adapter not in JOINT:
        log.warning(
            "Fresco runs mixed steps in the frame 'fine' instead of 'aligned': this family's attention "
            "cannot be split in two"
        )
        return "fine"
    return asked
