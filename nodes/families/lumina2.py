"""Lumina 2 and Z-Image: rotations made while the picture is embedded, sequences padded to whole multiples.

The picture is refined alone before it is joined with the text. An attention override cannot tell the two
sequences from the text's own, so that all tokens lie in one frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..mixing import MixedCall
from .strip import View, single_frame, takes, through_strip

CONDITIONS = frozenset({"num_tokens", "clip_text_pooled"})


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not takes(getattr(network, "embed_all", None), "x", "cap_feats", "transformer_options"):
        return "the host's Lumina 2 makes its positions in another way than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: set[str]) -> str | None:
    """Why coarse tokens share the clock of fine ones."""
    return "this version of Fresco has one timestep for all tokens of Lumina 2 and Z-Image"


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network, layout, x = executor.class_obj, call.layout, args[0]
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def embed_all(picture: Tensor, *texts: Any, **options: Any) -> Any:
        embeds, tables, offset = network.embed_all(picture, *texts, **options)

        def positions(like: Tensor, tokens: int) -> Tensor:
            blank = picture.new_zeros(1, *like.shape[1:])
            return unrotated.embed_all(blank, *texts, **options)[1][-1].squeeze(2)[:, :tokens]

        blocks = layout.mask[0].numel()
        fine_ids, coarse_ids = positions(x, blocks << (2 * layout.level)), positions(call.state, blocks)
        own = network.rope_embedder(single_frame(layout, fine_ids, coarse_ids)).movedim(1, 2)
        *others, image = (
            table if table is None else table.expand(len(x), *(-1,) * (table.ndim - 1)) for table in tables
        )
        return embeds, (*others, torch.cat((own, image[:, layout.tokens :]), dim=1)), offset

    return through_strip(executor, View(network, embed_all=embed_all), args, kwargs, call)
