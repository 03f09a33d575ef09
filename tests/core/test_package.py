"""The core as a package of its own: installed without the pack, and used as docs/python.md says."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tomllib
import torch

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds what `pip install .` installs, made from a copy that builds nothing in the tree."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    names = ("fresco_core", "pyproject.toml", "README.md", "LICENSE")
    source.mkdir()
    for name in names:
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--no-index", "--target", folder / "site", source], check=True)
    return folder / "site"


def test_what_is_installed_is_the_core_alone(installed):
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith("dist-info")} == {"fresco_core"}
    assert (installed / "fresco_core" / "py.typed").exists()
    weights = installed / "fresco_core" / "demo" / "weights"
    assert list(weights.glob("*.safetensors")) and list((weights / "open").glob("*.safetensors"))


def test_the_demo_runs_from_what_is_installed(installed):
    found = subprocess.run(
        [sys.executable, "-c", "import fresco_core\n" + BLOCKS[0] + "print(fresco_core.__file__)"],
        cwd=installed.parent,
        env={"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    ratio, place = found.stdout.split()
    assert 0.1 < float(ratio) < 0.9 and Path(place).is_relative_to(installed)


def test_a_denoiser_of_the_diffusers_kind_draws_as_the_docs_say():
    sizes = []

    def transformer(hidden_states, timestep, encoder_hidden_states):
        sizes.append(tuple(hidden_states.shape[-2:]))
        assert 0.0 <= float(timestep[0]) <= 1000.0
        return hidden_states

    room = SimpleNamespace(transformer=transformer, embeddings=torch.zeros(1, 4, 8)).__dict__
    exec(BLOCKS[1], room)  # noqa: S102 - the page says what it does
    assert room["latent"].shape == (1, 16, 128, 128)
    assert sizes == [(64, 64)] * 10 + [(128, 128)] * 10


def test_dependencies_are_those_that_the_core_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[><=]", line)[0] for line in project["dependencies"]}
    imports = set()
    for path in (ROOT / "fresco_core").rglob("*.py"):
        imports |= set(re.findall(r"^(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE))
    outside = imports - set(sys.stdlib_module_names) - {"PIL"}
    assert outside == declared
    assert "pillow" in project["optional-dependencies"]["demo"]
