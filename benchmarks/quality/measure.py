"""What is measured on every picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fresco_core.canvas.haar import merge, split
from fresco_core.demo.classifier import Reading, fidelity_marks
from fresco_core.demo.scene import slots_of
from fresco_core.demo.weights import FOLDER, load_classifier

from .ground import residuals, visible_ground
from .networks import Inception, Lpips
from .pictures import Drawn

JPEG_QUALITY = 95
"""Of the loss that nobody sees, the measure for differences that do not matter."""

Measures = dict[str, np.ndarray]
"""Name to values per picture, (B,) or (B, features)."""


class Judge:
    """The networks that look at pictures; `folder` holds the classifier that belongs to the model."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._classifier = load_classifier(folder)
        self._lpips = Lpips()
        self._inception: Inception | None = None

    @torch.no_grad()
    def marks(self, drawn: Drawn, ids: Tensor) -> Measures:
        """Fidelity to what prompts say (ids: (B, columns)), features, energy of the latent's two finest
        bands, residual of the ground."""
        parts = [self._classifier(some) for some in drawn.pictures.split(64)]
        reading = Reading(*(torch.cat(list(same)) for same in zip(*(_values(part) for part in parts))))
        marks = fidelity_marks(reading, ids, self._classifier.vocabulary)
        out = {name: value.numpy().astype(np.float32) for name, value in marks.items()}
        out |= {f"{name}_asked": said.numpy().astype(np.float32) for name, said in _said(ids).items()}
        out["features"] = reading.features.numpy().astype(np.float32)
        for name, picture in (("finest_band", drawn.latents), ("second_band", merge(drawn.latents, 1))):
            out[name] = split(picture)[1].square().mean(dim=(0, 2, 3, 4)).numpy()
        out["ground"] = residuals(drawn.pictures, visible_ground(reading))
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


def _values(reading: Reading) -> list[Tensor]:
    return [getattr(reading, name) for name in Reading.__dataclass_fields__]


def _said(ids: Tensor) -> dict[str, Tensor]:
    """How many places and sizes of objects prompts (B, columns) say, (B,) each."""
    name, place, size = slots_of(ids).unbind(-1)
    return {"places": ((name > 0) & (place > 0)).sum(1), "sizes": ((name > 0) & (size > 0)).sum(1)}


def as_jpeg(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 1], saved as JPEG and read again."""
    read = []
    for picture in (pictures * 255.0).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        read.append(torch.from_numpy(np.array(Image.open(file))))
    return torch.stack(read).permute(0, 3, 1, 2).float() / 255.0
