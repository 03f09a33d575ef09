"""Pictures of a job, and how far they are from others."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageSequence, UnidentifiedImageError
from torch import Tensor

from fresco_core.bench import LEAST_SIDE, peak_ratio, perceptual, similarity

from . import CannotRun
from .server import Job, Server

MOST_FRAMES = 256  # of an animated file
LOSSY = ("JPEG", "WEBP")


@dataclass(frozen=True)
class Found:
    """The pictures of a job, files with frames as their frames, each (N, H, W, 3) in [0, 1]; what of the
    outputs was left out; the first to show."""

    files: tuple[Tensor, ...]
    notes: tuple[str, ...]

    @property
    def shown(self) -> Image.Image:
        """The middle frame of the first file."""
        first = self.files[0]
        return Image.fromarray((first[len(first) // 2] * 255.0).round().to(torch.uint8).numpy())

    @property
    def size(self) -> str:
        """In words."""
        count, height, width, _ = self.files[0].shape
        return f"{width}x{height}" + (f", {count} frames" if count > 1 else "")


def downloaded(server: Server, job: Job) -> Found:
    """All pictures of a job's outputs. Raises CannotRun where there is none."""
    files, notes = [], []
    for node, made in sorted(job.outputs.items()):
        for entry in made.get("images", ()):
            name = entry.get("filename", "")
            try:
                picture = Image.open(io.BytesIO(server.picture(entry)))
                files.append(frames_of(picture))
            except UnidentifiedImageError:
                notes.append(f"{name} of node {node} is no picture that can be compared; save frames as WEBP")
                continue
            if picture.format in LOSSY:
                notes.append(f"{name} of node {node} is {picture.format}, whose own loss is in the distances")
        others = [key for key in ("gifs", "videos", "video", "audio") if made.get(key)]
        notes += [f"{key} of node {node} cannot be compared; save frames as PNG or WEBP" for key in others]
    if not files:
        raise CannotRun(
            f"the graph made no picture that can be compared ({'; '.join(notes) or 'no output node'}): add a "
            "Preview Image node, or Save Animated WEBP for a video"
        )
    return Found(tuple(files), tuple(notes))


def frames_of(picture: Image.Image) -> Tensor:
    """The frames (N, H, W, 3) of a file. Raises CannotRun for what is too small to be compared."""
    frames = [
        np.array(frame.convert("RGB"))
        for frame, _ in zip(ImageSequence.Iterator(picture), range(MOST_FRAMES))
    ]
    if min(frames[0].shape[:2]) < LEAST_SIDE:
        width, height = picture.size
        raise CannotRun(f"a picture is {width}x{height} pixels; expected {LEAST_SIDE} a side to compare them")
    return torch.from_numpy(np.stack(frames)).float() / 255.0


def distances(a: Found, b: Found) -> tuple[float, float, float | None]:
    """PSNR, SSIM and, where this machine has it, LPIPS of the files of two jobs, mean over those that differ:
    the others are what a graph shows beside its result, a picture of control for one. Raises CannotRun where
    they are not the same number and size."""
    shapes = [[tuple(f.shape) for f in found.files] for found in (a, b)]
    if shapes[0] != shapes[1]:
        raise CannotRun(
            f"plain made pictures of {shapes[0]} and a preset of {shapes[1]}; expected the same number and "
            "size"
        )
    both, network = list(zip(a.files, b.files)), _lpips()
    pairs = [(x, y) for x, y in both if not torch.equal(x, y)] or both
    means = [sum(f(x, y) for x, y in pairs) / len(pairs) for f in (peak_ratio, similarity)]
    return means[0], means[1], None if network is None else sum(network(x, y) for x, y in pairs) / len(pairs)


@functools.cache
def _lpips() -> Callable[[Tensor, Tensor], float] | None:
    return perceptual.lpips()
