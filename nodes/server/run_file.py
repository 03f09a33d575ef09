"""The file of a run that the viewer in the browser reads, in the host's temporary folder.

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
QUALITY = 88


def save_run(record: dict[str, Any]) -> str | None:
    """Write a run's record and drop the oldest ones; its file's name, None where the folder takes nothing."""
    folder = Path(folder_paths.get_temp_directory())
    path = folder / f"{PREFIX}{uuid.uuid4().hex}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, separators=(",", ":"), allow_nan=False), "ascii")
        for old in kept_runs(folder)[MOST_FILES:]:
            old.unlink(missing_ok=True)
    except OSError as error:  # a full disk is no reason to fail a prompt whose picture is done
        log.warning("Fresco: the maps of this run could not be kept for the viewer: %s", error)
        return None
    return path.name


def kept_runs(folder: Path) -> list[Path]:
    """The files of runs in a folder, newest first."""
    return sorted(folder.glob(f"{PREFIX}*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def as_text(picture: Tensor) -> str:
    """A picture (H, W, 3) in [0, 1] as base64 of a JPEG."""
    pixels = (picture.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")
