"""The pack in a real browser: boots the host, then starts the browser tests of tests/web with node.

Needs node, a Chromium (CHROMIUM names it) and `npm ci` in tests/web. Each test's milliseconds, and with
FRESCO_SCREENSHOTS=1 screenshots, are kept under out/web/. The frontend is the host's own, and then each in
COMFYUI_FRONTENDS: folders into which pip has installed a comfyui_frontend_package, joined by the system's
path separator.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from booted import Server
from comfyui_version import __version__

PACK = Path(__file__).parents[2]
WEB = PACK / "tests" / "web"
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NEWEST = (0, 33)  # the frontend is one package, the same below every host here
FRONTENDS = [Path(name) for name in os.environ.get("COMFYUI_FRONTENDS", "").split(os.pathsep) if name]


def missing() -> str | None:
    if tuple(int(n) for n in __version__.split(".")[:2]) < NEWEST:
        return (
            f"the browser tests run on ComfyUI {'.'.join(map(str, NEWEST))} and newer, not on {__version__}"
        )
    if shutil.which("node") is None:
        return "NO NODE: install Node.js 20.19 or newer to run the browser tests"
    if not (WEB / "node_modules" / "playwright-core").is_dir():
        return "NO PLAYWRIGHT: run npm ci in tests/web to run the browser tests"
    if CHROMIUM is None:
        return "NO BROWSER: install chromium, or set CHROMIUM to one, to run the browser tests"
    return None


def test_the_pack_in_a_browser(tmp_path):
    reason = missing()
    if reason:
        pytest.skip(reason)
    for frontend in (None, *FRONTENDS):
        walk(tmp_path / (frontend.name if frontend else "own"), frontend)


def walk(base: Path, frontend: Path | None):
    """All browser tests on a host with that frontend, or its own."""
    root = frontend and frontend / "comfyui_frontend_package" / "static"
    assert root is None or root.is_dir(), f"{frontend} holds no comfyui_frontend_package"
    (base / "custom_nodes").mkdir(parents=True)
    os.symlink(PACK, base / "custom_nodes" / "fresco")
    server = Server(base, *(["--front-end-root", str(root)] if root else []))
    shown = PACK / "out" / "web" / (frontend.name if frontend else "")
    try:
        done = subprocess.run(
            ["node", "--test", "--test-reporter=spec", "browser.test.mjs"],
            cwd=WEB,
            env={
                **os.environ,
                "FRESCO_URL": f"http://127.0.0.1:{server.port}",
                "FRESCO_CHROMIUM": CHROMIUM,
                "FRESCO_OUT": str(shown),
            },
            capture_output=True,
            text=True,
            timeout=1800,
        )
    finally:
        server.process.terminate()
        server.process.wait(30)
    (shown / "tests.txt").write_text(done.stdout, "utf-8")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:] + server.output()
