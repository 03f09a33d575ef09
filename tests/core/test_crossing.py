"""The benchmark of crossings: its errors where they are known, its autoencoder and its table."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("PIL")
from PIL import Image

from benchmarks.crossing import SIZES, Taesd, distance, distances, main, square
from fresco_core import merge
from fresco_core.bench.distance import EQUAL


class Means:
    """An autoencoder whose latents are means of pixels: the same at every size, so that copies are right."""

    scale = 8

    def decode(self, latent):
        return F.interpolate(latent, scale_factor=8, mode="bicubic", align_corners=False).clamp(0.0, 1.0)

    def encode(self, pixels):
        return F.avg_pool2d(pixels, 8)


def waves(side, cycles):
    """A picture (1, 3, side, side) of slow waves."""
    x = torch.arange(side) / side
    line = 0.5 + 0.4 * torch.cos(2 * torch.pi * cycles * x)
    return (line[:, None] * line).expand(1, 3, side, side).contiguous()


def test_slow_detail_crosses_whole_where_scales_agree_and_quick_detail_at_three_quarters_alone():
    slow, quick = distances(Means(), waves(256, 2)), distances(Means(), waves(256, 10))
    assert set(slow) == {(size, way) for size in SIZES for way in ("copied", "over pixels")}
    for size in SIZES:
        assert slow[size, "copied"].coarse_band < 1e-5 and slow[size, "copied"].next_band < 1e-5
        assert slow[size, "copied"].psnr > 25 and slow[size, "over pixels"].psnr > 25
    assert slow["3/4", "copied"].error < slow["1/2", "copied"].error < 0.1
    assert quick["3/4", "copied"].error < 0.5 * quick["1/2", "copied"].error


def test_errors_are_shares_of_the_latents_variance():
    whole = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) + 3.0
    same = distance(Means(), whole, whole)
    assert (same.error, same.coarse_band, same.next_band, same.psnr) == (0.0, 0.0, 0.0, EQUAL)
    flat = distance(Means(), whole.mean((-2, -1), keepdim=True).expand_as(whole), whole)
    assert [flat.error, flat.coarse_band, flat.next_band] == pytest.approx([1.0, 1.0, 1.0], rel=1e-4)
    coarse = merge(whole, 2).repeat_interleave(4, -2).repeat_interleave(4, -1)
    kept = distance(Means(), coarse, whole)
    assert kept.coarse_band == pytest.approx(0.0, abs=1e-9) and kept.next_band == pytest.approx(1.0, rel=1e-4)


SOURCE = """
import torch


class TAESD(torch.nn.Module):
    def __init__(self, encoder_path, decoder_path):
        super().__init__()
        assert [path.rsplit("/")[-1] for path in (encoder_path, decoder_path)] == [
            "taef2_encoder.pth",
            "taef2_decoder.pth",
        ]
        self.encoder = torch.nn.AvgPool2d(8)
        self.decoder = torch.nn.Upsample(scale_factor=8)
"""


def test_the_command_prints_a_row_of_every_crossing(tmp_path, capsys):
    (tmp_path / "taesd.py").write_text(SOURCE, "utf-8")
    pixels = (np.random.default_rng(0).random((96, 160, 3)) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert square(tmp_path / "a.png", 64).shape == (1, 3, 64, 64)
    main(["--taesd", str(tmp_path), "--side", "256", str(tmp_path / "a.png")])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[:2] for row in rows[2:]] == [
        [f"| {size}", way] for size in SIZES for way in ("copied", "over pixels")
    ]


def test_a_folder_without_the_autoencoder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no taesd.py; expected a copy of"):
        Taesd(tmp_path)
