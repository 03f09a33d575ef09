"""FLUX.1 (dev, schnell, Kontext) and what else the host runs through the same class.

The host's forward is called on the whole canvas. Its patches swap the sequence after the input layer, and put
it back in its places behind the last block: fine tokens in theirs, a coarse token in the first place of its
block. Blocks and attention thus see the mixed sequence only: text, fine, coarse and reference tokens.

Native clock: the forward is given the timesteps of fine and coarse tokens as a batch of twice the size, so
that the host makes both modulations; the blocks get both, with the ranges that they are for, and the last
layer the sequence once for each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...fresco_core.layout import pick, place
from ...fresco_core.transform import merge, pack_channels, unpack_channels
from .. import compat
from ..mixing import Conditions, MixedCall
from .clocks import pair
from .focus import attention_of

CONDITIONS = frozenset({"y", "guidance", "ref_latents", "ref_latents_method"})
FORWARD = ["x", "timestep", "context", "y", "guidance", "ref_latents", "control", "transformer_options"]


def misfit(network: Any) -> str | None:
    """What this network lacks of what the adapter uses; None if nothing."""
    if list(inspect.signature(network._forward).parameters)[: len(FORWARD)] != FORWARD:
        return "the host's FLUX forward takes other arguments than this version of Fresco knows"
    if not len(network.double_blocks) or not len(network.single_blocks):
        return "this FLUX model lacks double or single blocks"
    if getattr(network.params, "default_ref_method", "") == "index_timestep_zero":
        return "this FLUX model has its references at timestep zero, in places counted on the whole grid"
    wanted = {
        network.double_blocks[0]: {"img", "txt", "vec", "pe", "modulation_dims_img", "modulation_dims_txt"},
        network.single_blocks[0]: {"x", "vec", "pe", "modulation_dims"},
    }
    for block, names in wanted.items():
        if not names <= set(inspect.signature(block.forward).parameters):
            return "the host's FLUX blocks do not modulate ranges of tokens as this version of Fresco knows"
    return None


def one_clock(network: Any, conditions: Conditions) -> str | None:
    """Why coarse tokens share the clock of fine ones: they never must."""
    return None


def evaluate(executor: Any, args: tuple, kwargs: dict, call: MixedCall) -> Tensor:
    """The network's output on the canvas, valid at fine tokens; that of coarse tokens goes to
    `call.output`."""
    network = executor.class_obj
    given = compat.bound(" ".join(FORWARD), args, kwargs)
    x, timestep, batch = given["x"], given["timestep"], given["x"].shape[0]
    options = given["transformer_options"]
    sequence = Sequence(network, call, x, given["ref_latents"] or (), options.get("rope_options"))
    if call.native:
        given["timestep"] = torch.cat((timestep, call.timestep))
        if given["y"] is None and network.vector_in is not None:
            given["y"] = x.new_zeros(batch, network.params.vec_in_dim)
        for name in ("y", "guidance"):
            if given[name] is not None:
                given[name] = torch.cat((given[name], given[name]))
    given["transformer_options"] = sequence.patched(options)
    positional = [given.pop(name) for name in FORWARD]
    out = executor(*positional, **given)
    call.output = sequence.coarse_output(out[-batch:])
    return out[:batch]


class Sequence:
    """The mixed sequence of one call: host patches that put it in place of the canvas's, and take it out."""

    def __init__(self, network: Any, call: MixedCall, x: Tensor, references: Any, rope_options: Any):
        self.network = network
        self.call = call
        self.rope_options = rope_options
        self.layout = call.layout
        patch = network.patch_size
        self.whole = (x.shape[-2] // patch) * (x.shape[-1] // patch)
        grids = [(1, -(-r.shape[-2] // patch), -(-r.shape[-1] // patch)) for r in references]
        self.alignment = attention_of(call, grids)
        self.fine = self.layout.fine.shape[1]
        self.coarse = self.layout.coarse.shape[1]
        self.text = 0

    def patched(self, options: dict[str, Any]) -> dict[str, Any]:
        """The host's options with our patches behind, around or before those that are there."""
        patches, replaced = options.get("patches", {}), options.get("patches_replace", {})
        blocks = dict(replaced.get("dit", {}))
        kinds = (("double_block", self.network.double_blocks), ("single_block", self.network.single_blocks))
        for kind, modules in kinds:
            for i, block in enumerate(modules):
                last = kind == "single_block" and i == len(modules) - 1
                blocks[kind, i] = self._block(kind, block, blocks.get((kind, i)), last)
        return {
            **self.alignment.around(options),
            "patches": {**patches, "post_input": [*patches.get("post_input", ()), self.enter]},
            "patches_replace": {**replaced, "dit": blocks},
        }

    def enter(self, args: dict[str, Any]) -> dict[str, Any]:
        """post_input: the mixed sequence and its positions in the fine frame."""
        network, layout = self.network, self.layout
        img, ids = args["img"], args["img_ids"]
        self.text = args["txt"].shape[1]
        tokens, coarse_ids = network.process_img(
            self.call.state, transformer_options={"rope_options": self.rope_options}
        )
        centres = self._centres(ids[:, : self.whole])
        fine_frame = layout.gather(ids[:, : self.whole], centres)
        embedded = network.img_in(tokens)
        text_ids, reference_ids = args["txt_ids"], ids[:, self.whole :]
        self.alignment.align(
            network.pe_embedder,
            torch.cat((text_ids, fine_frame, reference_ids), dim=1),
            torch.cat(
                (text_ids, pick(coarse_ids, layout.blocks()), self.alignment.halved(reference_ids)), dim=1
            ),
        )
        return {
            **args,
            "img": torch.cat((layout.gather(img[:, : self.whole], embedded), img[:, self.whole :]), dim=1),
            "img_ids": torch.cat((fine_frame, ids[:, self.whole :]), dim=1),
        }

    def coarse_output(self, out: Tensor) -> Tensor:
        """The level's output (B, C, h, w), zero at fine blocks, of the network's (B, C, H, W)."""
        patch = self.network.patch_size
        tokens = pack_channels(out, patch).flatten(2).transpose(1, 2)
        rows, columns = self.layout.mask.shape[-2:]
        tokens = place(pick(tokens, self.layout.corners()), self.layout.coarse, rows * columns)
        return unpack_channels(tokens.transpose(1, 2).unflatten(2, (rows, columns)), patch)

    def _centres(self, ids: Tensor) -> Tensor:
        """Positions (B, N, axes) of the blocks' centres, from those of all fine tokens in raster order."""
        side = 1 << self.layout.level
        rows, columns = (blocks * side for blocks in self.layout.mask.shape[-2:])
        grid = ids.transpose(1, 2).unflatten(2, (rows, columns))
        return merge(grid, self.layout.level).flatten(2).transpose(1, 2)

    def _ranges(self, start: int) -> list[tuple[int, int, int]]:
        """The modulation of each range, 0 fine and 1 coarse: text up to `start`, then the image.

        Text and references go with the fine tokens, or with the coarse ones where nothing is fine.
        """
        rest = 0 if self.fine else 1
        ends = [0, start, start + self.fine, start + self.fine + self.coarse]
        ends.append(ends[-1] + self.alignment.reference_tokens)
        ranges = zip(ends, ends[1:], (rest, 0, 1, rest))
        return [(begin, end, which) for begin, end, which in ranges if end > begin]

    def _block(self, kind: str, block: Any, other: Callable | None, last: bool) -> Callable:
        """A replacement of one block; inside that of another pack, where there is one."""

        def modulated(args: dict[str, Any]) -> dict[str, Any]:
            common = {"pe": args["pe"], "vec": pair(args["vec"]), "attn_mask": args.get("attn_mask")}
            common["transformer_options"] = args["transformer_options"]
            if kind == "single_block":
                return {"img": block(args["img"], modulation_dims=self._ranges(self.text), **common)}
            text = [(0, self.text, 0 if self.fine else 1)]
            ranges = {"modulation_dims_img": self._ranges(0), "modulation_dims_txt": text}
            img, txt = block(img=args["img"], txt=args["txt"], **common, **ranges)
            return {"img": img, "txt": txt}

        def replaced(args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
            original = modulated if self.call.native else extra["original_block"]
            out = original(args) if other is None else other(args, {**extra, "original_block": original})
            return {**out, "img": self._leave(out["img"])} if last else out

        return replaced

    def _leave(self, img: Tensor) -> Tensor:
        """Text and the sequence put back in the places of the whole canvas, once for each timestep."""
        sequence = img[:, self.text : self.text + self.fine + self.coarse]
        index = torch.cat((self.layout.fine, self.layout.corners()), dim=1)
        full = torch.cat((img[:, : self.text], place(sequence, index, self.whole)), dim=1)
        return torch.cat((full, full)) if self.call.native else full
