"""Starts the unit tests of the browser's modules with node's own test runner."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parent / "web"
UNITS = (
    "readout.test.mjs",
    "plan_view.test.mjs",
    "words.test.mjs",
    "told.test.mjs",
    "older_graphs.test.mjs",
    "forecast.test.mjs",
)
OLDEST = (20, 19)  # the first that reads ES modules from .js files without a package.json


def test_the_browser_modules():
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE: install Node.js 20.19 or newer to test the browser modules")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        pytest.skip(f"NODE IS TOO OLD: found {version.strip()}, the browser modules need 20.19 or newer")
    done = subprocess.run([node, "--test", *UNITS], cwd=WEB, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
