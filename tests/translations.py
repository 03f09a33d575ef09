"""What the page makes of Python's sentences, asked of its own module under node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

TRANSLATE = Path(__file__).parent / "web" / "translate.mjs"


def translations(texts: list[str]) -> dict[str, list[str | None]]:
    """What the page makes of texts, by language, None of one that is not wholly translated. Skips the test
    where there is no node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE: install Node.js 20.19 or newer to test the translations")
    done = subprocess.run(
        [node, TRANSLATE],
        input=json.dumps(texts),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
