"""Lumina 2 and Z-Image: rotations made while the picture is embedded, sequences padded to whole multiples.

The picture is refined alone before it is joined with the text, which is too. Where a step mixes, all tokens
lie in one frame. Blocks and the last layer know two clocks and slices of tokens, as for reference pictures.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ..mixed.call import Conditions, MixedCall
from ..mixed.clocks import apart, sliced, takes_index, timesteps
from ..mixed.strip import View, single_frame, takes, through_strip
from .family import Family, MixedAdapter, kinds


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    block = network.layers[0]
    heads = block.attention
    return families.lumina(
        "lumina",
        width=network.dim,
        mlp=block.feed_forward.w1.out_features,
        layers=len(network.layers),
        refiners=len(network.noise_refiner),
        key_width=heads.n_kv_heads * heads.head_dim,
        context=network.cap_embedder[1].in_features,
        conditioning=block.adaLN_modulation[-1].in_features,
        time_hidden=network.t_embedder.mlp[0].out_features,
        patch_inputs=network.patch_size**2 * network.in_channels,
        patch_outputs=network.patch_size**2 * network.out_channels,
        multiple=getattr(network, "pad_tokens_multiple", None) or 1,
    )


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
    unrotated = View(network, rope_embedder=lambda ids: ids.unsqueeze(1))

    def embed_all(picture: Tensor, *texts: Any, **options: Any) -> Any:
        embeds, tables, offset = network.embed_all(picture, *texts, **options)

        def positions(like: Tensor, tokens: int) -> Tensor:
            blank = picture.new_zeros(1, *like.shape[1:])
            return unrotated.embed_all(blank, *texts, **options)[1][-1].squeeze(2)[:, :tokens]

        blocks = layout.mask[0].numel()
        fine_ids, coarse_ids = positions(x, blocks * 4**layout.level), positions(call.state, blocks)
        own = network.rope_embedder(single_frame(layout, fine_ids, coarse_ids)).movedim(1, 2)
        others: list[Any] = [t if t is None else t.expand(len(x), *(-1,) * (t.ndim - 1)) for t in tables]
        image = others.pop()
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


ADAPTER = MixedAdapter(
    "comfy.ldm.lumina.model.NextDiT",
    frozenset({"num_tokens", "clip_text_pooled"}),
    misfit,
    one_clock,
    evaluate,
)

LUMINA2 = Family(
    "Lumina",
    frozenset({"Lumina2", "NextDiT"}),
    readers={"NextDiT": cost},
    conditions=kinds(UNTOUCHED="siglip_feats ref_contexts"),
    mixed=ADAPTER,
)
