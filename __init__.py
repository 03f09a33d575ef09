"""Fresco for ComfyUI: diffusion transformers that sample coarse to fine on one canvas."""

WEB_DIRECTORY = "./web"

if __package__:  # imported by the host as a package; a test runner that finds this file alone imports nothing
    from .nodes import comfy_entrypoint

    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
