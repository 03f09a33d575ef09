"""Lumina 2 and Z-Image: rotations made while the picture is embedded, sequences padded to whole multiples.

The picture is refined alone before it is joined with the text, which is too. Where a step mixes, all tokens
lie in one frame. Blocks and the last layer know two clocks and slices of tokens, as for reference pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..mixing import Conditions, MixedCall, with_options
from .clocks import apart, sliced, takes_index, timesteps
from .focus import Focus
from .strip import View, single_frame, takes, through_strip

CONDITIONS = frozenset({"num_tokens", "clip_text_pooled"})


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if not takes(getattr(network, "embed_all", None), "x", "cap_feats", "transformer_options"):
        return "the host's Lumina 2 makes its positions in another way than this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    if getattr(network, "clip_text_pooled_proj", None) is not None:
        return "the host joins this Lumina 2 model's pooled text with one timestep for each picture"
    if not takes_index((*network.noise_refiner, *network.layers, network.final_layer)):
        return "the host's Lumina 2 blocks do not modulate ranges of tokens"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network, layout, x = executor.class_obj, call.layout, args[0]
    replaced: dict[str, Any] = {}
    if call.key_values is not None:
        attention = Padded(call, network)
        args, kwargs = with_options(args, kwargs, attention.around)
        replaced["context_refiner"] = [partial(attention.aside, layer) for layer in network.context_refiner]
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def embed_all(picture: Tensor, *texts: Any, **options: Any) -> Any:
        embeds, tables, offset = network.embed_all(picture, *texts, **options)

        def positions(like: Tensor, tokens: int) -> Tensor:
            blank = picture.new_zeros(1, *like.shape[1:])
            return unrotated.embed_all(blank, *texts, **options)[1][-1].squeeze(2)[:, :tokens]

        blocks = layout.mask[0].numel()
        fine_ids, coarse_ids = positions(x, blocks * 4**layout.level), positions(call.state, blocks)
        own = network.rope_embedder(single_frame(layout, fine_ids, coarse_ids)).movedim(1, 2)
        *others, image = (
            table if table is None else table.expand(len(x), *(-1,) * (table.ndim - 1)) for table in tables
        )
        return embeds, (*others, torch.cat((own, image[:, layout.tokens :]), dim=1)), offset

    replaced["embed_all"] = embed_all
    if apart(call):
        coarse = layout.coarse.shape[1]
        padding = -layout.tokens % (network.pad_tokens_multiple or 1)
        for name in ("noise_refiner", "layers"):
            replaced[name] = [sliced(block, coarse, padding) for block in getattr(network, name)]
        replaced["final_layer"] = sliced(network.final_layer, coarse, padding)
    args = (x, timesteps(args[1], call), *args[2:])
    return through_strip(executor, View(network, **replaced), args, kwargs, call)


class Padded(Focus):
    """The attention of a focus step whose sequence ends with the picture, padded to a whole multiple.

    Padding is seen as the whole picture has it, and as it was when all tokens were queried.
    """

    def __init__(self, call: MixedCall, network: Any):
        super().__init__(call, shared=network.layers[0].attention.n_rep)
        multiple = network.pad_tokens_multiple or 1
        self.image += -self.image % multiple
        self.tokens += -self.tokens % multiple
        if call.layout.whole:
            self.index = torch.arange(self.tokens, device=self.index.device).expand(len(self.index), -1)
        self._aside = False

    def aside(self, layer: Callable, *args: Any, **kwargs: Any) -> Any:
        """What a layer makes of the text alone."""
        self._aside = True
        try:
            return layer(*args, **kwargs)
        finally:
            self._aside = False

    def _joins(self, length: int, options: dict[str, Any]) -> bool:
        self.text = length - self.image
        return not self._aside
