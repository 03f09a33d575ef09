"""A rectified-flow transformer in the FLUX.1 layout and key names, in plain torch.

Layout: Black Forest Labs' FLUX.1 (double-stream blocks, then single-stream ones, adaptive layer norms, rotary
    positions over (0, y, x)). The host finds hidden size, context and pooled widths and depths from the
    weights; patch size 2, MLP ratio 4, axes (16, 56, 56), theta 10000, and thus a head size of 128, it
    assumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..cost.families import flux
from ..cost.transformer import Architecture
from ..look.token_layout import Layout
from .attention import HEAD_SIZE, Attend, attend_dense, mixed_table, rotary
from .autoencoder import LATENT_CHANNELS
from .blocks import (
    TIME_SIZE,
    Conditioning,
    DoubleStreamBlock,
    Embedder,
    LastLayer,
    Modulation,
    SingleStreamBlock,
    time_features,
)
from .scenes import PROMPT_TOKENS

PATCH = 2


@dataclass(frozen=True)
class TransformerShape:
    """Free sizes of the layout."""

    hidden: int = 128
    double_blocks: int = 3
    single_blocks: int = 5
    context_size: int = 128
    pooled_size: int = 128

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> TransformerShape:
        """The shape that a state dict has."""

        def depth(name: str) -> int:
            return len({key.split(".")[1] for key in weights if key.startswith(f"{name}.")})

        return cls(
            hidden=weights["img_in.weight"].shape[0],
            double_blocks=depth("double_blocks"),
            single_blocks=depth("single_blocks"),
            context_size=weights["txt_in.weight"].shape[1],
            pooled_size=weights["vector_in.in_layer.weight"].shape[1],
        )

    def architecture(self) -> Architecture:
        """What a step costs: FLUX.1's layout without guidance."""
        patch = LATENT_CHANNELS * PATCH * PATCH
        return flux(
            "demo",
            width=self.hidden,
            double=self.double_blocks,
            single=self.single_blocks,
            patch_inputs=patch,
            patch_outputs=patch,
            context=self.context_size,
            pooled=self.pooled_size,
            guidance=False,
            text_tokens=PROMPT_TOKENS,
        )


OPEN_SHAPE = TransformerShape(hidden=256, double_blocks=2, single_blocks=6)
"""Of the weights for short prompts; those for detailed ones have TransformerShape's own."""


