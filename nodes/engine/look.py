"""The canvas as the host's network sees it at a run's look, and its predictions brought back."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...fresco_core import Canvas, Margin, MixedLook, coarse_state, expand, merge
from ...fresco_core.canvas.frames import expand_frames, merge_frames
from ...fresco_core.canvas.haar import (
    extend,
    level_size,
    pack_channels,
    padded_size,
    repeated,
    unpack_channels,
)
from ...fresco_core.canvas.levels import THREE_QUARTERS, block
from ...fresco_core.course import ChosenLook
from ...fresco_core.look.dense import FULL, levelled
from ...fresco_core.look.mixed import coarse_levelled, level_state
from ..host.windows import windowed
from .frames import shortened
from .kept_pixels import rearranged, seen_of
from .network_inputs import Given
from .streams import ALONE, Streams
from .target import Target


@dataclass
class CanvasView:
    """A run's canvas through its current look.

    prediction: the last one, of all that the run holds. given: what the network gets beside the state.
    foreign: whether the sampler has shown the model something else than the canvas. streams: what the run
    holds, the first of which is the canvas.
    """

    target: Target
    canvas: Canvas
    margin: Margin
    look: ChosenLook = FULL
    prediction: Tensor | None = None
    given: Given = field(default_factory=Given)
    foreign: bool = False
    streams: Streams = ALONE

    def coarse(self, x: Tensor, sigma: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor]:
        """(p, sigma_k) that the model is called with for a canvas x (B, C, ..., H, W), an area or a context
        window of it, at sigma (B,)."""
        whole, repeated = self.given.kept, self.given.repeated
        kept = None if whole is None else seen_of(whole, x, transformer_options, repeated)
        if kept is not None:
            kept = rearranged(kept, lambda part: self.arranged(part, transformer_options))
        x = self.arranged(x, transformer_options)
        noisy = x if kept is None else kept.without(self, x, sigma)
        state, _ = self._continued(noisy, sigma, transformer_options)
        if kept is not None:
            state = kept.beyond(state, self.look.halvings)
        at, halvings = self.target.parameterisation, self.look.halvings
        state, level_sigma = coarse_state(state, sigma, self.look.level, at, halvings)
        if kept is not None:
            state = kept.together(self, state, level_sigma, x)
        return self.packed(state), level_sigma

    def mixed_states(
        self, x: Tensor, sigma: Tensor, own_clock: bool, transformer_options: dict
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For a mixed evaluation of the canvas x (B, C, ..., H, W) at sigma (B,): x continued to whole
        blocks, what coarse tokens are read from, and its noise level."""
        canvas, last = self._continued(x, sigma, transformer_options)
        if last is not None:
            last = repeated(extend(last, (canvas.shape[-2], canvas.shape[-1])), canvas.shape[0])
        parameterisation = self.target.parameterisation
        state, state_sigma = level_state(canvas, sigma, self.look.level, own_clock, parameterisation, last)
        return self.packed(canvas), self.packed(state), state_sigma

    def whole(self, concat: Tensor | None, x: Tensor) -> Tensor | None:
        """Channels that the host concatenates to x, continued as far as `mixed_states` continues x."""
        if concat is None:
            return None
        return extend(concat, padded_size((x.shape[-2], x.shape[-1]), self.look.level, self.canvas.patch))

    def fine_pixels(self, x: Tensor) -> Tensor:
        """Where the unpacked pixels of x, a batch of the run's canvases, are fine; shaped to mask them."""
        assert isinstance(self.look, MixedLook)
        layout = self.look.layout.for_batch(x.shape[0])
        return layout.fine_pixels(self._token, self.canvas.frame_patch, self.unpacked(x))

    def condition(self, tensor: Tensor, x: Tensor, on_canvas: bool = False) -> Tensor:
        """A conditioning tensor on x's grid, or one m times as fine, brought to the level.

        Other sizes (reference pictures) are brought to the level of their own grid; `on_canvas` says that
        they are not such, and may be so many times as coarse as x.
        """
        tensor = shortened(tensor, self.canvas.frames, self.look.halvings)
        times, coarser = times_as_fine(tensor, x), times_as_fine(x, tensor) if on_canvas else 0
        base = x.shape[-2:] if times or coarser else tensor.shape[-2:]
        packing = self.canvas.packing if tensor.shape[1] == x.shape[1] else 1
        level, token = self.look.level, self.canvas.patch * packing
        whole = padded_size((base[0] * packing, base[1] * packing), level, token)
        size = tuple(side * max(times, 1) // max(coarser, 1) for side in whole)
        tensor = unpack_channels(tensor, packing)
        merged = merge(extend(tensor, (size[0], size[1])), level)
        if level == THREE_QUARTERS:  # whose weights are not all positive: masks stay in [0, 1]
            across = tuple(axis for axis in range(tensor.ndim) if axis != 1)
            least, most = tensor.amin(across, keepdim=True), tensor.amax(across, keepdim=True)
            merged = torch.where((least >= 0.0) & (most <= 1.0), merged.clamp(0.0, 1.0), merged)
        return pack_channels(merged, packing)

    def on_canvas(self, low: Tensor, size: tuple[int, int]) -> Tensor:
        """A prediction made at the level copied over the canvas (or area) of `size`."""
        level, packing = self.look.level, self.canvas.packing
        height, width = size[0] * packing, size[1] * packing
        rows, columns = level_size((height, width), level)
        spread = expand(self.unpacked(low)[..., :rows, :columns], level, (height, width))
        return self.packed(expand_frames(spread, self.look.halvings, self.canvas.frames))

    def levelled(self, prediction: Tensor, x: Tensor) -> Tensor:
        """A prediction of the canvas x that the host has put together of several (areas, guidance), constant
        again over what is coarse."""
        unpacked, level = self.unpacked(prediction), self.look.level
        if isinstance(self.look, MixedLook):
            out = coarse_levelled(unpacked, self.fine_pixels(x), level)
        else:
            out = levelled(unpacked, level, self.look.halvings)
        if level == THREE_QUARTERS:  # blocks that the edge breaks know more than what is left of them
            given = expand_frames(merge_frames(unpacked, self.look.halvings), self.look.halvings, x.shape[-3])
            rows, columns = (side - side % block(level)[0] for side in out.shape[-2:])
            out[..., rows:, :], out[..., columns:] = given[..., rows:, :], given[..., columns:]
        return self.packed(out).to(prediction.dtype)

    def arranged(self, x: Tensor, transformer_options: dict, back: bool = False) -> Tensor:
        """x on the grid of the canvas, or of a window of it, with the guides' pixels that are one at the
        level together, or `back` where they were; pixels of the video stay where they are."""
        thin = self.given.thin
        return x if thin is None else thin.arranged(x, self.look.level, transformer_options, back)

    def unpacked(self, x: Tensor) -> Tensor:
        """x with the pixels that the host packs into its channels spread out."""
        return unpack_channels(x, self.canvas.packing)

    def packed(self, x: Tensor) -> Tensor:
        """Inverse of `unpacked`."""
        return pack_channels(x, self.canvas.packing)

    def _continued(self, x: Tensor, sigma: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor | None]:
        """x unpacked and continued to whole tokens and groups of frames of the level, and the last prediction
        of what x shows."""
        state = self.unpacked(x)
        size = padded_size((state.shape[-2], state.shape[-1]), self.look.level, self._token)
        last = None if self.prediction is None else self.streams.first(self.prediction)
        last = windowed(last, x, transformer_options, self.given.repeated)
        if last is None:  # an area, whose border is no edge; it has all frames
            return extend(state, size), None
        last, at = self.unpacked(last).to(state), self.target.parameterisation
        return self.margin.around(state, sigma, size, last, at, self.look.halvings), last

    @property
    def _token(self) -> int:
        """Side of a token in unpacked latent pixels."""
        return self.canvas.patch * self.canvas.packing


def times_as_fine(tensor: Tensor, x: Tensor) -> int:
    """How many times as fine as x's grid a tensor's is, both ways alike; 0 if no whole number."""
    times = tensor.shape[-1] // x.shape[-1]
    return times if tuple(tensor.shape[-2:]) == (times * x.shape[-2], times * x.shape[-1]) else 0
