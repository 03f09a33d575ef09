"""What is known of models, one file per family of them.

A dense family is a file with a `Family` in it, and its line here; mixed steps add an adapter. Families
without one see mixed steps at full resolution, and models of no family are held to `UNKNOWN_PIXELS`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from ...fresco_core import Canvas
from ...fresco_core.cost import UNKNOWN_PIXELS, Architecture, trained_latents
from ..host.model import bare_canvas, wrapped_networks
from . import (
    chroma,
    flux,
    hidream_o1,
    hunyuan_video,
    kandinsky5,
    krea2,
    ltx2,
    ltxv,
    lumina2,
    minimax_h3,
    others,
    qwen_image,
    sd3,
    stable_diffusion,
    wan,
)
from .family import MAP, UNTOUCHED, Family, Kind, MixedAdapter, OwnClock, kinds

log = logging.getLogger(__name__)

FAMILIES: tuple[Family, ...] = (
    flux.FLUX,
    flux.FLUX2,
    chroma.CHROMA,
    hunyuan_video.HUNYUAN_VIDEO,
    hunyuan_video.HUNYUAN_IMAGE,
    qwen_image.QWEN_IMAGE,
    wan.WAN,
    lumina2.LUMINA2,
    krea2.KREA2,
    kandinsky5.KANDINSKY5,
    sd3.SD3,
    stable_diffusion.SDXL,
    stable_diffusion.STABLE_DIFFUSION,
    ltxv.LTXV,
    ltx2.LTX_2,
    minimax_h3.MINIMAX_H3,
    hidream_o1.HIDREAM_O1,
    others.OTHERS,
)
COMMON = kinds(
    MAP="c_concat denoise_mask",
    REFERENCE="ref_latents",
    UNTOUCHED="c_crossattn crossattn_controlnet y guidance num_tokens clip_fea fps ref_latents_method "
    "attention_mask",  # of the text
)
CONDITIONS: dict[str, Kind] = COMMON | {name: kind for f in FAMILIES for name, kind in f.conditions.items()}
"""By the name of the network's argument, the same in all families; see `Family.conditions`. A size says
nothing: Wan Animate's face video is 512x512 on any canvas. Names that nobody has told are left as they are,
unless the host's own kind of conditioning says that they lie on the canvas."""

_BY_CLASS = {name: family for family in FAMILIES for name in family.classes}
_READERS = {name: read for family in FAMILIES for name, read in family.readers.items()}
_PIXELS = {name: pixels for family in FAMILIES for name, pixels in family.pixels.items()}
_PACKED = {name: side for family in FAMILIES for name, side in family.packed.items()}
_CLOCKS = {name: clock for family in FAMILIES for name, clock in family.clocks.items()}
_ADAPTERS = {family.mixed.network: family.mixed for family in FAMILIES if family.mixed is not None}


def family_of(model: Any) -> Family | None:
    """The family that a model belongs to, by the classes that it is derived from, its network is, and the one
    that this wraps; None where none of them is known."""
    objects = (model, *wrapped_networks(model.diffusion_model))
    lineages = (type(found).__mro__ for found in objects)
    names = (kind.__name__ for lineage in lineages for kind in lineage)
    family = next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)
    return flux.demo_of(model) or family if family is flux.FLUX else family


def pixels_of(model: Any) -> int:
    """Pixels of a picture per latent pixel."""
    latent = model.latent_format
    told = getattr(latent, "spacial_downscale_ratio", 8)  # missing on old hosts, and in some formats on all
    return _PIXELS.get(type(latent).__name__, int(told))


def canvas_of(model: Any, shape: tuple[int, ...]) -> Canvas:
    """The canvas of a latent of `shape` (B, C, H, W) or (B, C, T, H, W), with the sizes that the model is
    trained for: its family's, or what models of unknown classes are held to."""
    family, scale = family_of(model), pixels_of(model)
    known = family is not None and family.trained is not None
    return replace(
        bare_canvas(model, shape),
        trained=trained_latents(family.trained if family and family.trained else UNKNOWN_PIXELS, scale),
        packing=_PACKED.get(type(model.latent_format).__name__, 1),
        scale=scale,
        family=family.name if family and known else type(model.diffusion_model).__name__,
        unknown=not known,
    )


def architecture_of(model: Any) -> Architecture | None:
    """What a step of a host's model costs; None for networks that the cost model does not describe.

    Read from what holds whatever the weights are stored as: parameters given at construction, counts of
    blocks, `in_features` and `out_features` of linear layers; never the shape of a weight.
    """
    network = model.diffusion_model
    read = _READERS.get(type(network).__name__)
    if read is None:
        return None
    try:
        return read(network)
    except AttributeError as error:  # a host or pack that builds this class otherwise
        log.debug("the configuration of %s could not be read: %s", type(network).__name__, error)
        return None


def adapter_of(network: Any) -> tuple[MixedAdapter | None, str | None]:
    """The mixed adapter of a network, or None and the reason why there is none."""
    kind = type(network)
    adapter = _ADAPTERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if adapter is None:
        return None, f"{kind.__name__} takes no mixed sequences yet"
    reason = adapter.misfit(network)
    return (adapter, None) if reason is None else (None, reason)


def own_clock_of(network: Any) -> OwnClock | None:
    """How a network that makes several streams takes a clock of its own for the first; None where nobody has
    told."""
    return _CLOCKS.get(type(network).__name__)


def kind_of(model: Any, name: str, declared: frozenset[str] = frozenset()) -> Kind:
    """What a model's conditioning of that name is; `declared` are those that the host says are maps."""
    for kind in type(model).__mro__:
        found = CONDITIONS.get(f"{kind.__name__}.{name}")
        if found is not None:
            return found
    return CONDITIONS.get(name, MAP if name in declared else UNTOUCHED)
