"""The parts of the demo transformer, under FLUX.1's key names."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import HEAD_SIZE, Attend

TIME_SIZE = 256

Conditioning = Tensor | tuple[tuple[Tensor, int], ...]
"""The vector (B, hidden) that modulates all tokens, or one for each range of tokens, with its length."""


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
