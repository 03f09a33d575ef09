"""Pictures that control where on the canvas something is, continued beyond its edge.

The host centres, crops and scales them to the sides of what it calls with. A look whose blocks do not divide
the canvas has a state that reaches beyond it, and what controls it must reach as far, or it is stretched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ...fresco_core import Canvas
from ...fresco_core.canvas.haar import extend, padded_size
from ..host.lending import lent

HINTS = ("cond_hint_original", "extra_concat_orig")  # of the host's ControlNets, as given: (N, C, h, w)
PICTURES = ("image", "inpaint_image", "render_video")  # of patches of the network's blocks: (N, h, w, C)
MASKS = ("mask",)  # of those: (..., h, w)

Size = tuple[int, int]
Continue = Callable[[Tensor, Size, Size], Tensor]
"""A picture, the canvas's size and what it is continued to -> the picture continued as far."""
Wanted = tuple[Any, str, Continue]
Lent = tuple[Any, str, Any]
"""An object and the name of its attribute, with how that is continued, and with what it then is."""


def reach(canvas: Canvas, size: Size, level: float) -> Size:
    """What the state at a level covers of a canvas, or of an area of it, of `size` rows and columns."""
    packing = canvas.packing
    whole = padded_size((size[0] * packing, size[1] * packing), level, canvas.patch * packing)
    return whole[0] // packing, whole[1] // packing


def continued_picture(picture: Tensor, size: Size, whole: Size) -> Tensor:
    """What the host takes of a picture (..., h, w) for a canvas of `size`, its middle, continued as far as
    that is to `whole`."""
    height, width = picture.shape[-2:]
    top = round((height - min(height, width * size[0] / size[1])) / 2)
    left = round((width - min(width, height * size[1] / size[0])) / 2)
    middle = picture[..., top : height - top, left : width - left]
    sides = [round(s * w / own) for s, w, own in zip(middle.shape[-2:], whole, size)]
    return extend(middle, (sides[0], sides[1]))


def continued_last(picture: Tensor, size: Size, whole: Size) -> Tensor:
    """The same of a picture (N, h, w, C)."""
    return continued_picture(picture.movedim(-1, 1), size, whole).movedim(1, -1)


@contextmanager
def hints_continued(
    controls: Iterable[Any], size: Size, whole: Size, known: dict[Any, Any]
) -> Iterator[None]:
    """Let the pictures of ControlNets reach as far as a level's state, `whole` of a canvas of `size`. known:
    what has been continued, kept between calls."""
    wanted: list[Wanted] = [(one, name, continued_picture) for one in controls for name in HINTS]
    with lent(_continued(wanted if whole != size else [], size, whole, known)):
        yield


@contextmanager
def patches_continued(
    patches: Iterable[Any], canvas: Canvas, level: float, known: dict[Any, Any]
) -> Iterator[None]:
    """The same of what `patches` of the network's blocks bring that keep a map of the canvas, at a level."""
    size = canvas.height, canvas.width
    whole = reach(canvas, size, level)
    holders = (getattr(patch, "patch", patch) for patch in patches)
    found = {id(one): one for one in holders} if whole != size else {}  # several may share one
    wanted: list[Wanted]
    wanted = [(one, name, continued_last) for one in found.values() for name in PICTURES]
    wanted += [(one, name, continued_picture) for one in found.values() for name in MASKS]
    with lent(_continued(wanted, size, whole, known)):
        yield


def _continued(wanted: list[Wanted], size: Size, whole: Size, known: dict[Any, Any]) -> Iterator[Lent]:
    """The attributes that are there, as continued pictures."""

    def continued(part: Any, how: Continue) -> Any:
        if isinstance(part, list):
            return [continued(one, how) for one in part]
        if not isinstance(part, Tensor):
            return part
        key = id(part), size, whole
        if key not in known:  # kept with its like, whose id thus stays its own
            known[key] = part, how(part, size, whole)
        return known[key][1]

    for one, name, how in wanted:
        given = getattr(one, name, None)
        if given is not None:
            yield one, name, continued(given, how)
