"""Runs under the host's Python: boots the host's modules, imports the pack as a package."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACK = HERE.parents[1]
HOST = os.environ.get("COMFYUI_PATH", os.path.expanduser("~/ComfyUI"))

if not (Path(HOST) / "comfyui_version.py").exists() or "FRESCO_HOST_TESTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]  # collected only when tests/test_host.py starts them
else:
    import tiny  # noqa: F401 - boots the host on import

    spec = importlib.util.spec_from_file_location(
        "fresco_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    pack = importlib.util.module_from_spec(spec)
    sys.modules["fresco_pack"] = pack
    spec.loader.exec_module(pack)


@pytest.fixture
def any_size(monkeypatch):
    """All models are trained for any size: for what `~` and presets do in a run, on tiny canvases."""
    from fresco_pack.nodes import architecture

    for name in ("TRAINED_PIXELS", "U_NET_PIXELS"):
        monkeypatch.setattr(architecture, name, (0, None))


@pytest.fixture
def any_start(monkeypatch):
    """Runs may begin coarse from any sigma and picture: for what a look is at a sigma of a test's."""
    from fresco_pack.fresco_core import plan
    from fresco_pack.nodes import planning

    monkeypatch.setattr(plan, "starts_low", lambda *_: False)
    monkeypatch.setattr(planning, "coarsest_start", lambda *_: planning.MAX_LEVEL)


@pytest.fixture
def apply():
    """apply(patcher, schedule text, detail="zero", traces=None, ...) -> patched clone."""
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.wrappers import apply_fresco

    def call(patcher, schedule, detail="zero", traces=None, **mixing):
        return apply_fresco(patcher, parse(schedule), detail, traces, **mixing)

    return call
