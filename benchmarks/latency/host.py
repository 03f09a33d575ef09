"""The host that the benchmark runs in, and the pack in it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

PACK = Path(__file__).resolve().parents[2]
NEEDED = ("comfy.model_management", "comfy.sample", "comfy.supported_models", "comfy_api.latest")


class LacksHost(RuntimeError):
    """This machine has not what the benchmark needs; says what, and how to get it."""


def has_gpu() -> bool:
    """Whether torch sees a CUDA device. Raises LacksHost where there is no torch."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise LacksHost(f"{sys.executable} has no torch: run this with the host's own Python") from error
    return torch.cuda.is_available()


def boot(cpu: bool) -> None:
    """Put the host that COMFYUI_PATH names first on sys.path, and set it to the CPU unless a GPU is to be
    used. Raises LacksHost where the host, or a module of its requirements, is missing."""
    root = Path(os.environ.get("COMFYUI_PATH", "~/ComfyUI")).expanduser().absolute()
    if not (root / "comfy" / "sample.py").is_file():
        raise LacksHost(
            f"no ComfyUI at {root}: set COMFYUI_PATH to the folder that holds comfy/ (a checkout of "
            "https://github.com/comfyanonymous/ComfyUI, 0.9.2 or newer; no model files are needed)"
        )
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))  # before the pack's own folder, whose `nodes` is not the host's
    try:
        if "comfy.model_management" not in sys.modules:
            import comfy.options

            comfy.options.enable_args_parsing(False)
            from comfy.cli_args import args

            args.cpu = cpu
            args.use_pytorch_cross_attention = args.use_pytorch_cross_attention or cpu
        for name in NEEDED:
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise LacksHost(
            f"the ComfyUI at {root} needs the module {error.name!r}, which {sys.executable} has not: run "
            f"this with the host's own Python, or install its {root / 'requirements.txt'}"
        ) from error


def import_pack() -> ModuleType:
    """The pack as the host imports it: a package, whatever its folder is called; here `fresco_pack`."""
    if "fresco_pack" in sys.modules:
        return sys.modules["fresco_pack"]
    spec = importlib.util.spec_from_file_location(
        "fresco_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    assert spec is not None and spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    sys.modules["fresco_pack"] = pack
    spec.loader.exec_module(pack)
    return pack
