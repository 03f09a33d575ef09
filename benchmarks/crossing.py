"""How far a clean draft is from the whole picture's own latent, copied over its blocks and over pixels.

    python -m benchmarks.crossing --taesd FOLDER PICTURE... [--side 512]

FOLDER is a copy of `madebyollin/taesd`, which has tiny autoencoders that were distilled from real ones; the
one of FLUX.2 is used. The best draft that there can be is the picture itself made smaller and encoded. Errors
are shares of the variance of the whole picture's latent, of all of it and of two bands: what its means over
4 x 4 pixels hold, and what those over 2 x 2 hold besides. PSNR is to the decoded whole latent.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fresco_core import Canvas, expand, merge
from fresco_core.bench.distance import peak_ratio
from fresco_core.canvas.levels import THREE_QUARTERS, side_at
from fresco_core.look.bridge import Autoencoder, bicubic, bridged

SIZES: dict[str, float] = {"1/2": 1, "3/4": THREE_QUARTERS}
"""Of drafts, and their levels."""


@dataclass(frozen=True)
class Distance:
    """Of a draft on the canvas to the whole picture's latent."""

    error: float
    coarse_band: float
    next_band: float
    psnr: float


class Taesd:
    """A tiny autoencoder of that repository as bridge.Autoencoder."""

    scale = 8

    def __init__(self, folder: Path, name: str = "taef2"):
        """Raises FileNotFoundError where the folder is no copy of the repository."""
        source = folder / "taesd.py"
        spec = importlib.util.spec_from_file_location("taesd", source)
        if not source.is_file() or spec is None or spec.loader is None:
            raise FileNotFoundError(
                f"{folder} has no taesd.py; expected a copy of github.com/madebyollin/taesd"
            )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        files = (str(folder / f"{name}_{part}.pth") for part in ("encoder", "decoder"))
        self.model = module.TAESD(*files).eval().requires_grad_(False)

    def decode(self, latent: Tensor) -> Tensor:
        """(B, C, h, w) to pictures (B, 3, 8h, 8w) in [0, 1]."""
        return self.model.decoder(latent).clamp(0.0, 1.0)

    def encode(self, pixels: Tensor) -> Tensor:
        """Inverse of `decode`, about."""
        return self.model.encoder(pixels.clamp(0.0, 1.0))


def distances(autoencoder: Autoencoder, picture: Tensor) -> dict[tuple[str, str], Distance]:
    """By size of the draft and way, of a picture (1, 3, S, S) in [0, 1]."""
    whole, found = autoencoder.encode(picture), {}
    side = whole.shape[-1]
    canvas = Canvas(side, side)
    for size, level in SIZES.items():
        own = side_at(picture.shape[-1], level)
        small = bicubic(picture, (own, own))
        copied = expand(autoencoder.encode(small.clamp(0.0, 1.0)), level, (side, side))
        found[size, "copied"] = distance(autoencoder, copied, whole)
        carried = bridged(copied, level, 0, autoencoder, canvas)
        found[size, "over pixels"] = distance(autoencoder, carried, whole)
    return found


def distance(autoencoder: Autoencoder, draft: Tensor, whole: Tensor) -> Distance:
    """Of a draft's latent (1, C, h, w) to the whole picture's."""
    return Distance(
        _share(draft, whole),
        _share(merge(draft, 2), merge(whole, 2)),
        _share(_between(draft), _between(whole)),
        peak_ratio(autoencoder.decode(draft), autoencoder.decode(whole)),
    )


def _share(found: Tensor, wanted: Tensor) -> float:
    spread = wanted - wanted.mean((-2, -1), keepdim=True)
    return float((found - wanted).square().sum() / spread.square().sum())


def _between(latent: Tensor) -> Tensor:
    """What level 1 shows besides level 2."""
    half = merge(latent, 1)
    return half - expand(merge(half, 1), 1, (half.shape[-2], half.shape[-1]))


def square(path: Path, side: int) -> Tensor:
    """The middle of a picture as (1, 3, side, side) in [0, 1]."""
    with Image.open(path) as opened:
        picture, least = opened.convert("RGB"), min(opened.size)
    left, top = ((own - least) // 2 for own in picture.size)
    cut = picture.resize((side, side), Image.Resampling.LANCZOS, (left, top, left + least, top + least))
    return torch.from_numpy(np.array(cut)).movedim(-1, 0)[None].float() / 255.0


def table(found: list[dict[tuple[str, str], Distance]]) -> Iterable[str]:
    """Means over pictures, in Markdown."""
    yield "| draft | reaches the canvas | error | of the coarse band | of the next band | PSNR |"
    yield "|---|---|---|---|---|---|"
    for size, way in found[0]:
        rows = [one[size, way] for one in found]
        error, coarse, after, psnr = (
            float(np.mean([getattr(row, field.name) for row in rows])) for field in fields(Distance)
        )
        yield f"| {size} | {way} | {error:.3f} | {coarse:.3f} | {after:.3f} | {psnr:.1f} dB |"


@torch.no_grad()
def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--taesd", type=Path, required=True, help="a copy of that repository")
    parser.add_argument("--side", type=int, default=512, help="of the pictures (default %(default)s)")
    parser.add_argument("pictures", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    autoencoder = Taesd(options.taesd)
    found = [distances(autoencoder, square(path, options.side)) for path in options.pictures]
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
