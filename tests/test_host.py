"""Starts the host tests under each host's own Python.

Hosts: COMFYUI_PATH (several joined by the system's path separator), by default ~/ComfyUI and every
~/ComfyUI-*. Python: COMFYUI_PYTHON, by default .venv/bin/python of ~/ComfyUI. Needs pytest there.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOME = Path.home()


def hosts() -> list[Path]:
    named = os.environ.get("COMFYUI_PATH")
    found = (
        [Path(p).expanduser() for p in named.split(os.pathsep)] if named else sorted(HOME.glob("ComfyUI*"))
    )
    return [p for p in found if (p / "comfyui_version.py").exists()]


PYTHON = Path(os.environ.get("COMFYUI_PYTHON", HOME / "ComfyUI" / ".venv" / "bin" / "python")).expanduser()


def missing() -> str | None:
    if not hosts():
        return "NO HOST: set COMFYUI_PATH to a ComfyUI of version 0.9.2 or newer to run the host tests"
    if not PYTHON.exists():
        return f"NO HOST PYTHON: {PYTHON} does not exist; set COMFYUI_PYTHON to the Python that runs ComfyUI"
    if subprocess.run([PYTHON, "-c", "import pytest"], capture_output=True).returncode:
        return f"NO PYTEST ON THE HOST: run {PYTHON} -m pip install pytest"
    return None


SUITES = sorted(p.name for p in (HERE / "host").glob("test_*.py"))
FOUND: list[Path | None] = [*hosts()] or [None]


def run_suite(host: Path, suite: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "COMFYUI_PATH": str(host),
        "FRESCO_HOST_TESTS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",  # small tensors: more threads only wait for each other
    }
    command = [PYTHON, "-m", "pytest", "-c", HERE / "host" / "pytest.ini", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, HERE / "host" / suite], env=environment, capture_output=True, text=True, cwd=HERE / "host"
    )


@pytest.fixture(scope="session")
def running(request):
    """Suites of all hosts, started together, as many at a time as there are cores; each test waits for its
    own."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    wanted = {
        item.callspec.params["case"]
        for item in request.session.items
        if "running" in getattr(item, "fixturenames", ())
    }
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield {case: pool.submit(run_suite, *case) for case in sorted(wanted)}


@pytest.mark.parametrize(
    "case",
    [(host, suite) for host in FOUND for suite in SUITES],
    ids=lambda case: f"{case[0].name if case[0] else 'none'}-{case[1]}",
)
def test_host_suite(case, running, capsys):
    host, suite = case
    done = running[case].result()
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    with capsys.disabled():
        print("\n".join([f"\n{host.name} {suite}: {last}", *skipped]), file=sys.stderr)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
