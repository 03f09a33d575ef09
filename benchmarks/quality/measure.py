"""What is measured on every picture."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fresco_core.canvas.haar import split
from fresco_core.demo.classifier import fidelity_marks
from fresco_core.demo.weights import load_classifier

from .networks import Inception, Lpips
from .pictures import Drawn

JPEG_QUALITY = 95
"""Of the loss that nobody sees, the measure for differences that do not matter."""

Measures = dict[str, np.ndarray]
"""Name to values per picture, (B,) or (B, features)."""


class Judge:
    """The networks that look at pictures."""

    def __init__(self) -> None:
        self._classifier = load_classifier()
        self._lpips = Lpips()
        self._inception: Inception | None = None

    @torch.no_grad()
    def marks(self, drawn: Drawn, ids: Tensor) -> Measures:
        """Fidelity to the prompts (ids: (B, ID_COLUMNS)), features, energy of the latent's finest band."""
        reading = self._classifier(drawn.pictures)
        marks = fidelity_marks(reading, ids)
        detail = split(drawn.latents)[1]
        out = {name: value.numpy().astype(np.float32) for name, value in marks.items()}
        out["features"] = reading.features.numpy().astype(np.float32)
        out["finest_band"] = detail.square().mean(dim=(0, 2, 3, 4)).numpy()
        return out

    @torch.no_grad()
    def likeness(self, pictures: Tensor, reference: Tensor) -> Measures:
        """LPIPS and PSNR (dB) of pictures (B, 3, H, W) in [0, 1] to others; equal ones count as 60 dB."""
        error = (pictures - reference).square().mean(dim=(1, 2, 3)).clamp(min=1e-6)
        distance = torch.cat(
            [self._lpips(a, b) for a, b in zip(pictures.split(16), reference.split(16), strict=True)]
        )
        return {"lpips": distance.numpy(), "psnr": (-10.0 * torch.log10(error)).numpy()}

    @torch.no_grad()
    def inception(self, pictures: Tensor) -> np.ndarray:
        """Inception features (B, 2048)."""
        if self._inception is None:
            self._inception = Inception()
        return torch.cat([self._inception(some) for some in pictures.split(16)]).numpy()


def as_jpeg(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 1], saved as JPEG and read again."""
    read = []
    for picture in (pictures * 255.0).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        read.append(torch.from_numpy(np.array(Image.open(file))))
    return torch.stack(read).permute(0, 3, 1, 2).float() / 255.0
