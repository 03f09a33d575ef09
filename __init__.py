"""Fresco for ComfyUI: diffusion transformers that sample coarse to fine on one canvas."""

if __package__:  # imported by the host as a package; a test runner that finds this file alone imports nothing
    from .nodes import comfy_entrypoint

    __all__ = ["comfy_entrypoint"]
