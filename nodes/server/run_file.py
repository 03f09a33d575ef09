"""What the panels in the browser read, in the host's temporary folder: files of runs, and pictures.

The history keeps the numbers of a run; its maps and pictures are here, so that an entry of the history stays
small. The newest files of a session are kept, and the host empties the folder when it starts.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import uuid
from pathlib import Path
from typing import Any

import folder_paths
import torch
from PIL import Image
from torch import Tensor

log = logging.getLogger(__name__)

PREFIX = "fresco_run_"
MOST_FILES = 32  # of a session
PICTURE, MOST_PICTURES = "fresco_picture_", 512  # of a session
QUALITY = 88


def save_run(record: dict[str, Any]) -> str | None:
    """Write a run's record and drop the oldest ones; its file's name, None where the folder takes nothing."""
    folder = Path(folder_paths.get_temp_directory())
    path = folder / f"{PREFIX}{uuid.uuid4().hex}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, separators=(",", ":"), allow_nan=False), "ascii")
        keep_newest(folder, f"{PREFIX}*.json", MOST_FILES)
    except OSError as error:  # a full disk is no reason to fail a prompt whose picture is done
        log.warning("Fresco: the maps of this run could not be kept for the viewer: %s", error)
        return None
    return path.name


def save_pictures(pictures: Tensor) -> list[dict[str, str]]:
    """Write pictures (B, H, W, 3) in [0, 1] and drop the oldest ones; how the host's /view knows them, the
    first MOST_PICTURES of them, none where the folder takes nothing."""
    folder, name = Path(folder_paths.get_temp_directory()), uuid.uuid4().hex
    saved = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, picture in enumerate(pictures[:MOST_PICTURES]):
            path = folder / f"{PICTURE}{name}_{index:03}.png"
            Image.fromarray(_pixels(picture)).save(path, compress_level=1)
            saved.append({"filename": path.name, "subfolder": "", "type": "temp"})
        keep_newest(folder, f"{PICTURE}*.png", MOST_PICTURES)
    except OSError as error:
        log.warning("Fresco: pictures could not be kept for the node: %s", error)
    return saved


def keep_newest(folder: Path, pattern: str, most: int) -> None:
    """Delete all files of a pattern but the newest ones."""
    found = sorted(folder.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    for old in found[most:]:
        old.unlink(missing_ok=True)


def _pixels(picture: Tensor) -> Any:
    return (picture[..., :3].clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu().numpy()


def as_text(picture: Tensor) -> str:
    """A picture (H, W, 3) in [0, 1] as base64 of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(_pixels(picture)).save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")
