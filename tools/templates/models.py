"""The host's classes of models: whose file a loader names, and what planning needs to know of them.

The figures are those of the host's classes and of nodes/families; tests/host/test_templates.py holds them
against both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fresco_core import FLOW, VE, Canvas, Flow, Parameterisation
from fresco_core.cost import (
    LTX_2_PIXELS,
    LTX_VIDEO_PIXELS,
    MINIMAX_H3_PIXELS,
    TRAINED_PIXELS,
    U_NET_PIXELS,
    UNKNOWN_PIXELS,
    trained_latents,
)

from .timetable import FLUX_LEVELS, LEVELS, Timetable, table_of

PICTURES, AUDIO, SOLID, PACKED = "pictures or video", "audio", "three-dimensional", "audio and video in one"


TRAINED: dict[str, tuple[int, int | None]] = {
    "SDXL": U_NET_PIXELS,
    "Stable Diffusion": U_NET_PIXELS,
    "LTX-Video": LTX_VIDEO_PIXELS,
    "LTX-2": LTX_2_PIXELS,
    "MiniMax H3": MINIMAX_H3_PIXELS,
}
"""Of families that have sizes of their own."""


@dataclass(frozen=True)
class ModelClass:
    """A class of the host's models.

    family: of nodes/families, None for an unknown one, with the sizes that these are held to. pixels: of a
    picture per latent pixel. patch: side of a token in latent pixels. shift: of a flow's sigmas, 0 for Stable
    Diffusion's noise levels, and minus the highest sigma for others, which are taken to be even in log sigma.
    frames: of video per latent frame, 1 where frames are not packed. makes: what its latents hold.
    """

    name: str
    family: str | None = None
    pixels: int = 8
    patch: int = 2
    shift: float = 1.0
    frames: int = 1
    noise_scale: float = 1.0
    makes: str = PICTURES

    @property
    def trained(self) -> tuple[int, int | None]:
        """The sizes of pictures that drafts are held to."""
        return UNKNOWN_PIXELS if self.family is None else TRAINED.get(self.family, TRAINED_PIXELS)

    @property
    def table(self) -> Timetable:
        """Its sigmas. The host keeps ten times as many for FLUX and what samples like it."""
        return table_of(self.shift, FLUX_LEVELS if self.shift in _LIKE_FLUX else LEVELS)

    @property
    def parameterisation(self) -> Parameterisation:
        """How its states mix signal and noise."""
        if self.shift <= 0.0:
            return VE
        return FLOW if self.noise_scale == 1.0 else Flow(noise_scale=self.noise_scale)

    def canvas(self, width: int, height: int, frames: int) -> Canvas:
        """The canvas of a picture, or of `frames` of video."""
        return Canvas(
            max(height // self.pixels, 1),
            max(width // self.pixels, 1),
            1 + (frames - 1) // self.frames,
            self.patch,
            trained=trained_latents(self.trained, self.pixels),
            scale=self.pixels,
            family=self.family or self.name,
            unknown=self.family is None,
        )


E15, E202, E237, E1829 = 3.1581932, 7.5383276, 10.6973903, 6.2276551  # exp of the host's 1.15, 2.02, ...
_LIKE_FLUX = (E15, E202, E237, E1829)
_ALL = (
    ModelClass("SD15", "Stable Diffusion", patch=1, shift=0.0),
    ModelClass("SDXL", "SDXL", patch=1, shift=0.0),
    ModelClass("SDXLRefiner", "SDXL", patch=1, shift=0.0),
    ModelClass("LotusD", "Stable Diffusion", patch=1, shift=0.0),
    ModelClass("SVD_img2vid", "Stable Diffusion", patch=1, shift=-700.0),
    ModelClass("SD3", "SD3", shift=3.0),
    ModelClass("Flux", "FLUX", shift=E15),
    ModelClass("FluxInpaint", "FLUX", shift=E15),
    ModelClass("FluxSchnell", "FLUX", shift=1.0),
    ModelClass("LongCatImage", "FLUX", shift=E15),
    ModelClass("Flux2", "FLUX.2", 16, 1, E202),
    ModelClass("Lens", None, 16, 2, E1829),
    ModelClass("Chroma", "Chroma", shift=E15),
    ModelClass("ChromaRadiance", "Chroma", 1, 16, E15),
    ModelClass("LTXV", "LTX-Video", 32, 1, E237, 8),
    ModelClass("LTXAV", "LTX-2", 32, 1, E237, 8, makes=PACKED),
    ModelClass("MiniMaxH3", "MiniMax H3", 16, 2, 12.0, 4, makes=PACKED),
    ModelClass("HunyuanVideo", "HunyuanVideo", shift=7.0, frames=4),
    ModelClass("HunyuanVideo15", "HunyuanVideo", 16, 1, 7.0, 4),
    ModelClass("HunyuanVideo15_SR_Distilled", "HunyuanVideo", 16, 1, 2.0, 4),
    ModelClass("Anima", None, shift=3.0, frames=4),
    ModelClass("Lumina2", "Lumina", shift=6.0),
    ModelClass("ZImage", "Lumina", shift=3.0),
    ModelClass("PixelDiTT2I", None, 1, 16, 4.0),
    ModelClass("PiD", None, 1, 16, 1.5),
    ModelClass("WAN21_T2V", "Wan", shift=8.0, frames=4),
    ModelClass("WAN21_CausalAR_T2V", "Wan", shift=5.0, frames=4),
    ModelClass("WAN21_I2V", "Wan", shift=8.0, frames=4),
    ModelClass("WAN21_FunControl2V", "Wan", shift=8.0, frames=4),
    ModelClass("WAN21_Camera", "Wan", shift=8.0, frames=4),
    ModelClass("WAN22_Camera", "Wan", shift=8.0, frames=4),
    ModelClass("WAN21_Vace", "Wan", shift=8.0, frames=4),
    ModelClass("WAN21_HuMo", "Wan", shift=8.0, frames=4),
    ModelClass("WAN22_S2V", "Wan", shift=8.0, frames=4),
    ModelClass("WAN_Animate2", "Wan", shift=5.0, frames=4),
    ModelClass("WAN22_T2V", "Wan", 16, 2, 8.0, 4),
    ModelClass("WAN21_SCAIL2", "Wan", shift=8.0, frames=4),
    ModelClass("WAN22_WanDancer", "Wan", shift=8.0, frames=4),
    ModelClass("HiDream", None, shift=1.0),
    ModelClass("HiDreamO1", None, 1, 32, 3.0, noise_scale=8.0),
    ModelClass("SeedVR2", None, patch=1, shift=1.0, frames=4),
    ModelClass("Omnigen2", None, shift=2.6),
    ModelClass("Boogu", None, shift=3.16),
    ModelClass("Ideogram4", None, 16, 2, 1.0),
    ModelClass("Krea2", "Krea 2", shift=E15, frames=4),
    ModelClass("MageFlow", "Qwen-Image", 16, 1, 6.0),
    ModelClass("QwenImage", "Qwen-Image", shift=E15, frames=4),
    ModelClass("JoyImage", None, shift=1.5, frames=4),
    ModelClass("Kandinsky5", "Kandinsky 5", shift=10.0, frames=4),
    ModelClass("Kandinsky5Image", "Kandinsky 5", shift=3.0),
    ModelClass("ErnieImage", None, 16, 1, 3.0),
    ModelClass("CogVideoX_Inpaint", None, shift=-4518.7637, frames=4),
    ModelClass("ACEStep", makes=AUDIO),
    ModelClass("ACEStep15", makes=AUDIO),
    ModelClass("StableAudio", makes=AUDIO),
    ModelClass("StableAudio3", makes=AUDIO),
    ModelClass("MiniMaxMusic3", makes=AUDIO),
    ModelClass("Hunyuan3Dv2", makes=SOLID),
    ModelClass("Hunyuan3Dv2_1", makes=SOLID),
    ModelClass("TripoSplat", makes=SOLID),
)
CLASSES: dict[str, ModelClass] = {c.name: c for c in _ALL}

_FILES: tuple[tuple[str, str], ...] = (
    (r"ace_step_1\.5|acestep_v1\.5", "ACEStep15"),
    (r"ace_step_v1_", "ACEStep"),
    (r"stable-audio-open", "StableAudio"),
    (r"stable_audio_3", "StableAudio3"),
    (r"minimax_music3", "MiniMaxMusic3"),
    (r"minimax_h3", "MiniMaxH3"),
    (r"hunyuan3d-dit-v2", "Hunyuan3Dv2"),
    (r"hunyuan_3d_v2\.1", "Hunyuan3Dv2_1"),
    (r"triposplat", "TripoSplat"),
    (r"^ltx-2", "LTXAV"),
    (r"^ltx-?video|^ltxv", "LTXV"),
    (r"sd_xl_refiner", "SDXLRefiner"),
    (r"sd_?xl", "SDXL"),
    (r"svd", "SVD_img2vid"),
    (r"lotus", "LotusD"),
    (r"sd3", "SD3"),
    (r"netayume|newbie|lumina", "Lumina2"),
    (r"z_image", "ZImage"),
    (r"chroma-radiance", "ChromaRadiance"),
    (r"chroma1?", "Chroma"),
    (r"chrono_edit", "WAN21_I2V"),
    (r"flux-2|flux2", "Flux2"),
    (r"flux\.?1-fill|flux1-canny|flux1-depth", "FluxInpaint"),
    (r"pid_", "PiD"),
    (r"flux1-schnell", "FluxSchnell"),
    (r"flux1?", "Flux"),
    (r"longcat", "LongCatImage"),
    (r"ovis_image", "FluxSchnell"),
    (r"hidream_o1", "HiDreamO1"),
    (r"hidream", "HiDream"),
    (r"wan2\.2_ti2v_5b|wan2\.2_fun_(control|inpaint)_5b", "WAN22_T2V"),
    (r"wan2\.2_fun_camera", "WAN22_Camera"),
    (r"wan2\.1_fun_camera", "WAN21_Camera"),
    (r"fun_control", "WAN21_FunControl2V"),
    (r"fun_inp", "WAN21_I2V"),
    (r"wan_animate_2", "WAN_Animate2"),
    (r"s2v", "WAN22_S2V"),
    (r"dancer", "WAN22_WanDancer"),
    (r"scail_2", "WAN21_SCAIL2"),
    (r"vace", "WAN21_Vace"),
    (r"humo", "WAN21_HuMo"),
    (r"causal_forcing", "WAN21_CausalAR_T2V"),
    (r"wan.*(i2v|flf2v|wanmove)", "WAN21_I2V"),
    (r"wan2", "WAN21_T2V"),
    (r"hunyuanvideo1\.5_1080p_sr", "HunyuanVideo15_SR_Distilled"),
    (r"hunyuanvideo1\.5|capybara", "HunyuanVideo15"),
    (r"hunyuan_video", "HunyuanVideo"),
    (r"mage_flow", "MageFlow"),
    (r"qwen_image|firered", "QwenImage"),
    (r"krea2", "Krea2"),
    (r"anima", "Anima"),
    (r"boogu", "Boogu"),
    (r"omnigen2", "Omnigen2"),
    (r"ernie", "ErnieImage"),
    (r"ideogram4", "Ideogram4"),
    (r"joyai", "JoyImage"),
    (r"kandinsky5lite_t2i|kandinsky5lite_i2i", "Kandinsky5Image"),
    (r"kandinsky5", "Kandinsky5"),
    (r"lens_", "Lens"),
    (r"pixeldit", "PixelDiTT2I"),
    (r"seedvr2", "SeedVR2"),
    (r"void_", "CogVideoX_Inpaint"),
)


def class_of(file: str) -> ModelClass | None:
    """The class of the model in a file of this name; None where nobody has told."""
    name = re.split(r"[/\\]", file)[-1].lower()
    return next((CLASSES[found] for pattern, found in _FILES if re.search(pattern, name)), None)
