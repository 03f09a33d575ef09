"""HiDream O1: places of its tokens, made anew for a level as the host makes them."""

from __future__ import annotations

from .family import Family, kinds

HIDREAM_O1 = Family(
    "HiDream O1",
    trained=None,
    conditions=kinds(
        UNTOUCHED="input_ids ar_len ref_pixel_values ref_image_grid_thw",
        # ref_patches: reference pictures behind the grid's tokens, in places that count them
        GRID="position_ids token_types vinput_mask ref_patches",
        REBUILT="HiDreamO1.position_ids HiDreamO1.token_types HiDreamO1.vinput_mask",
    ),
)
