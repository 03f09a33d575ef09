"""FLUX.1 (dev, schnell, Kontext), FLUX.2 and what else the host runs through the same class.

A mixed sequence is a strip whose positions are the host's own for the whole canvas. Blocks modulate ranges of
tokens, so that coarse ones have their own clock.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.cost import Architecture, families
from ...fresco_core.demo.transformer import OPEN_SHAPE, TransformerShape
from ...fresco_core.demo.vocabulary import SHIPPED_WORDS, Vocabulary, open_vocabulary
from ..host.executors import bound
from ..mixed.call import Conditions, MixedCall
from ..mixed.clocks import TwoClocks, ranged_blocks, takes_ranges, tokenwise, twice
from ..mixed.joint import evaluate_joint, reference_grids
from ..mixed.strip import View, single_frame
from .family import Family, MixedAdapter, kinds

FORWARD = ["x", "timestep", "context", "y", "guidance", "ref_latents", "control", "transformer_options"]


DEMO_WORDS = {TransformerShape(): SHIPPED_WORDS, OPEN_SHAPE: open_vocabulary()}
"""The words of the demo models that come with this pack, by their shape. Their pictures are smaller than
FLUX's and their prompts shorter."""


def demo_words(params: Any) -> Vocabulary | None:
    """The words of the demo model whose whole configuration this is; None for any other network's."""
    found = ("hidden_size", "depth", "depth_single_blocks", "context_in_dim", "vec_in_dim")
    return DEMO_WORDS.get(TransformerShape(*(getattr(params, name, 0) for name in found)))


def cost(network: Any) -> Architecture:
    """What a step costs, from the network's own configuration."""
    params = network.params
    words = demo_words(params)
    return families.flux(
        "flux.2" if getattr(params, "global_modulation", False) else "flux.1",
        width=params.hidden_size,
        double=params.depth,
        single=params.depth_single_blocks,
        mlp_ratio=params.mlp_ratio,
        gated=getattr(params, "mlp_silu_act", False) or getattr(params, "yak_mlp", False),
        patch_inputs=network.in_channels,
        patch_outputs=network.out_channels,
        context=params.context_in_dim,
        pooled=params.vec_in_dim,
        guidance=params.guidance_embed,
        global_modulation=getattr(params, "global_modulation", False),
        **({"text_tokens": words.tokens} if words else {}),
    )


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if list(inspect.signature(network._forward).parameters)[: len(FORWARD)] != FORWARD:
        return "the host's FLUX forward takes other arguments than this version of Fresco knows"
    if not len(network.double_blocks) or not len(network.single_blocks):
        return "this FLUX model lacks double or single blocks"
    if getattr(network.params, "default_ref_method", "") == "index_timestep_zero":
        return "this FLUX model has its references at timestep zero, in places counted on the whole grid"
    if not takes_ranges(network):
        return "the host's FLUX blocks do not modulate ranges of tokens as this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones; None where they can have their own."""
    if "ref_latents" in conditions and "index_timestep_zero" in conditions.get("ref_latents_method", ()):
        return "FLUX's blocks know two clocks, and reference pictures have the second, timestep zero"
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas; see joint.evaluate_joint."""
    network, given = executor.class_obj, bound(" ".join(FORWARD), args, kwargs)
    options = {"rope_options": given["transformer_options"].get("rope_options")}
    whole, level = (
        network.process_img(x, transformer_options=options)[1][:1] for x in (given["x"], call.state)
    )
    ids = single_frame(call.layout, whole, level)
    references, behind = given["ref_latents"] or (), ids[:, :0]
    if references:
        behind = positions_of_all(network, args, kwargs)[:, whole.shape[1] :]

    def frame(text: Tensor, raster: Tensor, grid: tuple[int, int], others: Tensor) -> tuple[Tensor, ...]:
        return text, ids, behind if call.layout.fine_blocks or not references else others

    coarse = call.layout.coarse.shape[1]
    replaced = {
        "guidance_in": twice(getattr(network, "guidance_in", None)),
        "vector_in": twice(network.vector_in),
        **ranged_blocks(network, coarse),
        "final_layer": tokenwise(network.final_layer, coarse),
    }
    two_clocks = TwoClocks(replaced, ends=("img_in", "final_layer"))
    grids = reference_grids(references, network.patch_size)
    return evaluate_joint(executor, args, kwargs, call, two_clocks, frame, grids)


def positions_of_all(network: Any, args: tuple, kwargs: dict) -> Tensor:
    """The positions (B, N, axes) that the host's forward gives the whole canvas and its references."""
    found = []

    def caught(img: Tensor, img_ids: Tensor, *others: Any, **options: Any) -> Tensor:
        found.append(img_ids)
        return torch.zeros_like(img)

    View(network, forward_orig=caught)._forward(*args, **kwargs)
    return found[0]


ADAPTER = MixedAdapter(
    "comfy.ldm.flux.model.Flux",
    frozenset({"y", "guidance", "ref_latents", "ref_latents_method"}),
    misfit,
    one_clock,
    evaluate,
)

FLUX = Family(
    "FLUX",
    frozenset({"Flux", "FluxTransformer2DModel"}),
    readers={"Flux": cost},
    conditions=kinds(
        GRID="Flux.attention_mask",  # of text and image tokens together
        MASKED="Flux.c_concat",  # of FLUX Fill
    ),
    mixed=ADAPTER,
)
FLUX2 = replace(FLUX, name="FLUX.2", classes=frozenset({"Flux2"}), pixels={"Flux2": 16}, packed={"Flux2": 2})
DEMOS = {words: replace(FLUX, trained=(words.smallest_side**2, None)) for words in DEMO_WORDS.values()}


def demo_of(model: Any) -> Family | None:
    """The family of a demo model; None for any other."""
    words = demo_words(getattr(model.diffusion_model, "params", None))
    return DEMOS[words] if words else None
