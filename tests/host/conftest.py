"""Runs under the host's Python: boots the host's modules, imports the pack as a package."""

import gc
import importlib.util
import json
import os
import shutil
import sys
import zlib
from contextlib import contextmanager
from dataclasses import replace
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


def pytest_collection_modifyitems(config, items):
    """FRESCO_SHARE=I/N, for host I of N: of the cases of tests with parameters every N-th; of other tests all
    on the first host, which is the newest, and on the others every (N-1)-th. What needs a newer host runs on
    every host that is, and on no other; what is dear may run on the newest alone."""
    if "FRESCO_HOST_TESTS" not in os.environ:
        return  # this folder's hooks are called for the whole run that starts the hosts
    other = {item for item in items if not _wanted(item)}
    config.hook.pytest_deselected(items=[*other])
    items[:] = [item for item in items if item not in other]


def _wanted(item):
    import comfyui_version

    since = item.get_closest_marker("since")
    if since is not None:
        found = tuple(int(n) for n in comfyui_version.__version__.split(".")[:2])
        return found >= since.args[0]
    index, count = (int(n) for n in os.environ.get("FRESCO_SHARE", "0/1").split("/"))
    if item.get_closest_marker("newest") is not None:
        return index == 0
    chosen = zlib.crc32(item.name.encode())
    if hasattr(item, "callspec"):
        return chosen % count == index
    return index == 0 or chosen % (count - 1) == index - 1


@pytest.fixture(autouse=True, scope="module")
def little_left_behind():
    """Of other suites in the process. The host searches for garbage in every run behind a clone that is gone,
    and one of its model patches takes the models in its list for models that are still there."""
    import comfy.model_management

    gc.collect()
    gc.freeze()
    loaded = comfy.model_management.current_loaded_models
    loaded[:] = [entry for entry in loaded if entry.model is not None]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A booted host: the pack from its archive, a FLUX of tiny files, one preset that was kept before it
    started. server.archived: whether the pack is from the archive."""
    from booted import KEPT, Server, install, save_tiny_files

    base = tmp_path_factory.mktemp("host")
    archived = install(base / "custom_nodes")
    save_tiny_files(base / "models")
    kept = base / "user" / "default" / "fresco_presets.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(KEPT), "utf-8")
    running = Server(base)
    running.archived, running.base = archived, base
    yield running
    running.process.terminate()
    running.process.wait(30)
    shutil.rmtree(base / "models")


@pytest.fixture(autouse=True)
def models_stay_as_they_are():
    """Every test leaves the models that it shares with others as it has found them."""
    yield
    assert (changed := tiny.changed()) == [], f"models that the next test would find changed: {changed}"


@pytest.fixture
def flux():
    """The tiny FLUX with a canvas of 16x16 latent pixels, 64 tokens."""
    return tiny.build("flux")


@pytest.fixture
def wans():
    """The two experts' models, of one size and different weights."""
    return [tiny.build("wan", seed=seed, size=(32, 32), frames=2) for seed in (0, 5)]


@pytest.fixture
def pair(wans):
    """The two experts' patchers, their sigmas shifted as official graphs shift them."""
    from two_experts import shifted

    return [shifted(model.patcher) for model in wans]


@contextmanager
def trained_for_any_size():
    """All known models but the demo models are trained for any size, while this lasts: for what `~` and
    presets do in a run, on tiny canvases."""
    from fresco_pack.nodes import families

    family_of = families.family_of

    def of_any_size(model):
        family = family_of(model)
        if family is None or family.trained is None or family in families.flux.DEMOS.values():
            return family
        return replace(family, trained=(0, None))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "family_of", of_any_size)
        yield


@pytest.fixture
def any_size():
    """All known models but the demo models are trained for any size."""
    with trained_for_any_size():
        yield


@pytest.fixture
def any_start(monkeypatch):
    """Runs may begin coarse from any sigma and picture: for what a look is at a sigma of a test's."""
    from fresco_pack.fresco_core.schedule import planning as plans
    from fresco_pack.nodes.engine import planning as runs

    monkeypatch.setattr(plans, "starts_low", lambda *_: False)
    monkeypatch.setattr(runs, "coarsest_start", lambda *_: runs.MAX_LEVEL)


@pytest.fixture
def apply():
    """apply(patcher, schedule text, traces=None, ...) -> patched clone."""
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    def call(patcher, schedule, traces=None, **settings):
        return apply_fresco(patcher, parse(schedule), traces, **settings)

    return call
