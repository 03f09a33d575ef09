"""Run the demo or the tests on a fresh machine: makes a virtual environment in .venv, installs, runs.

python3 tools/run.py demo [options]     draw one seed plain and through Fresco (see --help)
python3 tools/run.py test [options]     lint, type check, all tests (options go to pytest)
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
REQUIREMENTS = ROOT / "tools" / "requirements.txt"


def python() -> Path:
    """The environment's Python, everything in tools/requirements.txt installed."""
    executable = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = ENVIRONMENT / "installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"setting up {ENVIRONMENT} (once)", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run(
            [
                executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                REQUIREMENTS,
            ],
            check=True,
        )
        stamp.write_text(wanted)
    return executable


def main(arguments: list[str]) -> int:
    """Run a command; returns its exit status."""
    if not arguments or arguments[0] not in ("demo", "test"):
        print(__doc__)
        return 2
    command, options = arguments[0], arguments[1:]
    runs = {
        "demo": [["-m", "fresco_core", "demo", *options]],
        "test": [
            ["-m", "ruff", "check", "."],
            ["-m", "mypy"],
            ["-m", "pytest", "-c", "tests/pytest.ini", "tests", *options],
        ],
    }[command]
    executable = python()
    for run in runs:
        status = subprocess.run([executable, *run], cwd=ROOT).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
