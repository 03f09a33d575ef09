"""Measures on disk, shard by shard, so that a run can stop and go on at any moment."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tools.demo.work import downscale

from .measure import Judge, Measures, as_jpeg
from .pictures import Drawn, Studio
from .settings import REFERENCE, Setting

REAL = "real"


class Store:
    """Measures of one studio's pictures in a folder; those of real pictures, which hold for all weights of
    one judge and autoencoder, in another."""

    def __init__(self, folder: Path, studio: Studio, judge: Judge, real: Path | None = None):
        self.folder, self.studio, self.judge = folder, studio, judge
        self._real = real or folder

    def measure(self, setting: Setting, shard: slice, inception: bool) -> None:
        """Draw and measure a shard of a setting, unless that is done."""
        file = self._file(setting.key, shard)
        known = _load(file)
        if known and (not inception or "inception" in known):
            return
        drawn = self.studio.draw(setting, shard)
        found = self.judge.marks(drawn, self.studio.ids[shard])
        reference = self._reference(shard, drawn if setting == REFERENCE else None)
        if setting.size:
            reference = downscale(reference, setting.size)
        found |= self.judge.likeness(drawn.pictures, reference)
        found |= {"seconds": np.array([drawn.seconds]), "full_step": np.array([drawn.full_step_seconds])}
        found |= {"flops": np.full(len(drawn.pictures), drawn.flops)}
        if inception:
            found["inception"] = self.judge.inception(drawn.pictures)
        _save(file, found)

    def measure_real(self, shard: slice, inception: bool, size: int = 0) -> None:
        """The same for real pictures of a size, as far as it applies; fidelity is to the whole scenes."""
        file = self._file(real_key(size), shard)
        known = _load(file)
        if known and (not inception or "inception" in known):
            return
        drawn = self.studio.real(shard, size)
        found = self.judge.marks(drawn, self.studio.scenes[shard])
        if inception:
            found["inception"] = self.judge.inception(drawn.pictures)
        _save(file, found)

    def measure_basis(self, shard: slice, inception: bool, size: int = 0) -> None:
        """Features of a shard of the pictures that judged features are projected by."""
        file = self._file(basis_key(size), shard)
        known = _load(file)
        if known and (not inception or "inception" in known):
            return
        scenes = self.studio.basis_scenes
        drawn = self.studio.real(shard, size, scenes)
        found = {"features": self.judge.marks(drawn, scenes[shard])["features"]}
        if inception:
            found["inception"] = self.judge.inception(drawn.pictures)
        _save(file, found)

    def basis(self, size: int) -> Measures:
        """Those features, of all shards; names that not every shard has are left out."""
        return _joined([_load(self._file(basis_key(size), shard)) for shard in self.studio.basis_shards])

    def measure_jpeg(self, shard: slice) -> None:
        """What saving the reference's pictures of a shard as JPEG costs."""
        file = self._file("jpeg", shard)
        if not file.exists():
            pictures = self._reference(shard)
            _save(file, self.judge.likeness(as_jpeg(pictures), pictures))

    def read(self, key: str, shards: int | None = None) -> Measures:
        """The first shards, or all, of a setting (or a `real_key`) joined; names that not every shard has are
        left out."""
        return _joined([_load(self._file(key, shard)) for shard in self.studio.shards[:shards]])

    def pictures(self, setting: Setting, count: int) -> Tensor:
        """The setting's first pictures (count, 3, H, W), drawn again unless it is the reference; at most one
        shard."""
        first = self.studio.shards[0]
        if setting == REFERENCE:
            return self._reference(first)[:count]
        return self.studio.draw(setting, slice(0, min(count, first.stop))).pictures

    def _reference(self, shard: slice, drawn: Drawn | None = None) -> Tensor:
        """The reference's pictures of a shard, drawn once."""
        file = self._file("pictures", shard)
        if not file.exists():
            pictures = (drawn or self.studio.draw(REFERENCE, shard)).pictures
            _save(file, {"pictures": (pictures * 255.0).round().byte().numpy()})
        return torch.from_numpy(_load(file)["pictures"]).float() / 255.0

    def _file(self, key: str, shard: slice) -> Path:
        folder = self._real if key.startswith(REAL) else self.folder
        return folder / key / f"{shard.start:05d}-{shard.stop:05d}.npz"


def real_key(size: int) -> str:
    """Where measures of real pictures of a size are kept."""
    return f"{REAL}-{size}" if size else REAL


def basis_key(size: int) -> str:
    """Where features of the pictures that others are projected by are kept."""
    return f"{real_key(size)}-basis"


def _joined(parts: list[Measures]) -> Measures:
    names = set.intersection(*(set(part) for part in parts))
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(names)}


def _load(file: Path) -> Measures:
    if not file.exists():
        return {}
    with np.load(file) as content:
        return dict(content)


def _save(file: Path, content: Measures) -> None:
    """Write whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as out:
        np.savez(out, **content)
    scratch.replace(file)
