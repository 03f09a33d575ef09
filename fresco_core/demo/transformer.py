"""A rectified-flow transformer in the FLUX.1 layout and key names, in plain torch.

Layout: Black Forest Labs' FLUX.1 (double-stream blocks, then single-stream ones, adaptive layer norms, rotary
    positions over (0, y, x)). The host finds hidden size, context and pooled widths and depths from the
    weights; patch size 2, MLP ratio 4, axes (16, 56, 56), theta 10000, and thus a head size of 128, it
    assumes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..cost.families import flux
from ..cost.transformer import Architecture
from ..layout import Layout
from .attention import HEAD_SIZE, AlignedAttention, Attend, attend_dense, rotary
from .autoencoder import LATENT_CHANNELS
from .scenes import PROMPT_TOKENS

PATCH = 2
TIME_SIZE = 256

Conditioning = Tensor | tuple[tuple[Tensor, int], ...]
"""The vector (B, hidden) that modulates all tokens, or one for each range of tokens, with its length."""


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


class HeadNorm(nn.Module):
    """Root-mean-square norm over one head's channels."""

    def __init__(self, size: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """(..., size)."""
        return F.rms_norm(x, self.scale.shape, self.scale, eps=1e-6)


class QueryKeyNorm(nn.Module):
    """Norms of queries and keys."""

    def __init__(self):
        super().__init__()
        self.query_norm = HeadNorm(HEAD_SIZE)
        self.key_norm = HeadNorm(HEAD_SIZE)


class Embedder(nn.Module):
    """Linear, SiLU, linear."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.in_layer = nn.Linear(size, hidden)
        self.out_layer = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(B, size) to (B, hidden)."""
        return self.out_layer(F.silu(self.in_layer(x)))


class Modulation(nn.Module):
    """`count` vectors (shift, scale, gate, ...) from the conditioning vector."""

    def __init__(self, hidden: int, count: int):
        super().__init__()
        self.count = count
        self.lin = nn.Linear(hidden, count * hidden)

    def forward(self, vec: Conditioning) -> tuple[Tensor, ...]:
        """(B, hidden) to `count` tensors (B, 1, hidden); ranges of L tokens in all to (B, L, hidden)."""
        if isinstance(vec, Tensor):
            return self.lin(F.silu(vec))[:, None].chunk(self.count, dim=-1)
        return _over_ranges(self.lin, vec).chunk(self.count, dim=-1)


def _over_ranges(linear: nn.Module, vec: tuple[tuple[Tensor, int], ...]) -> Tensor:
    """`linear` of each range's vector (B, hidden), repeated over the range's tokens: (B, L, out)."""
    return torch.cat([linear(F.silu(v))[:, None].expand(-1, length, -1) for v, length in vec], dim=1)


class Attention(nn.Module):
    """Weights of one stream's attention; the attention itself is joint."""

    def __init__(self, hidden: int):
        super().__init__()
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.norm = QueryKeyNorm()
        self.proj = nn.Linear(hidden, hidden)


def _mlp(hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(hidden, 4 * hidden), nn.GELU(approximate="tanh"), nn.Linear(4 * hidden, hidden)
    )


def _modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def _heads(qkv: Tensor, norm: QueryKeyNorm) -> tuple[Tensor, Tensor, Tensor]:
    batch, length, size = qkv.shape
    q, k, v = qkv.view(batch, length, 3, size // (3 * HEAD_SIZE), HEAD_SIZE).permute(2, 0, 3, 1, 4)
    return norm.query_norm(q), norm.key_norm(k), v


class DoubleStreamBlock(nn.Module):
    """Image and text with weights of their own and one attention over both."""

    def __init__(self, hidden: int):
        super().__init__()
        self.img_mod, self.txt_mod = Modulation(hidden, 6), Modulation(hidden, 6)
        self.img_attn, self.txt_attn = Attention(hidden), Attention(hidden)
        self.img_mlp, self.txt_mlp = _mlp(hidden), _mlp(hidden)

    def forward(
        self, img: Tensor, txt: Tensor, img_vec: Conditioning, txt_vec: Tensor, attend: Attend
    ) -> tuple[Tensor, Tensor]:
        """img (B, L, hidden), txt (B, T, hidden); the same shapes back."""
        i, t = self.img_mod(img_vec), self.txt_mod(txt_vec)
        iq, ik, iv = _heads(self.img_attn.qkv(_modulated(img, i[0], i[1])), self.img_attn.norm)
        tq, tk, tv = _heads(self.txt_attn.qkv(_modulated(txt, t[0], t[1])), self.txt_attn.norm)
        seen = attend(torch.cat((tq, iq), 2), torch.cat((tk, ik), 2), torch.cat((tv, iv), 2))
        txt_seen, img_seen = seen.split((txt.shape[1], img.shape[1]), dim=1)
        img = img + i[2] * self.img_attn.proj(img_seen)
        img = img + i[5] * self.img_mlp(_modulated(img, i[3], i[4]))
        txt = txt + t[2] * self.txt_attn.proj(txt_seen)
        txt = txt + t[5] * self.txt_mlp(_modulated(txt, t[3], t[4]))
        return img, txt


class SingleStreamBlock(nn.Module):
    """Attention and MLP side by side over text and image together."""

    def __init__(self, hidden: int):
        super().__init__()
        self.linear1 = nn.Linear(hidden, 7 * hidden)
        self.linear2 = nn.Linear(5 * hidden, hidden)
        self.norm = QueryKeyNorm()
        self.modulation = Modulation(hidden, 3)

    def forward(self, x: Tensor, vec: Conditioning, attend: Attend) -> Tensor:
        """x (B, T + L, hidden)."""
        shift, scale, gate = self.modulation(vec)
        size = x.shape[-1]
        qkv, mlp = self.linear1(_modulated(x, shift, scale)).split((3 * size, 4 * size), dim=-1)
        seen = attend(*_heads(qkv, self.norm))
        return x + gate * self.linear2(torch.cat((seen, F.gelu(mlp, approximate="tanh")), dim=-1))


class LastLayer(nn.Module):
    """Adaptive norm and projection to patches."""

    def __init__(self, hidden: int, out: int):
        super().__init__()
        self.linear = nn.Linear(hidden, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2 * hidden))

    def forward(self, x: Tensor, vec: Conditioning) -> Tensor:
        """(B, L, hidden) to (B, L, out)."""
        if isinstance(vec, Tensor):
            shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)
        else:
            shift, scale = _over_ranges(self.adaLN_modulation[1], vec).chunk(2, dim=-1)
        return self.linear(_modulated(x, shift, scale))


def time_features(t: Tensor) -> Tensor:
    """Cosines and sines of 1000 t, (B,) to (B, TIME_SIZE)."""
    half = TIME_SIZE // 2
    omega = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angle = 1000.0 * t.float()[:, None] * omega
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


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

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor) -> Tensor:
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
        ids = torch.zeros(context.shape[1] + rows * columns, 3, device=x.device)
        grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        ids[context.shape[1] :, 1:] = torch.stack(grid, dim=-1).reshape(-1, 2).to(ids)
        table = rotary(ids)

        vec = self._vector(timestep, y)
        img = self._run(to_tokens(x), context, vec, vec, vec, partial(attend_dense, table=table))
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
        attend = AlignedAttention.of(layout, text).prepared()
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
