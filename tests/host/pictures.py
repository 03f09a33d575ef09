"""Draws the pictures of the help pages, of the README and of the template browser: boots the host with the
pack and photographs it in a real browser.

With the host's Python, in tests/host: `COMFYUI_PATH=~/ComfyUI python pictures.py [NAME ...]`, where a name is
a drawing of tests/web/pictures.mjs; all of them without one. Needs what test_browser.py needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tiny  # noqa: F401 - the host's modules can be imported behind it
from booted import Server
from test_browser import CHROMIUM, PACK, WEB, missing

SHOWN = {"diffusion_models": "flux1-dev.safetensors"}
"""Files that are only to be chosen in a picture: empty."""


def main(names: list[str]) -> int:
    """Draw; returns the exit status of the browser's side."""
    reason = missing()
    if reason:
        print(reason)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "custom_nodes").mkdir()
        os.symlink(PACK, base / "custom_nodes" / "comfyui-fresco")
        for kind, name in SHOWN.items():
            (base / "models" / kind).mkdir(parents=True)
            (base / "models" / kind / name).touch()
        server = Server(base)
        try:
            environment = {
                **os.environ,
                "FRESCO_URL": f"http://127.0.0.1:{server.port}",
                "FRESCO_CHROMIUM": str(CHROMIUM),
            }
            return subprocess.run(["node", "pictures.mjs", *names], cwd=WEB, env=environment).returncode
        finally:
            server.process.terminate()
            server.process.wait(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
