"""What a flat graph says of sizes and settings, and what it leaves open.

Pictures and videos that are loaded have any size. They are taken as INPUT_PICTURE and INPUT_VIDEO, and every
reading that rests on that says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from .arithmetic import selected, worked_out
from .graph import Graph, Link, Node


@dataclass(frozen=True)
class Size:
    """Pixels, and frames of video."""

    width: int
    height: int
    frames: int = 1


INPUT_PICTURE = Size(1024, 1024)
INPUT_VIDEO = Size(1280, 720, 81)
PICTURE_WORDS = "an input picture's size is not in the graph: taken as 1024x1024"
VIDEO_WORDS = "an input video's size is not in the graph: taken as 1280x720, 81 frames"
ALIGNED = 8  # pixels of a latent pixel at least, which scaled pictures are cut to before they are encoded
MOST_STEPS = 60  # of a chain of links


@dataclass
class Reading:
    """A graph and what had to be assumed while it was read."""

    graph: Graph
    assumed: list[str] = field(default_factory=list)

    def assume(self, words: str) -> None:
        """Note an assumption, once."""
        if words not in self.assumed:
            self.assumed.append(words)

    def setting(self, node: Node, name: str, default: Any = None) -> Any:
        """The value of a node's input: what its link tells, else the node's own widget."""
        if name in node.links:
            found = self.value(node.links[name])
            if found is not None:
                return found
            kind = self.graph[node.links[name].node].kind if node.links[name].node in self.graph else "?"
            if name in node.values:
                value = node.values[name]
                self.assume(f"{name} from {kind} is not in the graph: the {value} saved beside it")
        return node.values.get(name, default)

    def value(self, link: Link, depth: int = 0) -> Any:
        """A number, text or choice that an output gives; None where the graph does not tell."""
        node = self.graph.get(link.node)
        if node is None or depth > MOST_STEPS:
            return None

        def own(name: str) -> Any:
            if name in node.links:
                return self.value(node.links[name], depth + 1)
            return node.values.get(name)

        kind = node.kind
        if kind == "ComfySwitchNode":
            chosen = self.switched(node)
            return None if chosen is None else self.value(chosen, depth + 1)
        if kind == "ComfyMathExpression":
            names = {n.split(".")[-1]: own(n) for n in node.types if n.startswith("values.")}
            found = worked_out(str(node.raw[0] if node.raw else node.values.get("expression", "")), names)
            return int(found) if found is not None and link.slot == 1 else found
        if kind == "ResolutionSelector":
            ratio, pixels = own("aspect_ratio"), own("megapixels")
            return selected(str(ratio), float(pixels or 1.0), int(own("multiple") or 8))[link.slot]
        if kind in ("GetImageSize", "GetImageSizeAndCount"):
            size = self.picture(node, depth + 1)
            wanted = (size.width, size.height, size.frames)
            return wanted[link.slot - (kind != "GetImageSize")]
        if kind == "WanCameraEmbedding":
            return own(("", "width", "height", "length")[link.slot])
        if kind == "CustomCombo":
            return node.raw[link.slot] if len(node.raw) > 1 else None
        if kind == "ComfyNumberConvert":
            found = own("value")
            return int(found) if found is not None and link.slot == 1 else found
        if kind.startswith("Primitive"):
            told = "value" in node.values or "value" in node.links
            return own("value") if told else (node.raw or [None])[0]
        return None

    def switched(self, node: Node) -> Link | None:
        """The branch that a ComfySwitchNode takes."""
        state = self.setting(node, "switch", False)
        return node.links.get("on_true" if state else "on_false")

    def pixels(self, link: Link | None, depth: int = 0) -> Size:
        """The size of pictures that an output gives."""
        node = None if link is None else self.graph.get(link.node)
        if node is None or depth > MOST_STEPS:
            self.assume(PICTURE_WORDS)
            return INPUT_PICTURE
        return self._made(node, depth)

    def picture(self, node: Node, depth: int = 0) -> Size:
        """The size of the first picture that goes into a node."""
        names = node.linked("IMAGE", "VIDEO", "MASK", "*", "COMFY_MATCHTYPE_V3", "IMAGE,MASK")
        preferred = [n for n in names if node.types[n] in ("IMAGE", "VIDEO")] or names
        if not preferred and "Video" in node.kind:
            self.assume(VIDEO_WORDS)
            return INPUT_VIDEO
        return self.pixels(node.links[preferred[0]] if preferred else None, depth + 1)

    def _made(self, node: Node, depth: int) -> Size:
        """The size of what a node makes."""
        kind = node.kind
        if kind in ("LoadVideo", "GetVideoComponents", "VHS_LoadVideo"):
            self.assume(VIDEO_WORDS)
            return INPUT_VIDEO
        if kind == "ComfySwitchNode":
            return self.pixels(self.switched(node), depth + 1)
        if kind in ("VAEDecode", "VAEDecodeTiled"):
            return self.latent(node.links.get("samples"), depth + 1)
        if kind == "ResizeImageMaskNode":
            return _resized(self.picture(node, depth), node.raw)
        if (scaled := self._scaled(node, depth)) is not None:
            return scaled
        if kind in ("EmptyImage", "ImageScale", "ResizeAndPadImage", "SolidMask", "RenderSplat", "Painter"):
            width = self.setting(node, "width", None) or self.setting(node, "target_width", 0)
            height = self.setting(node, "height", None) or self.setting(node, "target_height", 0)
            if width and height:
                frames = self.picture(node, depth).frames if node.linked("IMAGE") else 1
                return Size(int(width), int(height), frames)
        if node.linked("IMAGE", "VIDEO", "MASK"):
            return self.picture(node, depth)
        self.assume(PICTURE_WORDS)
        return INPUT_PICTURE

    def _scaled(self, node: Node, depth: int) -> Size | None:
        kind = node.kind
        if kind == "ImageScaleToTotalPixels":
            return to_pixels(self.picture(node, depth), float(self.setting(node, "megapixels", 1.0)))
        if kind == "FluxKontextImageScale":
            return to_pixels(self.picture(node, depth), 1.0)
        if kind == "ImageScaleBy":
            return times(self.picture(node, depth), float(self.setting(node, "scale_by", 1.0)))
        if kind == "ImageUpscaleWithModel":
            self.assume("an upscale model is taken to enlarge 4 times")
            return times(self.picture(node, depth), 4.0)
        if kind in ("ImageScaleToMaxDimension", "ResizeImagesByLongerEdge"):
            longest = self.setting(node, "largest_size", None) or self.setting(node, "longer_edge", 1024)
            size = self.picture(node, depth)
            return times(size, float(longest) / max(size.width, size.height))
        if kind == "ImagePadForOutpaint":
            left, top, right, bottom = (
                int(self.setting(node, side, 0)) for side in ("left", "top", "right", "bottom")
            )
            size = self.picture(node, depth)
            return replace(size, width=size.width + left + right, height=size.height + top + bottom)
        if kind == "ImageFromBatch":
            return replace(self.picture(node, depth), frames=int(self.setting(node, "length", 1)))
        return None

    def latent(self, link: Link | None, depth: int = 0) -> Size:
        """The size in pixels of what a latent stands for."""
        node = None if link is None else self.graph.get(link.node)
        if node is None or depth > MOST_STEPS:
            self.assume(PICTURE_WORDS)
            return INPUT_PICTURE
        if node.kind == "ComfySwitchNode":
            return self.latent(self.switched(node), depth + 1)
        if node.kind == "WanSoundImageToVideoExtend":
            size = self.latent(node.links.get("video_latent"), depth + 1)
            return replace(size, frames=int(self.setting(node, "length", 77)))
        width, height = (self.setting(node, side, None) for side in ("width", "height"))
        if width and height:
            frames = self.setting(node, "length", None) or self.setting(node, "video_frames", None) or 1
            layers = self.setting(node, "layers", None)
            return Size(int(width), int(height), 4 * int(layers) + 1 if layers else int(frames))
        if node.kind in ("LTXVLatentUpsampler", "LatentUpscaleBy"):
            factor = float(self.setting(node, "scale_by", 2.0))
            return times(self.latent(node.links.get("samples"), depth + 1), factor)
        if "pixels" in node.links:
            return self.pixels(node.links.get("pixels"), depth + 1)
        latents = node.linked("LATENT")
        usual = ("video_latent", "latent_image", "samples", "latent", "av_latent")
        first = [n for n in latents if n in usual]
        if latents:
            return self.latent(node.links[(first or latents)[0]], depth + 1)
        return self.picture(node, depth + 1)

    def behind(self, link: Link | None, kinds: tuple[str, ...], depth: int = 0) -> Node | None:
        """The first node of some kinds that a latent comes through, in front of any sampler."""
        node = None if link is None else self.graph.get(link.node)
        if node is None or depth > MOST_STEPS:
            return None
        if node.kind in kinds:
            return node
        if node.kind == "ComfySwitchNode":
            return self.behind(self.switched(node), kinds, depth + 1)
        found = (self.behind(node.links[n], kinds, depth + 1) for n in node.linked("LATENT"))
        return next((n for n in found if n is not None), None)


def times(size: Size, factor: float) -> Size:
    """A size `factor` times as large, at whole latent pixels."""
    return replace(
        size,
        width=max(round(size.width * factor / ALIGNED), 1) * ALIGNED,
        height=max(round(size.height * factor / ALIGNED), 1) * ALIGNED,
    )


def to_pixels(size: Size, megapixels: float) -> Size:
    """A size of the same shape with that many times 1024 x 1024 pixels."""
    return times(size, math.sqrt(megapixels * 1024 * 1024 / (size.width * size.height)))


def _resized(size: Size, values: list[Any]) -> Size:
    """ResizeImageMaskNode: its choice comes first, and then what that asks for."""
    choice = str(values[0]) if values else ""
    if choice == "scale dimensions" and values[1] and values[2]:
        return replace(size, width=int(values[1]), height=int(values[2]))
    if choice == "scale by multiplier":
        return times(size, float(values[1]))
    if choice == "scale total pixels":
        return to_pixels(size, float(values[1]))
    if choice == "scale longer dimension":
        return times(size, float(values[1]) / max(size.width, size.height))
    return size