def to_tokens(x: Tensor) -> Tensor:
    """Patches of 2 x 2: (B, C, H, W) to (B, H/2 * W/2, 4C), channel first within a token."""
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(b, (h // PATCH) * (w // PATCH), c * PATCH * PATCH)


def from_tokens(tokens: Tensor, height: int, width: int) -> Tensor:
    """Inverse of `to_tokens` for a latent of height x width."""
    b, _, size = tokens.shape
    x = tokens.reshape(b, height // PATCH, width // PATCH, size // (PATCH * PATCH), PATCH, PATCH)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(b, -1, height, width)


def _positions(text: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """(text + rows * columns, 3): text at the origin, then the image's grid."""
    ids = torch.zeros(text + rows * columns, 3, device=device)
    grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    ids[text:, 1:] = torch.stack(grid, dim=-1).reshape(-1, 2).to(ids)
    return ids


class DemoTransformer(nn.Module):
    """Velocity of a rectified flow, eps - x0, of latents under a prompt."""

    def __init__(self, shape: TransformerShape | None = None):
        super().__init__()
        shape = self.shape = shape or TransformerShape()
        if shape.hidden % HEAD_SIZE:
            raise ValueError(f"Hidden size {shape.hidden}; the layout needs a multiple of {HEAD_SIZE}.")
        patch = LATENT_CHANNELS * PATCH * PATCH
        self.img_in = nn.Linear(patch, shape.hidden)
        self.txt_in = nn.Linear(shape.context_size, shape.hidden)
        self.time_in = Embedder(TIME_SIZE, shape.hidden)
        self.vector_in = Embedder(shape.pooled_size, shape.hidden)
        self.double_blocks = nn.ModuleList(
            DoubleStreamBlock(shape.hidden) for _ in range(shape.double_blocks)
        )
        self.single_blocks = nn.ModuleList(
            SingleStreamBlock(shape.hidden) for _ in range(shape.single_blocks)
        )
        self.final_layer = LastLayer(shape.hidden, patch)
        self.attend_dense = attend_dense
        """The attention of `forward`; training may set another that computes the same."""
        self._start()

    def _start(self) -> None:
        """Weights for training: every block the identity, the output zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            if isinstance(module, Modulation):
                nn.init.zeros_(module.lin.weight)
        for linear in (self.final_layer.linear, self.final_layer.adaLN_modulation[1]):
            assert isinstance(linear, nn.Linear)
            nn.init.zeros_(linear.weight)

    def forward(
        self,
        x: Tensor,
        timestep: Tensor,
        context: Tensor,
        y: Tensor,
    ) -> Tensor:
        """Velocity.

        Args:
            x: noisy latents (B, 16, H, W), H and W even.
            timestep: sigma in [0, 1], (B,).
            context: prompt tokens (B, T, context_size).
            y: pooled prompt (B, pooled_size).

        Returns:
            (B, 16, H, W).
        """
        height, width = x.shape[-2:]
        rows, columns = height // PATCH, width // PATCH
        table = rotary(_positions(context.shape[1], rows, columns, x.device))
        vec = self._vector(timestep, y)
        attend = partial(self.attend_dense, table=table)
        img = self._run(to_tokens(x), context, vec, vec, vec, attend)
        return from_tokens(img, height, width)

    def mixed(
        self,
        x: Tensor,
        timestep: Tensor,
        state: Tensor,
        state_timestep: Tensor,
        layout: Layout,
        context: Tensor,
        y: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Velocities of the tokens of a mixed sequence.

        Args:
            x: noisy latents (B, 16, H, W), whole blocks, at timestep (B,).
            state: their level (B, 16, H / 2^k, W / 2^k), at state_timestep (B,).
            layout: which of them are seen, and where; of the batch's size.
            context, y: as for `forward`.

        Returns:
            The shapes of x and of state, zero where the sequence has no token.
        """
        text = context.shape[1]
        fine, coarse = layout.fine.shape[1], layout.coarse.shape[1]
        here, there = self._vector(timestep, y), self._vector(state_timestep, y)
        txt_vec = here if layout.fine_blocks else there
        img_vec = ((here, fine), (there, coarse))
        all_vec = ((txt_vec, text), *img_vec)
        attend = partial(attend_dense, table=mixed_table(layout, text))
        tokens = layout.gather(to_tokens(x), to_tokens(state))
        fine_out, coarse_out = layout.scatter(self._run(tokens, context, img_vec, txt_vec, all_vec, attend))
        return from_tokens(fine_out, *x.shape[-2:]), from_tokens(coarse_out, *state.shape[-2:])

    def _vector(self, timestep: Tensor, y: Tensor) -> Tensor:
        """What modulates all blocks, (B, hidden)."""
        return self.time_in(time_features(timestep).to(y.dtype)) + self.vector_in(y)

    def _run(
        self,
        tokens: Tensor,
        context: Tensor,
        img_vec: Conditioning,
        txt_vec: Tensor,
        all_vec: Conditioning,
        attend: Attend,
    ) -> Tensor:
        """Patches (B, L, 64) to patches. Image tokens are modulated by img_vec, text by txt_vec, and text and
        image together, in the single-stream blocks, by all_vec."""
        img, txt = self.img_in(tokens), self.txt_in(context)
        for block in self.double_blocks:
            img, txt = block(img, txt, img_vec, txt_vec, attend)
        both = torch.cat((txt, img), dim=1)
        for block in self.single_blocks:
            both = block(both, all_vec, attend)
        return self.final_layer(both[:, txt.shape[1] :], img_vec)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> DemoTransformer:
        """A model of the weights' own shape, in float32."""
        model = cls(TransformerShape.of(weights))
        model.load_state_dict({key: value.float() for key, value in weights.items()})
        return model
