"""What is kept from one call of the network to the next, by the host's step caches and by other packs, where
the look changes between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KEEP_BY_SHAPE = (
    "teacache",
    "tea_cache",
    "magcache",
    "mag_cache",
    "fbcache",
    "firstblockcache",
    "first_block_cache",
    "wavespeed",
    "cachedit",
    "cache_dit",
    "dbcache",
    "taylorseer",
    "spectrum",
    "deepcache",
)
"""In the names of packs that compare a step's features with those of the last and cannot be restarted."""


def restart_block_caches(model: Any, transformer_options: dict) -> None:
    """Empty what was kept of the last look: core's FLUX key and value cache of reference pictures, its cache
    of Wan Animate 2's poses (which cannot hold two sizes), and nunchaku's first-block cache."""
    for patch in patches_of(transformer_options):
        if isinstance(getattr(patch, "cache", None), dict) and callable(getattr(patch, "cleanup", None)):
            patch.cleanup()
    poses = transformer_options.get("animate2_cache")
    if poses is not None and hasattr(poses, "free"):
        poses.free()
    network = model.diffusion_model
    if hasattr(network, "_cache_context") and hasattr(network, "_prev_timestep"):
        network._prev_timestep = None  # it then begins a new context with the next call


def patches_of(transformer_options: dict) -> Iterator[Any]:
    """All patches of the network's blocks and attention."""
    for patches in transformer_options.get("patches", {}).values():
        yield from patches
    for replaced in transformer_options.get("patches_replace", {}).values():
        yield from replaced.values()


def keeps_a_map(patch: Any) -> bool:
    """Whether a patch of the network's blocks brings a model of its own that looks at a picture of control on
    the canvas's grid (Z-Image's Fun ControlNets, DiffSynth's, Uni3C, LLLite); USO's gives tokens of style."""
    return callable(getattr(patch, "models", None)) and type(patch).__name__ != "UsoStyleProjectorPatch"


def patches_with_maps(transformer_options: dict) -> list[Any]:
    """The patches that keep a map, each once: one may lie at several blocks."""
    found = (patch for patch in patches_of(transformer_options) if keeps_a_map(patch))
    return list({id(patch): patch for patch in found}.values())


def on_full_grid(transformer_options: dict) -> str | None:
    """What a node or pack does on the canvas's own grid within the model, where no look can be given to it;
    None where there is none."""
    keys = [str(key) for group in transformer_options.get("wrappers", {}).values() for key in group]
    owners = (getattr(patch, "__self__", None) for patch in patches_of(transformer_options))
    if any(hasattr(owner, "hint_latent") for owner in owners):
        return "SUPIR writes pictures of the full size into what the network sees"
    counting = "RadialAttn" if "radial_attn" in transformer_options else ""
    counting = "H3 Continuum" if any(key.startswith("h3_continuum") for key in keys) else counting
    return f"{counting} counts the network's tokens on the full grid" if counting else None


def unrestartable(network: Any, model_options: dict) -> str | None:
    """Why a run behind another pack's step cache cannot change its look, if it has one."""
    options = model_options.get("transformer_options", {})
    found = [model_options.get("model_function_wrapper"), vars(network).get("forward")]
    for wrappers in options.get("wrappers", {}).values():
        found += [wrapper for group in wrappers.values() for wrapper in group]
    for function in found:
        place = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
        if place.startswith(("comfy.", "comfy_extras.")):
            continue
        name = next((n for n in KEEP_BY_SHAPE if n in place.lower().replace("-", "")), None)
        if name is not None:
            return f"a step cache ({name}) compares each step with the last, which must be of one size"
    return None


def restart_step_cache(transformer_options: dict) -> None:
    """Bring core's EasyCache or LazyCache back to its first step, its settings and counters kept.

    On a change of size EasyCache's own reset sets the rate of change to 0, after which every later step is
    skipped; LazyCache looks at the canvas, whose size never changes, and would answer for the finer look with
    what the coarser one has left.
    """
    holder = transformer_options.get("easycache")
    if holder is None or not hasattr(holder, "clone"):
        return
    kept = {"start_t", "end_t", "total_steps_skipped", "output_change_rates", "approx_output_change_rates"}
    for name, value in vars(holder.clone()).items():
        if name not in kept:
            setattr(holder, name, value)


def end_step_cache_at(transformer_options: dict, sigma: float) -> None:
    """Let core's EasyCache or LazyCache answer for no step of this pass from `sigma` on, or its own end.

    Without it they may skip every step of a pass's last look.
    """
    holder = transformer_options.get("easycache")
    if holder is not None and hasattr(holder, "end_t"):
        holder.fresco_own_end = getattr(holder, "fresco_own_end", float(holder.end_t))
        holder.end_t = max(holder.fresco_own_end, sigma)


def answered_by_step_cache(transformer_options: dict) -> int:
    """How many steps core's EasyCache or LazyCache has answered for so far."""
    return int(getattr(transformer_options.get("easycache"), "total_steps_skipped", 0))
