"""Fetch npm packages of pictures and names, pinned by version and checksum."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """An npm package at one version."""

    name: str
    version: str
    sha512: str
    """Of the tarball, base64, as the registry's `integrity` field gives it after `sha512-`."""


FLUENT_EMOJI = Package(
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
)
"""3,391 pictures of 256 x 256, RGBA webp, named by code point; MIT."""

EMOJI_NAMES = Package(
    "unicode-emoji-json",
    "0.9.0",
    "HdrQW/7SdbXUsTd8uTATv7LvQJkCSgbAgRCDCtOhQ6xn3EAx+xZHQtRniOXWJK3ywIqPegkNhP4U4EbuFsiQng==",
)
"""Names and groups of emoji; MIT."""


def cache_folder() -> Path:
    """Where packages and sprites are kept, outside the repository; FRESCO_CACHE moves it."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "comfyui-fresco"
    return Path(os.environ.get("FRESCO_CACHE", default))


def fetch(package: Package, cache: Path | None = None) -> Path:
    """Folder with the package's files; fetched by the npm client on first use.

    Raises:
        RuntimeError: npm fails, or the tarball is not the pinned one.
    """
    cache = cache or cache_folder()
    folder = cache / f"{package.name.split('/')[-1]}-{package.version}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [
            "npm",
            "pack",
            f"{package.name}@{package.version}",
            "--silent",
            "--pack-destination",
            scratch,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        tarballs = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(tarballs) != 1:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
        found = base64.b64encode(hashlib.sha512(tarballs[0].read_bytes()).digest()).decode()
        if found != package.sha512:
            raise RuntimeError(
                f"{package.name} {package.version}: sha512 {found}, expected {package.sha512}."
            )
        with tarfile.open(tarballs[0]) as tar:
            tar.extractall(Path(scratch) / "unpacked", filter="data")
        (Path(scratch) / "unpacked" / "package").rename(folder)
    log.info("fetched %s %s to %s", package.name, package.version, folder)
    return folder


DULL_WORDS = {"badge", "flag", "globe", "map", "moon", "not", "oclock", "oncoming", "with", "without"}
"""Names with these words are near doubles of others, or not plainly named."""


def emoji_names(groups: tuple[str, ...], cache: Path | None = None) -> dict[str, int]:
    """Name to code point of plainly named, single-code-point emoji of some groups that the picture set
    has, in Unicode's order."""
    listed = json.loads((fetch(EMOJI_NAMES, cache) / "data-by-emoji.json").read_text("utf-8"))
    names = {}
    for emoji, entry in listed.items():
        points = [ord(c) for c in emoji if ord(c) != 0xFE0F]
        name = entry["name"].lower().replace("-", " ")
        plain = (
            name.replace(" ", "").isascii()
            and name.replace(" ", "").isalpha()
            and not DULL_WORDS & set(name.split())
        )
        if plain and entry["group"] in groups and len(points) == 1 and picture(points[0], cache) is not None:
            names[name] = points[0]
    return names


def picture(point: int, cache: Path | None = None) -> Path | None:
    """File of an emoji's picture, None where the set has none."""
    assets = fetch(FLUENT_EMOJI, cache) / "assets"
    for name in (f"{point:04x}.webp", f"{point:04x}-fe0f.webp"):
        if (assets / name).is_file():
            return assets / name
    return None
